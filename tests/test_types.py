"""Values of the engine: sums, exports, LM Studio's sheet recomputed."""

from __future__ import annotations

import dataclasses
import json
from typing import get_args

import pytest

from engine.errors import ServerFailed
from engine.types import (
    OUTCOMES,
    STOP_REASONS,
    Event,
    Message,
    Result,
    Stats,
    ToolCall,
    Usage,
)


def test_the_course_sheet() -> None:
    """LM Studio on the sheet: 10 tokens at 2.039 tok/s, 15.076 s to the first token, 4.903 s of generation."""
    stats = Stats(tokens_per_second=2.039, time_to_first_token=15.076, total_time=4.903, gpu_layers=0, source="server")
    export = stats.export("stop", Usage(34, 10))
    assert export["predictedTokensCount"] / export["tokensPerSecond"] == pytest.approx(
        export["totalTimeSec"], abs=0.002
    )
    assert {name: export[name] for name in ("stopReason", "promptTokensCount", "totalTokensCount", "numGpuLayers")} == {
        "stopReason": "eosFound",
        "promptTokensCount": 34,
        "totalTokensCount": 44,
        "numGpuLayers": 0,
    }


def test_every_outcome_has_lm_studios_word() -> None:
    assert set(STOP_REASONS) == set(OUTCOMES)
    assert STOP_REASONS["window_full"] == "contextLengthReached"
    assert STOP_REASONS["max_tokens"] == "maxPredictedTokensReached"


def test_unknown_is_none_and_never_zero() -> None:
    assert set(Usage().to_dict().values()) == {None}
    export = Stats().export("stop", Usage())
    assert {export.pop("stopReason"), export.pop("source")} == {"eosFound", "measured"}
    assert set(export.values()) == {None}


def test_usage_adds_up() -> None:
    assert Usage(1, 2, 3, 4) + Usage(10, 20, 30, 40) == Usage(11, 22, 33, 44)
    assert Usage(1, 2).total_tokens == 3
    assert (Usage(1, 2) + Usage(10, None)).to_dict() == {
        "prompt_tokens": 11,
        "completion_tokens": None,
        "total_tokens": None,
        "cached_tokens": None,
        "reasoning_tokens": None,
    }


def test_a_message_keeps_its_extra_fields() -> None:
    assert Message("tool", "3", {"tool_call_id": "a"}).to_dict() == {
        "role": "tool",
        "content": "3",
        "tool_call_id": "a",
    }


def test_a_result_is_json() -> None:
    plain = Result("hi", "stop", Usage(1, 1), Stats(), "m")
    assert list(json.loads(json.dumps(plain.to_dict()))) == ["text", "stats", "usage", "outcome", "model", "trace_id"]
    full = dataclasses.replace(
        plain, reasoning="hm", tool_calls=(ToolCall("a", "add", "{}"),), error=ServerFailed("down", status=500)
    )
    data = json.loads(json.dumps(full.to_dict()))
    assert data["tool_calls"] == [{"id": "a", "name": "add", "arguments": "{}"}]
    assert data["error"] == {
        "code": "server_failed",
        "message": "down",
        "retryable": True,
        "details": {"status": 500},
    }


@pytest.mark.parametrize("kind", get_args(Event), ids=lambda kind: kind.__name__)
def test_events_cannot_be_changed(kind: type) -> None:
    event = kind.__new__(kind)
    with pytest.raises(dataclasses.FrozenInstanceError):
        event.text = "changed"
