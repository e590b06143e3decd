"""Our chain against the runtime's: the server's own raw distribution, run through it, is what the server samples from.

For every prompt and setting: the largest |Δp| over the vocabulary, and whether the seed hits the same token. Then the
time of the chain, which a slider costs. `--check` exits 1 where a difference is left unexplained.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from bench import stage
from bench.report import median, publish
from engine import sampling
from engine.params import Params
from engine.runtime.client import LlamaServer
from engine.sampling.penalties import Breakers
from engine.sampling.samplers import Logits

LIMIT = 1e-6  # |Δp| that float32 there and float64 here explain
CALIBRATION = 2.0  # the repeat penalty with which the model's own logits are found

PROMPTS = (
    "The capital of France is",
    "Once upon a time, in a small village by the sea, there lived an old fisherman who",
    "def fibonacci(n):\n    if n < 2:\n        return n\n    return",
    "La Révolution française commence en 1789 et",
    "the cat sat on the mat and the dog sat on the mat and the bird sat on the",
    "Verse 1: The name of notebook 1 is Marin.\nVerse 2: The name of notebook 2 is Marin.\nVerse 3: The name of",
    "<|im_start|>user\nWhat is gravity?<|im_end|>\n<|im_start|>assistant\n",
    '{"name": "Ada", "born": 1815, "known for": "',
    "I don't know, I don't know, I really don't know what to say. I don't",
    "Water boils at 100 degrees. Ice melts at 0 degrees. Lead melts at 327 degrees. Iron melts at",
)

OFF: Mapping[str, Any] = {"temperature": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0}
SEEDS = 20  # that are tried for one that hits a whole character
HUGGING_FACE = sampling.HUGGING_FACE_ORDER


@dataclass(frozen=True)
class Setting:
    """One set of parameters, with what no parameter holds."""

    name: str
    params: Params
    bias: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, name: str, bias: Mapping[int, float] | None = None, /, **values: Any) -> Setting:
        """Everything that is not named is off; the seed is 42."""
        return cls(name, Params({**OFF, "seed": 42, **values}), bias or {})


SETTINGS = (
    Setting("default", Params(temperature=0.8, seed=42)),
    Setting.of("greedy", temperature=0.0),
    Setting.of("temperature 0.3", temperature=0.3),
    Setting.of("temperature 1.5", temperature=1.5),
    Setting.of("top-k 10", top_k=10),
    Setting.of("top-k 100, hot", top_k=100, temperature=1.3),
    Setting.of("top-p 0.5", top_p=0.5),
    # of 1000: added up in float32, a flat whole vocabulary has a sum that is off by 1e-4, several tokens at the border
    Setting.of("top-p 0.9 after T 1.2 (Hugging Face)", top_k=1000, top_p=0.9, temperature=1.2, samplers=HUGGING_FACE),
    Setting.of("min-p 0.1, T 2", min_p=0.1, temperature=2.0),
    Setting.of("min-p 0.1 after T 2 (Hugging Face)", min_p=0.1, temperature=2.0, samplers=HUGGING_FACE),
    Setting.of("typical 0.5", typical_p=0.5),
    Setting.of("typical 0.9, T 0.7", typical_p=0.9, temperature=0.7),
    Setting.of("top-n-sigma 1, T 1.5", top_n_sigma=1.0, temperature=1.5),
    Setting.of("top-n-sigma 2.5", top_n_sigma=2.5),
    Setting.of("XTC always", xtc_probability=1.0, xtc_threshold=0.05),
    Setting.of("XTC at 0.5, drawn", xtc_probability=0.5, xtc_threshold=0.02, seed=42),  # its draw is 0.37
    Setting.of("XTC at 0.5, not drawn", xtc_probability=0.5, xtc_threshold=0.02, seed=4),
    Setting.of("repeat 1.3", repeat_penalty=1.3),
    Setting.of("repeat 0.8", repeat_penalty=0.8),
    Setting.of("frequency, presence", frequency_penalty=0.7, presence_penalty=0.5),
    Setting.of("all penalties, 8 tokens", repeat_penalty=1.2, frequency_penalty=0.3, presence_penalty=-0.4,
               repeat_last_n=8),
    Setting.of("DRY", dry_multiplier=0.8),
    Setting.of("DRY, one token", dry_multiplier=2.0, dry_base=1.5, dry_allowed_length=1, dry_penalty_last_n=1000),
    # of 1000 too: over the whole vocabulary the runtime's float32 entropy is off by 1e-5, and Δp up to 6e-6
    Setting.of("dynamic temperature", dynatemp_range=0.5, top_k=1000),
    Setting.of("dynamic temperature, cut first", dynatemp_range=0.7, dynatemp_exponent=2.0, top_n_sigma=1.5, top_k=40),
    Setting.of("mirostat 1", mirostat=1, temperature=0.9),
    Setting.of("mirostat 2", mirostat=2, mirostat_tau=2.5),
    Setting.of("bias", {260: 3.0, 28: -5.0, 198: -float("inf")}, top_p=0.9),
    Setting.of("free order", samplers=("top_p", "temperature", "penalties", "min_p"), top_p=0.9, temperature=1.4,
               min_p=0.02, repeat_penalty=1.5),
    Setting.of("everything", {260: 1.0}, temperature=0.8, top_k=40, top_p=0.95, min_p=0.02, top_n_sigma=3.0,
               repeat_penalty=1.1, frequency_penalty=0.1, dry_multiplier=0.8, xtc_probability=0.5, xtc_threshold=0.1,
               dynatemp_range=0.2),
)  # fmt: skip


@dataclass(frozen=True)
class Measured:
    """A prompt as the server reads it: token ids, and the model's own logits of shape (vocabulary,)."""

    prompt: str
    history: tuple[int, ...]
    logits: Logits


