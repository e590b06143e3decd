"""Our chain against the real runtime's: its own raw distribution, run through ours, is what it samples from.

One prompt here; `python -m bench sampling --check` has ten, and whole vocabularies.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from bench.bench_sampling import LIMIT, PROMPTS, SETTINGS, Measured, Server, Setting, largest_difference
from engine.runtime.client import LlamaServer
from engine.sampling import Step, dart, run_chain, u_of
from tests.standins.llama_server import BareServer

VERSES = PROMPTS[5]  # repeats itself, with breakers in between
FEW = 60  # candidates: a whole vocabulary takes the server seconds to write down


@pytest.fixture(scope="module")
def server(bare_llama: BareServer) -> Iterator[Server]:
    client = LlamaServer(bare_llama.address, bare_llama.key)
    yield Server(client)
    client.close()


@pytest.fixture(scope="module")
def measured(server: Server) -> Measured:
    return server.measure(VERSES)


def small(setting: Setting) -> Setting:
    """The same with few candidates, where nothing else cuts."""
    return replace(setting, params=setting.params.replace(top_k=setting.params["top_k"] or FEW))


@pytest.mark.model
def test_probabilities_and_tokens_are_the_runtimes(server: Server, measured: Measured) -> None:
    found = [server.compare(measured, small(setting)) for setting in SETTINGS]
    assert len(found) >= 20
    assert [one for one in found if one.difference >= LIMIT or not one.token_hit] == []
    assert {one.survivors for one in found if one.setting in ("greedy", "DRY")} == {1, FEW}


@pytest.mark.model
@pytest.mark.parametrize("name", ["repeat 1.3", "frequency, presence", "DRY"])
def test_the_comparison_sees_what_is_missing(server: Server, measured: Measured, name: str) -> None:
    setting = next(one for one in SETTINGS if one.name == name)
    assert server.compare(replace(measured, history=()), small(setting)).difference > 1e-3


@pytest.mark.model
def test_a_seed_is_one_number_a_token_and_gives_the_same_text_again(server: Server) -> None:
    def answer(seed: int) -> tuple[list[int], list[dict[str, Any]]]:
        asked = {"prompt": PROMPTS[1], "seed": seed, "n_predict": 6, "temperature": 1.0, "top_k": FEW, "top_p": 1.0}
        asked |= {"min_p": 0.0, "n_probs": FEW, "post_sampling_probs": True, "id_slot": 0, "cache_prompt": False}
        told = server.server.post("/completion", asked)["completion_probabilities"]
        return [token["id"] for token in told], told

    tokens, told = answer(11)
    assert answer(11)[0] == tokens != answer(12)[0]
    for place, token in enumerate(told):
        logits = np.full(server.vocabulary, -np.inf)
        logits[[one["id"] for one in token["top_probs"]]] = np.log([one["prob"] for one in token["top_probs"]])
        stage = run_chain(logits, [Step("top_k", {"top_k": FEW})])[-1]
        assert dart(stage, u_of(11, place)).token == token["id"]


def test_a_tie_at_the_border_is_told_apart_from_a_difference() -> None:
    ours = np.array([0.5, 0.3, 0.2, 0.0])
    assert largest_difference(ours, np.array([0.5, 0.3, 0.2, 0.0])) == (0.0, None)
    assert largest_difference(ours, np.array([0.625, 0.375, 0.0, 0.0])) == (pytest.approx(0.0), 2)
    assert largest_difference(ours, np.array([0.0, 0.6, 0.4, 0.0])) == (0.5, None)  # the best one is no border
    assert largest_difference(ours, np.array([0.4, 0.3, 0.2, 0.1])) == (pytest.approx(1 / 18), 3)
