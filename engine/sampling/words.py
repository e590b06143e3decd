"""A model's vocabulary: the bytes of every token, and which of them end a text. Knows no model and no process."""

from __future__ import annotations

import codecs
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from engine.token_view import visible


@dataclass(frozen=True)
class Vocabulary:
    """`pieces` are the bytes of each token, by its id; `ends` the ids that end a text, `specials` those that no
    ordinary text has (the former among them).
    """

    pieces: tuple[bytes, ...]
    ends: frozenset[int] = frozenset()
    specials: frozenset[int] = frozenset()

    def __len__(self) -> int:
        return len(self.pieces)

    def text(self, ids: Iterable[int]) -> str:
        """What these tokens spell; bytes that are no whole character become U+FFFD."""
        return codecs.decode(b"".join(self.pieces[token] for token in ids), "utf-8", "replace")

    def shown(self, token: int) -> str:
        """One token with every white space visible, or its bytes in hexadecimal where they are no whole character."""
        data = self.pieces[token]
        try:
            return visible(data.decode())
        except UnicodeDecodeError:
            return "".join(f"<{byte:02X}>" for byte in data)

    def to_bytes(self) -> tuple[dict[str, Any], bytes]:
        """Two parts that `from_bytes` joins again, the first of them JSON values."""
        lengths = [len(piece) for piece in self.pieces]
        told = {"lengths": lengths, "ends": sorted(self.ends), "specials": sorted(self.specials)}
        return told, b"".join(self.pieces)

    @classmethod
    def from_bytes(cls, told: dict[str, Any], data: bytes) -> Vocabulary:
        """The vocabulary of the two parts."""
        return cls(tuple(_cut(data, told["lengths"])), frozenset(told["ends"]), frozenset(told["specials"]))


def _cut(data: bytes, lengths: Sequence[int]) -> Iterable[bytes]:
    place = 0
    for length in lengths:
        yield data[place : place + length]
        place += length
