"""How much each token of a text surprises a local model, for a strip of colours. A task for a job child.

One number a token: -ln p in nats, given what comes before it. A text longer than the window is read in windows that
overlap by half.
"""

from __future__ import annotations

import codecs
from collections.abc import Generator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from engine.quality.cards import card
from engine.quality.numbers import bits_per_byte, surprises
from engine.quality.perplexity import text_sha256
from engine.quality.reader import Reader
from engine.quality.windows import Window, overlapping
from engine.tasks import Progress

TASK = "engine.quality.surprise:measure"
WINDOW = 2048  # tokens at most; a token has at least half as many before it, where there are so many


@dataclass(frozen=True)
class Surprise:
    """Token `id`: the text it adds (`piece`; a character cut in two belongs to the token that ends it), the bytes it
    stands for, and its surprise in `nats`, None for a first token that nothing precedes.
    """

    id: int
    piece: str
    bytes: int
    nats: float | None


@dataclass(frozen=True)
class Surprises:
    """Every token of the text; `nats_per_token` and `bits_per_byte` are those of all that have a surprise, None where
    none has; `card` what it was measured with.
    """

    tokens: tuple[Surprise, ...]
    nats_per_token: float | None
    bits_per_byte: float | None
    card: Mapping[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Surprises:
        """What `to_dict` gave, such as a job's result."""
        return cls(**{**data, "tokens": tuple(Surprise(**token) for token in data["tokens"])})


def measure(path: str, text: str, window: int = WINDOW, threads: int = 1) -> Generator[Progress, None, dict[str, Any]]:
    """The Surprises as a dict; progress in tokens. Raises NativeMissing, LoadFailed, BadParameter."""
    room = max(64, min(window, len(text.encode()) + 1))  # a token has a byte at least; one more begins the text
    with Reader(path, room, threads) as reader:
        tokens, bos = reader.tokens(text), reader.bos
        nats: list[float | None] = [None] * len(tokens)
        for part in overlapping(len(tokens), room):
            _read(reader, tokens, part, nats)
            yield Progress(part.end, len(tokens))
        pieces = [reader.piece(token) for token in tokens]
    if bos is not None:  # it is no part of the text
        tokens, nats, pieces = tokens[1:], nats[1:], pieces[1:]
    how = card(Path(path), threads, window=window, text_sha256=text_sha256(text))
    return replace(summary(tokens, pieces, nats), card=how).to_dict()


def _read(reader: Reader, tokens: Sequence[int], part: Window, nats: list[float | None]) -> None:
    """Fill in what this window tells."""
    for _, position, rows in reader.read([tokens[part.start : part.end]], part.first_row):
        at = part.start + position + 1
        nats[at : at + len(rows)] = surprises(rows, tokens[at : at + len(rows)], reader.threads).tolist()


def summary(tokens: Sequence[int], pieces: Sequence[bytes], nats: Sequence[float | None]) -> Surprises:
    """The Surprises of these tokens."""
    known = [(value, len(piece)) for value, piece in zip(nats, pieces, strict=True) if value is not None]
    total, size = sum(value for value, _ in known), sum(length for _, length in known)
    return Surprises(
        tokens=tuple(
            Surprise(token, text, len(piece), value)
            for token, text, piece, value in zip(tokens, texts(pieces), pieces, nats, strict=True)
        ),
        nats_per_token=total / len(known) if known else None,
        bits_per_byte=bits_per_byte(total, size) if size else None,
    )


def texts(pieces: Sequence[bytes]) -> list[str]:
    """What each piece adds to the text: joined, they are the text again."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    return [decoder.decode(piece, final=number == len(pieces)) for number, piece in enumerate(pieces, 1)]
