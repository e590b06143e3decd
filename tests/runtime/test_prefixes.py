from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from engine.runtime.prefixes import PrefixStore, common_prefix

tokens = st.lists(st.integers(0, 2), max_size=12).map(tuple)


@given(tokens, tokens)
def test_common_prefix_is_the_longest_shared_beginning(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    length = common_prefix(a, b)
    assert a[:length] == b[:length]
    assert length == min(len(a), len(b)) or a[length] != b[length]


def filled(folder: Path, budget: int, *saved: tuple[tuple[int, ...], int]) -> PrefixStore:
    store = PrefixStore(folder, budget)
    for content, size in saved:
        name = store.name()
        (folder / name).write_bytes(b"x")
        store.add(content, name, size)
    return store


def test_find_gives_the_state_that_shares_most(tmp_path: Path) -> None:
    store = filled(tmp_path, 100, ((1, 2, 3), 10), ((1, 2, 9, 9), 10))
    prefix, shared = store.find((1, 2, 3, 4))
    assert prefix is not None and prefix.tokens == (1, 2, 3)
    assert shared == 3
    assert store.find((7,)) == (None, 0)


def test_the_least_recently_used_state_goes_first_with_its_file(tmp_path: Path) -> None:
    store = filled(tmp_path, 25, ((1,), 10), ((2,), 10))
    first, _ = store.find((1,))
    assert first
    store.use(first)
    name = store.name()
    (tmp_path / name).write_bytes(b"x")
    store.add((3,), name, 10)
    assert [store.find((n,))[1] for n in (1, 2, 3)] == [1, 0, 1]
    assert sorted(p.name for p in tmp_path.iterdir()) == ["prefix-1.bin", "prefix-3.bin"]


def test_a_longer_state_makes_its_beginning_superfluous(tmp_path: Path) -> None:
    store = filled(tmp_path, 100, ((1, 2), 10), ((1, 2, 3), 15))
    assert store.count == 1 and store.size == 15


@given(st.lists(st.tuples(tokens, st.integers(1, 40)), max_size=12))
def test_never_more_bytes_than_the_budget(saved: list[tuple[tuple[int, ...], int]]) -> None:
    store = PrefixStore(Path("nowhere"), 50)
    for content, size in saved:
        store.add(content, store.name(), size)
        assert store.size <= 50
