"""Windows of llama-perplexity: which tokens count, computed by hand and as properties."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.errors import BadInput, BadParameter
from engine.quality.windows import Window, apart, groups, overlapping, strided

SIZES = st.integers(16, 64)


def test_gpl_3_as_llama_perplexity_reads_it() -> None:
    windows = apart(7638)  # its tokens for SmolLM2
    assert len(windows) == 14
    assert windows[0] == Window(0, 512, 257) and windows[13] == Window(6656, 7168, 6913)
    assert windows[0].first_row == 256  # first = n_ctx / 2; the logits of row 256 predict token 257
    assert {one.end - one.counted for one in windows} == {255}  # n_ctx - first - 1


def test_strided_by_hand() -> None:
    # n_chunk = (50 - 20 + 7) / 8 = 4; j from n_ctx - stride - 1 = 11 to 18, target j + 1
    assert strided(50, 20, 8) == (Window(0, 20, 12), Window(8, 28, 20), Window(16, 36, 28), Window(24, 44, 36))
    assert strided(50, 20, 8)[1].first_row == 11


def test_overlapping_by_hand() -> None:
    assert overlapping(40, 20) == (Window(0, 20, 1), Window(10, 30, 20), Window(20, 40, 30))
    assert overlapping(2, 20) == (Window(0, 2, 1),)
    assert overlapping(1, 20) == overlapping(0, 20) == ()


@given(SIZES, st.integers(2, 400))
def test_apart_counts_a_half_of_each_window_after_a_half(size: int, factor: int) -> None:
    for window in apart(size * 2 + factor, size):
        assert len(window) == size and window.first_row == size // 2
        assert window.start < window.counted < window.end <= size * 2 + factor


@given(SIZES, st.integers(1, 63), st.integers(0, 400))
def test_strided_predicts_every_token_at_most_once_and_without_gaps(size: int, stride: int, more: int) -> None:
    stride = min(stride, size - 1)
    found = [token for one in strided(2 * size + more, size, stride) for token in range(one.counted, one.end)]
    assert found == list(range(size - stride, size - stride + len(found)))
    assert found[-1] < 2 * size + more


@given(SIZES, st.integers(2, 400))
def test_overlapping_predicts_every_token_but_the_first_once(size: int, tokens: int) -> None:
    windows = overlapping(tokens, size)
    assert [token for one in windows for token in range(one.counted, one.end)] == list(range(1, tokens))
    assert all(len(one) <= size and one.counted - one.start >= min(one.counted, size // 2) for one in windows)


@given(st.lists(st.integers(), max_size=20), st.integers(1, 5))
def test_groups_keep_the_order(windows: list[int], at_once: int) -> None:
    found = groups(windows, at_once)  # type: ignore[arg-type]
    assert [one for group in found for one in group] == windows
    assert all(1 <= len(group) <= at_once for group in found)


def test_what_is_refused() -> None:
    with pytest.raises(BadInput) as caught:
        apart(1023)
    assert caught.value.details == {"reason": "text_too_short", "tokens": 1023, "needed": 1024}
    for size, stride in ((512, 0), (512, 512), (8, 4)):
        with pytest.raises(BadParameter):
            strided(5000, size, stride)
    with pytest.raises(BadParameter):
        apart(5000, 0)
    with pytest.raises(BadParameter):
        overlapping(5000, 0)
