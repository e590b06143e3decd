"""Saved states of prompts: which token prefixes lie in which file, least recently used out. Knows no slot and no queue.

A state is the key-value cache of one slot after reading a prompt (llama.cpp, `/slots/{id}?action=save`). Restoring one
of 3035 tokens takes 25-40 ms where reading them takes seconds.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


def common_prefix(a: Sequence[int], b: Sequence[int]) -> int:
    """Number of tokens that both sequences begin with."""
    low, high = 0, min(len(a), len(b))
    while low < high:  # slices compare at C speed, so halving beats a loop over tokens
        middle = (low + high + 1) // 2
        if a[low:middle] == b[low:middle]:
            low = middle
        else:
            high = middle - 1
    return low


@dataclass(frozen=True)
class Prefix:
    """A saved state: the tokens that it holds, the file's name below the state folder, its size in bytes."""

    tokens: tuple[int, ...]
    filename: str
    size: int


class PrefixStore:
    """At most `budget` bytes of states in `folder`; thread safe."""

    def __init__(self, folder: Path, budget: int) -> None:
        self.folder = folder
        self.budget = budget
        self._lock = threading.Lock()
        self._prefixes: dict[str, Prefix] = {}  # in order of use, the oldest first
        self._numbers = itertools.count(1)

    def name(self) -> str:
        """A file name that nobody has had."""
        return f"prefix-{next(self._numbers)}.bin"

    def find(self, tokens: Sequence[int]) -> tuple[Prefix | None, int]:
        """The state that shares most with `tokens`, and how many tokens that is."""
        with self._lock:
            best, length = None, 0
            for prefix in self._prefixes.values():
                shared = common_prefix(prefix.tokens, tokens)
                if shared > length:
                    best, length = prefix, shared
            return best, length

    def use(self, prefix: Prefix) -> None:
        """Note that the state was used just now."""
        with self._lock:
            if kept := self._prefixes.pop(prefix.filename, None):
                self._prefixes[prefix.filename] = kept

    def add(self, tokens: Sequence[int], filename: str, size: int) -> None:
        """Keep a state that the server has written; drop what it makes superfluous and what no longer fits."""
        new = Prefix(tuple(tokens), filename, size)
        with self._lock:
            self._prefixes[filename] = new
            covered = [p for p in self._prefixes.values() if p is not new and new.tokens[: len(p.tokens)] == p.tokens]
            for prefix in covered:
                self._remove(prefix)
            while self.size > self.budget:
                self._remove(next(iter(self._prefixes.values())))

    def forget(self, prefix: Prefix) -> None:
        """Drop one state, as when the server could not read it."""
        with self._lock:
            self._remove(prefix)

    @property
    def count(self) -> int:
        """Number of states kept."""
        return len(self._prefixes)

    @property
    def size(self) -> int:
        """Bytes of all states."""
        return sum(prefix.size for prefix in self._prefixes.values())

    def clear(self) -> None:
        """Drop all states and their files."""
        with self._lock:
            for prefix in list(self._prefixes.values()):
                self._remove(prefix)

    def _remove(self, prefix: Prefix) -> None:
        if self._prefixes.pop(prefix.filename, None):
            (self.folder / prefix.filename).unlink(missing_ok=True)