@dataclass(frozen=True)
class Compared:
    """One setting on one prompt: `difference` the largest |Δp|, `tie` a token that only one side kept at the border."""

    setting: str
    prompt: str
    survivors: int
    difference: float
    tie: int | None
    token_hit: bool


class Server:
    """A bare llama.cpp server, asked for one token at a time in one slot. Not for several threads."""

    def __init__(self, server: LlamaServer) -> None:
        self.server = server
        self.vocabulary = int(server.get("/v1/models")["data"][0]["meta"]["n_vocab"])
        self.breakers: Breakers = {}  # found in the first full answer, which has the bytes of every token

    def measure(self, prompt: str) -> Measured:
        """What the model says after this prompt; the constant that probabilities lack comes from a repeat penalty."""
        asked = {"content": prompt, "add_special": True, "parse_special": True}
        history = tuple(self.server.post("/tokenize", asked)["tokens"])
        self._ask(prompt, temperature=0)  # from here on only the last token is read, alone: the same bits each time
        entries = self._ask(prompt, temperature=0, n_probs=self.vocabulary)["top_logprobs"]
        logprobs = self._array(entries, "logprob", -np.inf)
        self.breakers = self.breakers or self._breakers(entries)
        only = {"samplers": ["penalties"], "repeat_penalty": CALIBRATION, "repeat_last_n": len(history)}
        penalized = self._array(self._after(prompt, 42, only)[0]["top_probs"], "prob", 0.0)
        return Measured(prompt, history, logprobs + sampling.offset(logprobs, penalized, history, CALIBRATION))

    def compare(self, measured: Measured, setting: Setting) -> Compared:
        """What the runtime samples from with this setting beside what our chain makes of the same logits.

        To be asked before the next prompt is measured, while the slot still holds this one.
        """
        bias = [[token, False if value == -np.inf else value] for token, value in setting.bias.items()]
        fields = {**setting.params.to_llamacpp(), "logit_bias": bias}
        told, seed = self._after(measured.prompt, setting.params["seed"], fields)
        chain = sampling.chain_of(setting.params, bias=setting.bias, breakers=self.breakers)
        last = sampling.run_chain(measured.logits, chain, measured.history, sampling.xtc_draw(seed))[-1]
        difference, tie = largest_difference(last.probabilities, self._array(told["top_probs"], "prob", 0.0))
        hit = sampling.dart(last, sampling.u_of(seed)).token == told["id"]
        return Compared(setting.name, measured.prompt, last.survivors, difference, tie, hit)

    def _after(self, prompt: str, seed: int, fields: Mapping[str, Any]) -> tuple[dict[str, Any], int]:
        """The first token after sampling, and its seed: another where the server tells nothing, because that one hit a
        token which is no whole character.
        """
        for one in range(seed, seed + SEEDS):
            asked = {**fields, "seed": one, "post_sampling_probs": True, "n_probs": self.vocabulary}
            told = self._ask(prompt, **asked)
            if told:
                return told, one
        raise RuntimeError(f"no whole character from {SEEDS} seeds after {prompt!r}")

    def _ask(self, prompt: str, **fields: Any) -> dict[str, Any]:
        body = {"prompt": prompt, "id_slot": 0, "cache_prompt": True, **fields, "n_predict": 1, "max_tokens": 1}
        told = self.server.post("/completion", body)
        return dict(told.get("completion_probabilities", [{}])[0])

    def _array(self, entries: list[dict[str, Any]], name: str, missing: float) -> Logits:
        found = np.full(self.vocabulary, missing)
        found[[entry["id"] for entry in entries]] = [entry[name] for entry in entries]
        return found

    def _bare(self, text: bytes) -> list[int]:
        asked = {"content": text.decode("utf-8"), "add_special": False, "parse_special": False}
        return list(self.server.post("/tokenize", asked)["tokens"])

    def _breakers(self, entries: list[dict[str, Any]]) -> Breakers:
        by_id = {entry["id"]: bytes(entry["bytes"]) for entry in entries}
        return sampling.dry_breakers([by_id[token] for token in range(self.vocabulary)], self._bare)


