"""Tokens to look at: a prompt in its pieces, an answer in its tokens with what else could have come. Pure values.

Knows no server and no page. A character whose bytes lie in several tokens is told as such, never as question marks.
"""

from __future__ import annotations

import codecs
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NamedTuple

from engine.types import Rendered

_SIGNS = {" ": "␣", "\n": "⏎", "\r": "␍", "\t": "⇥", "\u00a0": "⍽"}


@dataclass(frozen=True)
class Piece:
    """One token of a prompt: `text` as it stands there, or the bytes in hexadecimal where they are no whole character;
    `part_of` is then the character that they make together with their neighbours.
    """

    id: int
    text: str
    special: bool = False
    part_of: str | None = None

    @property
    def shown(self) -> str:
        """The text with every white space and control character visible."""
        return visible(self.text)


class Alternative(NamedTuple):
    """A token that could have come, with its probability; `whole` False where an answer cannot begin with it, since it
    is a part of a character or a sign that ends the answer.
    """

    text: str
    probability: float
    whole: bool = True


@dataclass(frozen=True)
class Scored:
    """One token of an answer and its probability in [0, 1] before temperature and filters, the likeliest ones of its
    place beside it. A character of several tokens is one Scored, with the product of what its tokens were worth.
    """

    text: str
    probability: float
    alternatives: tuple[Alternative, ...] = ()
    id: int | None = None

    @property
    def shown(self) -> str:
        """The text with every white space and control character visible."""
        return visible(self.text)


def visible(text: str) -> str:
    """The text with a sign for every white space and control character; other letters as they are."""
    return "".join(_SIGNS.get(sign) or (sign if sign.isprintable() else f"<{ord(sign):02X}>") for sign in text)


def strip(rendered: Rendered) -> tuple[Piece, ...]:
    """The prompt's tokens in order."""
    specials = rendered.specials
    pieces = rendered.pieces or ("",) * len(rendered.tokens)
    found: list[Piece] = []
    begun: list[tuple[int, bytes]] = []  # tokens of a character that is not complete
    for token, piece in zip(rendered.tokens, pieces, strict=True):
        if isinstance(piece, str):
            found += _closed(begun)
            found.append(Piece(token, piece, token in specials))
            continue
        begun.append((token, bytes(piece)))
        if _whole(b"".join(data for _, data in begun)) is not None:
            found += _closed(begun)
    return (*found, *_closed(begun))


def special_spans(rendered: Rendered) -> tuple[tuple[int, int], ...]:
    """Where special tokens stand in the prompt's text: start and end in characters. One that only the tokens have, as a
    begin-of-text that the server adds, has none.
    """
    spans: list[tuple[int, int]] = []
    place = 0
    for number, (token, piece) in enumerate(zip(rendered.tokens, rendered.pieces, strict=False)):
        if token not in rendered.specials or not isinstance(piece, str):
            continue
        start = rendered.prompt.find(piece, place)
        if start < 0 or (number == 0 and start > 0):
            continue
        place = start + len(piece)
        spans.append((start, place))
    return tuple(spans)


def answer_tokens(entries: Iterable[Mapping[str, Any]]) -> tuple[Scored, ...]:
    """The answer's tokens from what a server told of each: OpenAI's and llama.cpp's chat entries (`logprob`,
    `top_logprobs`), and those of llama.cpp's `/completion`, with `post_sampling_probs` too (`prob`, `top_probs`).
    """
    found: list[Scored] = []
    begun: list[tuple[bytes, Scored]] = []
    for entry in entries:
        scored, data = _scored(entry), _bytes(entry)
        if begun or _whole(data) is None:
            begun.append((data, scored))
            if _whole(b"".join(part for part, _ in begun)) is not None:
                found.append(_merged(begun))
                begun.clear()
            continue
        found.append(replace(scored, text=data.decode()))
    return (*found, *([_merged(begun)] if begun else []))


def prefix(scored: Sequence[Scored], position: int, text: str) -> str:
    """The answer up to the token at that position, with another text in its place: where a branch begins."""
    return "".join(token.text for token in scored[:position]) + text


def _closed(begun: list[tuple[int, bytes]]) -> Iterator[Piece]:
    character = _whole(b"".join(data for _, data in begun)) if begun else None
    for token, data in begun:
        yield Piece(token, _hexadecimal(data), part_of=character)
    begun.clear()


def _whole(data: bytes) -> str | None:
    """The text of the bytes; None where they end within a character or are none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return None


def _hexadecimal(data: bytes) -> str:
    return "".join(f"<{byte:02X}>" for byte in data)


def _scored(entry: Mapping[str, Any]) -> Scored:
    told = entry.get("top_logprobs") or entry.get("top_probs") or ()
    number = entry.get("id")
    return Scored(
        str(entry.get("token", "")),
        _probability(entry),
        tuple(map(_alternative, told)),
        None if number is None else int(number),
    )


def _alternative(entry: Mapping[str, Any]) -> Alternative:
    data = _bytes(entry)
    text = _whole(data)
    if text is None:
        return Alternative(_hexadecimal(data), _probability(entry), whole=False)
    return Alternative(text, _probability(entry), whole=bool(text))


def _bytes(entry: Mapping[str, Any]) -> bytes:
    """The token's bytes; of its text where a server tells none, as OpenAI's protocol allows."""
    told = entry.get("bytes")
    return bytes(told) if isinstance(told, list) else str(entry.get("token", "")).encode("utf-8", "replace")


def _probability(entry: Mapping[str, Any]) -> float:
    """In [0, 1]; 0 for what a server leaves out."""
    if entry.get("prob") is not None:
        value = float(entry["prob"])
    else:
        told = entry.get("logprob")
        value = 0.0 if told is None else math.exp(min(0.0, float(told)))
    return min(1.0, max(0.0, value)) if math.isfinite(value) else 0.0


def _merged(begun: list[tuple[bytes, Scored]]) -> Scored:
    """One Scored for tokens that only together are text; the alternatives are those of the first."""
    text = codecs.decode(b"".join(data for data, _ in begun), "utf-8", "replace")
    first = begun[0][1]
    return replace(first, text=text, probability=math.prod(scored.probability for _, scored in begun))
