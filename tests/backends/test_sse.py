"""Server-sent events: the same events however the bytes are cut, and no end to what they may look like."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backends import sse
from engine.backends.sse import ServerSent, events
from engine.errors import ServerFailed


def read(data: bytes, *cuts: int) -> list[ServerSent]:
    places = [0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]
    return list(events((data[a:b] for a, b in itertools.pairwise(places)), "here"))


def test_an_event_needs_no_id_and_no_name() -> None:
    assert read(b"data: a\n\nevent: done\ndata: {}\n\n") == [ServerSent("message", "a"), ServerSent("done", "{}")]


def test_comments_unknown_fields_and_a_mark_at_the_beginning() -> None:
    data = b"\xef\xbb\xbf: hi\n\n:408: 408 Request Timeout\nretry: 3\nid: 7\ndata:x\ndata:  y\n\n"
    assert read(data) == [ServerSent("message", "x\n y", "7")]


def test_an_event_that_is_cut_is_left_out() -> None:
    assert read(b"data: a\n\nevent: done\ndata: {}") == [ServerSent("message", "a")]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@given(
    texts=st.lists(st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"])), max_size=4),
    cuts=st.lists(st.integers(0, 200), max_size=6),
)
def test_however_the_bytes_are_cut(end: str, texts: list[str], cuts: list[int]) -> None:
    data = "".join(f"event: output{end}data: {text}{end}{end}" for text in texts).encode()
    assert [one.data for one in read(data, *cuts)] == texts


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=3))
def test_any_bytes(data: bytes, cuts: list[int]) -> None:
    assert read(data, *cuts) == read(data)


@pytest.mark.parametrize("piece", [b"x" * 1000, b"data: " + b"x" * 900 + b"\n"])
def test_what_does_not_end_is_cut(piece: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sse, "EVENT_MAX", 100_000)
    with pytest.raises(ServerFailed):
        list(events((piece for _ in range(1000)), "here"))
