"""What the trace panel draws, for a model whose prompt can be seen and one whose cannot; never a secret."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import fields
from pathlib import Path
from typing import get_args

import pytest

from apps.ui.i18n import LANGUAGES, Language, words
from apps.ui.trace_panel import TracePanel, panel
from engine.engine import Engine
from engine.lmslog import Reason
from engine.params import Params
from engine.providers import typed_in
from engine.settings import Settings
from engine.snippets import FORMS
from engine.types import Message
from tests.standins.openai_server import OpenAIStandIn

ADDRESS = "https://atelier.example/base/v1"
SECRET = "sk-0123456789abcdefghij0123456789"
MESSAGES = [Message("system", "Be brief"), Message("user", "été <b>hi</b>")]


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    opened = Engine(Settings(home=tmp_path / "home"))
    yield opened
    opened.close()


def told(shown: TracePanel) -> str:
    """Everything that the panel holds."""
    return "\n".join(repr(getattr(shown, field.name)) for field in fields(shown))


def test_before_sending_it_shows_what_would_go_in(engine: Engine) -> None:
    model = engine.model("echo")
    shown = panel(model, model.request(MESSAGES, Params({"seed": 3})), address=ADDRESS, key_variable="ATELIER_KEY")
    assert shown.observable and shown.reason is None and not shown.from_lms
    assert shown.prompt == "system: Be brief\nuser: été <b>hi</b>\nassistant:"
    assert "".join(piece.text for piece in shown.pieces) == shown.prompt
    assert "".join(text for text, _ in shown.segments()) == shown.prompt
    assert shown.messages == tuple(MESSAGES) and shown.response_json is None
    assert json.loads(shown.request_json)["seed"] == 3
    assert [form.name for form in shown.codes] == list(FORMS)
    assert all(ADDRESS in (form.text or "") for form in shown.codes)
    assert "$ATELIER_KEY" in (shown.codes[0].text or "") and ADDRESS in shown.scripts[0].text


def test_afterwards_it_shows_what_went_in(engine: Engine) -> None:
    model = engine.model("echo")
    result = model.answer(MESSAGES)
    assert result.trace_id is not None
    trace = engine.traces.get(result.trace_id, "local")
    other = model.request([Message("user", "something else")])
    shown = panel(model, other, trace, address=ADDRESS)
    assert shown.prompt == trace.prompt and "".join(piece.text for piece in shown.pieces) == trace.prompt
    assert json.loads(shown.request_json) == trace.request
    assert shown.response_json is not None and json.loads(shown.response_json)["text"] == result.text
    assert shown.counted == result.usage.prompt_tokens
    assert "something else" not in (shown.codes[0].text or "") and "été" in (shown.codes[0].text or "")


def test_a_raw_prompt_is_its_own_text(engine: Engine) -> None:
    model = engine.model("echo")
    shown = panel(model, model.request([], raw="Once upon"), address=ADDRESS)
    assert shown.prompt == "Once upon" and shown.messages == ()
    assert [form.name for form in shown.codes if form.text is None] == ["langchain", "llamaindex"]


def test_a_remote_prompt_is_not_observable_and_the_page_can_say_why(
    engine: Engine, openai_server: OpenAIStandIn
) -> None:
    engine.catalog.add(typed_in(openai_server.base_url))
    model = engine.model("endpoint/m", key=SECRET)
    result = model.answer(MESSAGES)
    assert result.trace_id is not None
    trace = engine.traces.get(result.trace_id, "local")
    shown = panel(model, model.request(MESSAGES), trace, address=ADDRESS, key_variable="ATELIER_KEY")
    assert not shown.observable and shown.prompt is None and shown.pieces == () and shown.segments() == ()
    assert shown.reason == "not_observable" and shown.counted == result.usage.prompt_tokens
    assert openai_server.base_url in (shown.codes[0].text or "") and ADDRESS not in told(shown)
    assert SECRET not in told(shown)


@pytest.mark.parametrize("lang", LANGUAGES)
def test_every_reason_and_every_form_has_a_text(lang: Language) -> None:
    for reason in (*get_args(Reason), "failed"):
        assert words(lang).t(f"trace.reason.{reason}")
    for form in FORMS:
        assert words(lang).t(f"code.{form}")


@pytest.mark.parametrize("sent", [False, True])
def test_secrets_appear_nowhere(engine: Engine, sent: bool) -> None:
    model = engine.model("echo")
    messages = [Message("user", f"my key is {SECRET}, and Bearer abcdefgh12345678")]
    extra = {"api_key": "swordfish-1234", "headers": {"Authorization": "Bearer abcdefgh12345678"}}
    trace_id = model.answer(messages, extra=extra).trace_id if sent else None
    trace = engine.traces.get(trace_id, "local") if trace_id else None
    shown = panel(model, model.request(messages, extra=extra), trace, address=ADDRESS)
    for secret in (SECRET, "swordfish", "abcdefgh12345678"):
        assert secret not in told(shown)
    assert "[hidden]" in (shown.prompt or "")
