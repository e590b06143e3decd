from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest

from engine import Engine, Message, Settings
from engine.errors import AccessDenied, NotSupported, UnknownModel


def test_a_student_never_opens_a_remote_model_with_the_teachers_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-teacher")
    engine = Engine(Settings())
    assert engine.model("openai/gpt-x").card.endpoint is not None
    with pytest.raises(AccessDenied):
        engine.model("openai/gpt-x", role="student")


def test_a_student_reaches_a_remote_model_with_an_own_key_but_no_server_of_this_machine() -> None:
    engine = Engine(Settings())
    assert engine.model("openai/gpt-x", key="sk-own", role="student").card.id == "openai/gpt-x"
    with pytest.raises(AccessDenied):
        engine.model("lmstudio/any", key="x", role="student")


def test_an_unknown_model_is_named_with_those_that_exist() -> None:
    with pytest.raises(UnknownModel) as unknown:
        Engine(Settings()).model("nonsense")
    assert "echo" in str(unknown.value)


def test_a_request_whose_body_cannot_be_made_still_leaves_a_trace(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise NotSupported(capability="raw_completion", backend="echo")

    engine = Engine(Settings())
    model = engine.model("echo")
    monkeypatch.setattr(model.backend, "body", refuse)
    monkeypatch.setattr(model.backend, "run", refuse)
    trace_id = model.stream([Message("user", "hi")]).result.trace_id
    assert trace_id is not None
    assert engine.traces.get(trace_id, "local").error_code == "not_supported"
    engine.close()


def test_an_answer_is_traced_for_its_owner() -> None:
    engine = Engine(Settings())
    result = engine.model("echo").answer([Message("user", "hi")])
    assert result.outcome == "stop"
    assert result.trace_id is not None
    assert engine.traces.get(result.trace_id, "local").model == "echo"
    engine.close()


def test_a_part_is_opened_once_whichever_thread_asks_first() -> None:
    engine = Engine(Settings())
    with ThreadPoolExecutor(8) as pool:
        stores = set(pool.map(lambda _: id(engine.store), range(8)))
    assert len(stores) == 1
    engine.close()
