"""A question rewritten from the conversation, through the engine's model of the tests."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.rag.rewriting import TURN_CHARACTERS, cleaned, messages, rewrite
from engine.settings import Settings
from engine.types import Message

TURNS = [Message("user", "Who built the tower?"), Message("assistant", "Thomas Carrick.")]


@pytest.mark.parametrize(
    ("answer", "query"),
    [
        ("Question: When did Thomas Carrick build it?", "When did Thomas Carrick build it?"),
        ("Requête réécrite : « Quand ? »", "Quand ?"),
        ("<think>hm</think>\nWhen?\nBecause the user wants it.", "When?"),
        ("Let me explain.\nThe tower was built long ago.", ""),
        ("", ""),
        ("word " * 200, ""),
    ],
)
def test_what_a_model_says_becomes_one_question_or_none(answer: str, query: str) -> None:
    assert cleaned(answer) == query


def test_the_model_reads_the_last_turns_shortened() -> None:
    system, asked = messages([*TURNS, Message("user", "x" * 5000)], "When?")
    assert system.role == "system" and asked.content.endswith("question: When?")
    assert len(asked.content) < TURN_CHARACTERS + 200


def test_a_model_is_asked_only_where_there_is_a_conversation(tmp_path: Path) -> None:
    with closing(Engine(Settings(home=tmp_path, model="echo"))) as engine:
        model = engine.model("echo")
        alone = rewrite(model, [], "When?")
        assert (alone.query, alone.asked, alone.trace_id) == ("When?", False, None)
        after = rewrite(model, TURNS, "When?")
        assert after.asked and after.query and after.trace_id
        assert engine.traces.get(after.trace_id, "local")