def largest_difference(ours: Logits, theirs: Logits) -> tuple[float, int | None]:
    """(max |Δp|, the tied token). A tie is one token at the border that only one side kept, because the other adds in
    another precision: then what is left is compared without it, its mass shared out.
    """
    apart = np.flatnonzero((ours > 0) != (theirs > 0))
    apart = apart[np.maximum(ours, theirs)[apart] >= LIMIT]  # below it nobody could tell
    if len(apart) != 1 or not _least(apart[0], ours if ours[apart[0]] > 0 else theirs):
        return float(np.abs(ours - theirs).max()), None
    without = [np.where(np.arange(len(p)) == apart[0], 0.0, p) for p in (ours, theirs)]
    return float(np.abs(without[0] / without[0].sum() - without[1] / without[1].sum()).max()), int(apart[0])


def _least(token: np.int64, probabilities: Logits) -> bool:
    return bool(probabilities[token] <= probabilities[probabilities > 0].min() * (1 + 1e-3))


def milliseconds(measured: Measured, setting: Setting, breakers: Breakers, rounds: int = 9) -> float | None:
    """Median time of one run of the chain over the whole vocabulary."""
    chain = sampling.chain_of(setting.params, breakers=breakers)
    return median([_timed(lambda: sampling.run_chain(measured.logits, chain, measured.history)) for _ in range(rounds)])


def _timed(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return 1000 * (time.perf_counter() - started)


def main() -> int:
    """0; with --check 1 where a probability is further off than 1e-6, or a seed hits another token."""
    parser = argparse.ArgumentParser(prog="python -m bench sampling", description=__doc__)
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--prompts", type=int, default=len(PROMPTS))
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    with stage.data_folder() as folder, stage.engine(folder, slots=1) as shared:
        server = Server(stage.load(shared))
        found: list[Compared] = []
        for prompt in PROMPTS[: options.prompts]:
            measured = server.measure(prompt)
            found += [server.compare(measured, setting) for setting in SETTINGS]
            print(f"{len(found)}/{options.prompts * len(SETTINGS)}", flush=True)
        times = {setting.name: milliseconds(measured, setting, server.breakers) for setting in SETTINGS}
    publish("sampling", [row(setting, found, times) for setting in SETTINGS], [vars(one) for one in found], options.out)
    wrong = [one for one in found if one.difference >= LIMIT or not one.token_hit]
    for one in wrong:
        print(one)
    return int(options.check and bool(wrong))


def row(setting: Setting, found: list[Compared], times: Mapping[str, float | None]) -> dict[str, Any]:
    """One line of the table: the worst of all prompts."""
    mine = [one for one in found if one.setting == setting.name]
    return {
        "setting": setting.name,
        "max |Δp|": max(one.difference for one in mine),
        "survivors": f"{min(one.survivors for one in mine)}-{max(one.survivors for one in mine)}",
        "ties": sum(one.tie is not None for one in mine),
        "same token": f"{sum(one.token_hit for one in mine)}/{len(mine)}",
        "ms": times[setting.name],
    }
