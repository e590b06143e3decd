"""The cache of vectors: computed once, bounded, sound under damage, threads and processes."""

from __future__ import annotations

import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from engine import child
from engine.errors import ServerFailed
from engine.rag.values import Vectors
from engine.rag.vectors import BATCH, VectorCache, embed
from engine.settings import Settings

LIMIT = 64 * 2**20


class Letters:
    """An embedder that counts letters, and remembers what it was asked."""

    name, fingerprint, dimensions, tokens_max = "letters", "letters 1", 26, 1000

    def __init__(self, fails_after: int = 1000) -> None:
        self.batches: list[list[str]] = []
        self._left = fails_after

    def passages(self, texts: list[str]) -> Vectors:
        if self._left == 0:
            raise ServerFailed("gone")
        self._left -= 1
        self.batches.append(texts)
        return np.stack([self.query(text) for text in texts])

    def query(self, text: str) -> NDArray[np.float32]:
        found = np.array([text.count(chr(97 + number)) + 1 for number in range(26)], np.float32)
        return found / np.linalg.norm(found)

    def count(self, text: str) -> int:
        return len(text.split())


@pytest.fixture
def cache(tmp_path: Path) -> VectorCache:
    return VectorCache(tmp_path / "vectors.sqlite3", LIMIT)


def test_equal_texts_are_computed_once_and_never_again(cache: VectorCache) -> None:
    texts = [f"{number % 50} " + "abc" * (number % 50) for number in range(100)]
    first, second = Letters(), Letters()
    with cache:
        rows = embed(first, texts, cache)
        again = embed(second, texts, cache)
    assert sum(map(len, first.batches)) == 50
    assert second.batches == []
    np.testing.assert_array_equal(rows, again)
    np.testing.assert_array_equal(rows, [Letters().query(text) for text in texts])
    assert rows.dtype == np.float32
    assert embed(first, []).shape == (0, 26)


@given(texts=st.lists(st.text(max_size=20)))
def test_rows_are_in_the_order_of_the_texts(texts: list[str]) -> None:
    letters = Letters()
    rows = embed(letters, texts)
    assert len(rows) == len(texts)
    assert all((row == letters.query(text)).all() for row, text in zip(rows, texts, strict=True))
    assert all(len(some) <= BATCH for some in letters.batches)
    lengths = [len(text) for some in letters.batches for text in some]
    assert lengths == sorted(lengths)  # texts of like length together


def test_another_fingerprint_is_another_embedder(cache: VectorCache) -> None:
    with cache:
        embed(Letters(), ["abc"], cache)
        newer = Letters()
        newer.fingerprint = "letters 2"
        embed(newer, ["abc"], cache)
    assert newer.batches == [["abc"]]


def test_whoever_is_cut_off_goes_on_from_there(cache: VectorCache) -> None:
    texts = [f"text {number}" for number in range(4 * BATCH)]
    with cache:
        with pytest.raises(ServerFailed):
            embed(Letters(fails_after=3), texts, cache)
        second = Letters()
        embed(second, texts, cache)
    assert sum(map(len, second.batches)) == BATCH


def test_the_longest_unused_go_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    limit = 2**20
    cache = VectorCache(tmp_path / "v.sqlite3", limit)
    clock = iter(range(0, 10_000_000, 100_000))  # a day and more between two uses
    monkeypatch.setattr("engine.rag.vectors.time.time", lambda: next(clock))
    block = [{f"{number} {row}": np.zeros(384, np.float32) for row in range(200)} for number in range(8)]
    with cache:
        for some in block:
            cache.put("e", some)
            assert cache.get("e", ["0 7"])  # used, so kept
    assert (tmp_path / "v.sqlite3").stat().st_size < 1.6 * limit
    with cache:
        assert cache.get("e", ["1 7"]) == {}
        assert len(cache.get("e", list(block[-1]))) == 200


@pytest.mark.parametrize(
    "damage", [b"not a database at all, this is text" * 100, b"SQLite format 3\0" + b"\xff" * 5000]
)
def test_a_damaged_file_is_begun_anew(cache: VectorCache, tmp_path: Path, damage: bytes) -> None:
    (tmp_path / "vectors.sqlite3").write_bytes(damage)
    with cache:
        assert len(embed(Letters(), ["a", "b"], cache)) == 2
        embed(Letters(), ["a", "b"], cache)
        asked = Letters()
        embed(asked, ["a", "b"], cache)
    assert asked.batches == []


def test_a_file_that_cannot_be_written_costs_speed_alone(tmp_path: Path) -> None:
    (tmp_path / "v.sqlite3").mkdir()
    with VectorCache(tmp_path / "v.sqlite3", LIMIT) as cache:
        assert len(embed(Letters(), ["a"], cache)) == 1


def test_two_processes_and_some_threads_at_once(tmp_path: Path) -> None:
    home = tmp_path / "home"
    cache = VectorCache.of(Settings(home=home))
    code = (
        "import numpy as np, sys; from pathlib import Path; from engine.rag.vectors import VectorCache\n"
        f"cache = VectorCache(Path({str(home / 'vectors.sqlite3')!r}), {LIMIT})\n"
        "for n in range(30): cache.put('e', {f'child {n} {r}': np.full(8, n, np.float32) for r in range(20)})\n"
        "cache.close()"
    )
    with subprocess.Popen([sys.executable, "-c", code], cwd=child.ROOT) as other:
        threads = [threading.Thread(target=_fill, args=(cache, name)) for name in ("one", "two")]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert other.wait() == 0
    with cache:
        for name in ("one", "two", "child"):
            found = cache.get("e", [f"{name} {number} {row}" for number in range(30) for row in range(20)])
            assert len(found) == 600
            assert (found[f"{name} 29 0"] == 29).all()


def _fill(cache: VectorCache, name: str) -> None:
    for number in range(30):
        cache.put("e", {f"{name} {number} {row}": np.full(8, number, np.float32) for row in range(20)})
