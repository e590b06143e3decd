"""A call in a child: its result, its errors, and each of its limits."""

from __future__ import annotations

import sys

import pytest

from engine.errors import BadInput, JobFailed
from engine.sandbox import Limits, OverLimit, call

HERE = "tests.standins.sandboxed"


def test_the_result_comes_back() -> None:
    assert call(f"{HERE}:twice", {"text": "é\n"}) == "é\né\n"


def test_errors_keep_their_kind() -> None:
    with pytest.raises(BadInput, match="no such luck"):
        call(f"{HERE}:refuse", {})
    with pytest.raises(JobFailed) as failed:
        call(f"{HERE}:stumble", {})
    assert "ZeroDivisionError" in str(failed.value.details["reason"])


@pytest.mark.skipif(sys.platform == "win32", reason="no limits of the kernel")
def test_each_limit_ends_it() -> None:
    for task, limits, reason in (
        ("spin", Limits(cpu_s=1), "time"),
        ("sleep", Limits(wall_s=2), "time"),
        ("eat", Limits(memory_mib=256), "memory"),
        ("talk", Limits(characters=1000), "size"),
        ("descend", Limits(), "size"),
    ):
        with pytest.raises(OverLimit) as over:
            call(f"{HERE}:{task}", {}, limits)
        assert over.value.details["reason"] == reason, task
