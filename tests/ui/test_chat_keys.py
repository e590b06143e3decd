"""A key that somebody asked with is nowhere afterwards: not in store, trace, exports, shown code or log."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from apps.ui.trace_panel import panel
from engine.chat import Chat, Choice
from engine.engine import Engine
from engine.providers import typed_in
from engine.settings import Settings
from engine.transfer import export_conversation, to_markdown, to_openai_jsonl
from tests.standins.openai_server import OpenAIStandIn

KEY, FAR = "sk-marked-0123456789", "endpoint/plain"


def test_a_key_is_sent_and_kept_nowhere(
    tmp_path: Path, openai_server: OpenAIStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    engine = Engine(Settings(home=tmp_path, model="echo"), serve=True)
    try:
        engine.catalog.add(typed_in(openai_server.base_url))
        chat = Chat(engine, "local")
        writing = chat.say("hi", Choice(FAR, key=KEY))
        assert writing is not None
        node = writing.wait()
        assert openai_server.last.headers["Authorization"] == f"Bearer {KEY}"
        trace = engine.traces.get(node.trace_id or "", "local")
        shown = panel(engine.model(FAR, KEY), chat.request_of(node.id)[1], trace, address="http://x/v1",
                      key_variable="KEY")  # fmt: skip
        tree = chat.conversation
        told = [json.dumps(trace.to_dict(), default=str), repr(shown), json.dumps(export_conversation(tree)),
                to_markdown([tree], {}), to_openai_jsonl([tree]), repr(Choice(FAR, key=KEY)), caplog.text]  # fmt: skip
    finally:
        engine.close()
    kept = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert b"Hello from the stand-in." in kept  # it was stored, without the key
    assert KEY.encode() not in kept and not [text for text in told if KEY in text]
