"""The beginning that every conversation of a model shares, put into all slots when it is loaded. Knows no process.

A fresh question then reads its own tokens only, in whichever slot: 20 of 31 tokens less for `hi` and the bundled model.
"""

from __future__ import annotations

from engine.errors import EngineError
from engine.runtime.client import LlamaServer
from engine.runtime.prefixes import common_prefix

OPENINGS = ("a", "1")  # two questions that share no token


def opening(server: LlamaServer) -> tuple[int, ...]:
    """The tokens that the template puts before every first question; none where it refuses to be asked."""
    try:
        first, second = (_tokens(server, text) for text in OPENINGS)
    except EngineError:  # an embedding model has no template
        return ()
    return tuple(first[: common_prefix(first, second)])


def _tokens(server: LlamaServer, text: str) -> list[int]:
    prompt = server.post("/apply-template", {"messages": [{"role": "user", "content": text}]})["prompt"]
    body = {"content": prompt, "add_special": True, "parse_special": True}
    return list(server.post("/tokenize", body)["tokens"])
