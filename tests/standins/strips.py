"""Prompts and answers as the strips must show them, hostile ones included. Knows no framework and no test."""

from __future__ import annotations

import math
from typing import Any

from engine.token_view import Piece, Scored, answer_tokens, strip
from engine.types import Rendered

HOSTILE = (
    "<img src=x onerror=\"document.title='owned'\">",
    "</script><script>document.title='owned'</script>",
    "<!--",
    "${document.title='owned'}",
    "{{value}}",
    "`+(document.title='owned')+`",
    "\\u003cb\\u003e",
    "[x](javascript:alert(1))",
)
TEXT = (
    "<|im_start|>",
    "user",
    "\n",
    "Bonjour",
    " à",
    " tous",
    "  ",
    "漢",
    (0xF0, 0x9F),
    (0xA7, 0x92),
    "\x1b",
    *HOSTILE,
)


def pieces() -> tuple[Piece, ...]:
    """A prompt with a special sign, a broken letter, white space and hostile words."""
    tokens = tuple(range(40, 40 + len(TEXT)))
    return strip(Rendered("", tokens, (*TEXT,), frozenset({40})))


def _entry(text: str, probability: float, **more: Any) -> dict[str, Any]:
    return {"token": text, "bytes": list(text.encode()), "logprob": math.log(probability), **more}


def scored() -> tuple[Scored, ...]:
    """An answer with tokens of every likelihood, a broken letter among the alternatives, and hostile words."""
    words = [
        ("Le", 0.97),
        (" chat", 0.62),
        (" dort", 0.31),
        (" sur", 0.12),
        (" l'", 0.03),
        ("été", 0.00004),
        (".\n", 0.8),
    ]
    found = []
    for text, probability in [*words, *((text, 0.3) for text in HOSTILE)]:
        top = [_entry(text, probability), _entry(f"{text}?", probability / 2), _entry("", probability / 3)]
        top.append({"token": "", "bytes": [0xF0], "logprob": math.log(probability / 4)})
        found.append(_entry(text, probability, top_logprobs=top))
    return answer_tokens(found)
