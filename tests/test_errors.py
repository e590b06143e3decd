"""The error tree: stable codes, statuses and exit codes, details that travel as JSON."""

from __future__ import annotations

import json

import pytest

from engine import errors
from engine.errors import BackendError, BadInput, EngineError, PromptTooLong, RateLimited, all_codes, error_from


def kinds() -> list[type[EngineError]]:
    return [kind for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, EngineError)]


def test_codes_are_unique_and_named_after_their_class() -> None:
    codes = [kind.code for kind in kinds()]
    assert len(set(codes)) == len(codes)
    assert set(codes) <= set(all_codes())
    assert all(kind.code.replace("_", "") == kind.__name__.lower() for kind in kinds())


def test_all_codes_are_sorted() -> None:
    assert list(all_codes()) == sorted(all_codes())


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__)
def test_the_branch_decides_exit_code_and_status(kind: type[EngineError]) -> None:
    if issubclass(kind, BadInput):
        assert kind.exit_code == 2
        assert kind.http_status in (400, 403, 404, 429, 501)
    elif issubclass(kind, BackendError):
        assert kind.exit_code == 3
        assert kind.http_status in (429, 500, 502, 503, 504, 507)


def test_the_module_text_names_every_kind() -> None:
    assert errors.__doc__ is not None
    assert not [kind.__name__ for kind in kinds() if kind.__name__ not in errors.__doc__]


def test_details_travel() -> None:
    error = RateLimited("slow down", status=429, retry_after=2.5)
    again = error_from(json.loads(json.dumps(error.to_dict())))
    assert (type(again), again.details, again.message) == (RateLimited, error.details, "slow down")
    assert error_from({"code": "of_tomorrow", "message": "?", "details": {}}).code == "engine_error"


def test_a_long_prompt_tells_both_numbers_or_none() -> None:
    error = PromptTooLong(9000, 8192)
    assert error.details == {"prompt_tokens": 9000, "window": 8192}
    assert str(error) == "the prompt has 9000 tokens, the window 8192"
    assert str(PromptTooLong(None, None)) == "the prompt is longer than the window"
    assert error_from(error.to_dict()).details == error.details


def test_an_error_without_words_says_its_code() -> None:
    assert BadInput(name="x").message == "bad_input"
    assert "name" in str(BadInput(name="x"))
