"""A conversation as the chatbot's rows, without a browser: what stands where, and which message a row belongs to."""

from __future__ import annotations

import html
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

from apps.gradio_chat import acts
from apps.gradio_chat.rows import rows
from apps.ui.i18n import words
from engine.conversation import Conversation, Node
from engine.rag.grounding import Grounding
from tests.standins.passages import sources

SAID = Node("1", None, "user", "Bonjour", 1.0)
ANSWER = Node("2", "1", "assistant", "Salut", 2.0, outcome="stop", stats={"tokensPerSecond": 9.0},
              usage={"prompt_tokens": 31, "completion_tokens": 7})  # fmt: skip


def page(lang: Any = "fr") -> Any:
    """As much of the page as rows are made from."""
    found = words(lang)
    return SimpleNamespace(words=found, t=found.t)


def talk(*nodes: Node) -> Conversation:
    """A conversation of these messages."""
    found = Conversation("c", "", {}, None)
    for node in nodes:
        found = found.add(node)
    return found


def test_the_last_statistics_carry_the_totals_of_the_conversation() -> None:
    again = (replace(SAID, id="3", parent="2"), replace(ANSWER, id="4", parent="3"))
    found = rows(page(), talk(SAID, ANSWER, *again))
    assert [node for node, _ in found] == ["1", "2", "2", "3", "4", "4"]
    assert "14 tokens" in found[-1][1]["content"] and "4 messages" in found[-1][1]["content"]
    assert all("messages" not in str(row["content"]) for _, row in found[:-1])


def test_a_question_that_comes_last_has_no_totals() -> None:
    assert all("messages" not in str(row["content"]) for _, row in rows(page("en"), talk(SAID)))


def test_the_message_in_hand_says_its_tokens_where_they_were_counted() -> None:
    chat = cast(Any, SimpleNamespace(conversation=talk(SAID, ANSWER), can_undo=False, can_redo=False))
    assert "<span>12 tokens</span>" in acts.of_message(page("en"), chat, "1", 12)
    assert "tokens</span>" not in acts.of_message(page("en"), chat, "1")


def test_the_passages_of_an_answer_stand_folded_before_its_statistics() -> None:
    record = Grounding("documents_only", "documents_only", "q", "q", "fr", sources=sources()).record()
    found = [row for _, row in rows(page(), talk(SAID, replace(ANSWER, grounding=record)))]
    titles = [row["metadata"]["title"] for row in found if "metadata" in row]
    assert titles[0] == "Passages (2)" and len(titles) == 2 and "tok/s" in titles[1]
    shown = found[-2]["content"]
    assert "```text" in shown and "été.pdf" in html.unescape(shown)
    assert all("<" not in one for one in shown.split("```")[::2])  # outside the fences nothing is HTML
