"""The surprise of every token of a text, by making a llama.cpp server write it: for where nothing else gives logits.

A grammar of token ids (`<[17]>`) leaves one choice at each place, and the probability that the server reports is the
one before the grammar. (A grammar of the text itself lets the model choose another way to cut it into tokens.)
Knows no rhyme.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import wait
from typing import TYPE_CHECKING, Any

from engine.errors import ServerFailed
from engine.tasks import Progress

if TYPE_CHECKING:
    from engine.backends.llamacpp import Runtime
    from engine.runtime.client import LlamaServer

PIECE = 64  # tokens a request: between two of them others get the slot
POLL_S = 0.2


def forced_nats(
    runtime: Runtime, tokens: Sequence[int], first: int = 1, *, owner: str = "local"
) -> Iterator[Progress | list[float | None]]:
    """Progress in tokens, last the list of -ln p of every token; None before number `first`, which is at least 1.

    None of those may end a turn: llama.cpp lets no grammar ask for that. Raises EngineError.
    """
    for _ in runtime.ready():
        pass
    found: list[float | None] = [None] * first
    for start in range(first, len(tokens), PIECE):
        before, piece = tokens[:start], tokens[start : start + PIECE]
        gate = runtime.gate
        if gate is None:
            found += _asked(runtime.server, before, piece, None)
        else:
            with gate.enter(before, owner=owner, interactive=False) as ticket:
                while not ticket.ready.done():
                    yield Progress(len(found), len(tokens))  # a chance to leave the queue
                    wait([ticket.ready], timeout=POLL_S)
                found += _asked(runtime.server, before, piece, ticket.ready.result())
                ticket.leave(len(piece) - 1)
        yield Progress(len(found), len(tokens))
    yield found


def _asked(server: LlamaServer, before: Sequence[int], piece: Sequence[int], slot: int | None) -> list[float]:
    body: dict[str, Any] = {
        "prompt": list(before),
        "n_predict": len(piece),
        "n_probs": 1,
        "temperature": 0,
        "samplers": [],
        "cache_prompt": True,
        "grammar": "root ::= " + " ".join(f"<[{token}]>" for token in piece),
    }
    told = server.post("/completion", body | ({} if slot is None else {"id_slot": slot}))
    entries = told["completion_probabilities"]
    if [entry["id"] for entry in entries] != list(piece):
        raise ServerFailed("the server wrote other tokens than it was made to", status=200)
    return [-float(entry["logprob"]) for entry in entries]
