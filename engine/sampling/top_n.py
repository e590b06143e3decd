"""The most probable next tokens as a server tells them: for models that cannot be looked into. Knows no interface.

`served` asks the very runtime that chats, which can tell its whole vocabulary; two builds of llama.cpp differ in the
second or third digit of a probability, so numbers shown beside a chat come from here. `remote` takes what OpenAI-style
routes give, at most twenty tokens a place.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import wait
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadParameter, NotSupported, PromptTooLong, ServerFailed
from engine.params import Params
from engine.token_view import visible

if TYPE_CHECKING:
    from engine.model import Model
    from engine.types import Message

RUNTIME = "xllamacpp"
REMOTE_N = 20  # OpenAI's limit
WHOLE = 0.9999  # a list whose probabilities come to this is the whole vocabulary, but for rounding
# What is told is of the model, before samplers and grammar. This one has the server write a whole letter: of a token
# that ends within a character it would tell nothing.
LETTER = 'root ::= "a"'


@dataclass(frozen=True)
class Candidate:
    """One token that may come: its bytes, its logarithm of probability in nats, its id where the server tells it."""

    piece: bytes
    logprob: float
    id: int | None = None

    @property
    def shown(self) -> str:
        """The text with every white space visible, bytes that are no whole character in hexadecimal."""
        try:
            return visible(self.piece.decode())
        except UnicodeDecodeError:
            return "".join(f"<{byte:02X}>" for byte in self.piece)


@dataclass(frozen=True)
class TopN:
    """One place of a text: its most probable tokens, the likeliest first, and the bytes of what the server wrote there.

    `runtime` says whose numbers these are. Probabilities are of the model, before any sampler.
    """

    candidates: tuple[Candidate, ...]
    runtime: str
    wrote: bytes = b""

    @property
    def told(self) -> float:
        """The sum of their probabilities, in [0, 1]; the rest is spread over tokens that nobody named."""
        return min(1.0, math.fsum(math.exp(one.logprob) for one in self.candidates))

    @property
    def top_n_only(self) -> bool:
        """Whether more tokens could come than are listed: stages computed from these are then of the list alone."""
        return self.told < WHOLE

    def logits(self, words: int | None = None) -> NDArray[np.float64]:
        """Log-probabilities for `engine.sampling.chain`: by the token's id, -inf for the unnamed, where the vocabulary
        has `words` words and the server told ids; by place in the list without.

        They are logits up to a constant, which the repeat penalty alone depends on: `engine.sampling.offset` finds it.
        """
        told = np.array([one.logprob for one in self.candidates])
        ids = [one.id for one in self.candidates]
        if words is None or None in ids:
            return told
        found = np.full(words, -np.inf)
        found[np.array(ids, np.int64)] = told
        return found


def served(model: Model, ids: Sequence[int], n: int, *, visitor: str = "local") -> TopN:
    """The next token's `n` likeliest (at most the vocabulary) after these tokens, from the runtime that chats.

    It goes through the same queue as a question. Raises NotSupported for a model that is not local, PromptTooLong.
    """
    from engine.backends.llamacpp import LlamaCpp

    backend = model.backend
    if not isinstance(backend, LlamaCpp):
        raise NotSupported(f"{model.card.id} is not local", capability="raw_completion", backend=backend.name)
    if n < 1:
        raise BadParameter(f"n={n}", name="n", value=str(n), low=1, high=None)
    runtime = backend.runtime
    for _ in runtime.ready():
        pass
    if len(ids) >= runtime.window:
        raise PromptTooLong(len(ids), runtime.window)
    body = {"prompt": list(ids), "n_predict": 1, "n_probs": n, "temperature": 0, "samplers": [], "cache_prompt": True}
    body["grammar"] = LETTER
    if (gate := runtime.gate) is None:
        return _first(runtime.server.post("/completion", body))
    with gate.enter(ids, owner=visitor) as ticket:
        wait([ticket.ready])
        told = runtime.server.post("/completion", body | {"id_slot": ticket.ready.result()})
        ticket.leave(0)
    return _first(told)


def remote(
    model: Model, messages: Sequence[Message], params: Params, *, owner: str = "local", n: int = REMOTE_N
) -> tuple[TopN, ...]:
    """Every place of an answer that the model's server writes with these parameters, at most `max_tokens` of them.

    Raises NotSupported where the server tells no probabilities, and what it raises.
    """
    result = model.answer(messages, params, owner=owner, extra={"logprobs": True, "top_logprobs": n})
    if result.error is not None:
        raise result.error
    if not result.logprobs:
        backend = model.backend.name
        raise NotSupported(f"{model.card.id} tells no probabilities", capability="logprobs", backend=backend)
    return tuple(_place(entry, model.card.id) for entry in result.logprobs)


def _first(told: Mapping[str, Any]) -> TopN:
    try:
        return replace(_place(told["completion_probabilities"][0], f"{RUNTIME} {version(RUNTIME)}"), wrote=b"")
    except (KeyError, IndexError, TypeError) as error:
        raise ServerFailed("the server told no probabilities", status=200) from error


def _place(entry: Mapping[str, Any], runtime: str) -> TopN:
    wrote = _candidate(entry)
    found = [_candidate(one) for one in entry.get("top_logprobs") or ()]
    found = found or [wrote]
    return TopN(tuple(sorted(found, key=lambda one: -one.logprob)), runtime, wrote.piece)


def _candidate(entry: Mapping[str, Any]) -> Candidate:
    data, number, logprob = entry.get("bytes"), entry.get("id"), entry.get("logprob")
    piece = bytes(data) if isinstance(data, list) else str(entry.get("token", "")).encode("utf-8", "replace")
    value = float(logprob) if isinstance(logprob, int | float) else -math.inf
    return Candidate(piece, min(0.0, value), number if isinstance(number, int) else None)
