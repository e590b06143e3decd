"""The named endpoints on stored conversations, called as a program calls them; nobody sees another's."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from engine.conversation import Conversation, Node
from tests.gradio.conftest import Site


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


@pytest.fixture
def foreign(site: Site) -> tuple[str, str]:
    """Somebody else, and that person's conversation."""
    owner = site.engine.people.join("Other", "student").id
    node = Node("n1", None, "user", "another's secret", 1.0)
    kept = site.engine.chats.adopt(owner, Conversation("x", title="secret", nodes={"n1": node}, leaf="n1"))
    return owner, kept.id


def test_a_conversation_grows_branches_and_leaves_as_a_file(client: Client) -> None:
    text, first = client.predict("one two three", api_name="/branch")
    assert text == "one two three" and first["outcome"] == "stop" and first["model"] == "echo"
    chat = first["conversation"]
    text, second = client.predict(chat, api_name="/regenerate")
    assert text == "one two three" and second["message"] != first["message"]
    text, third = client.predict("and again", conversation=chat, message=first["message"], api_name="/branch")
    assert text == "and again" and third["conversation"] == chat
    tree = json.loads(client.predict(chat, api_name="/export"))
    written = json.dumps(tree)
    assert all(one["message"] in written for one in (first, second, third))
    lines = client.predict("again", api_name="/conversations")
    assert [line["id"] for line in lines] == [chat] and lines[0]["messages"] == 5
    assert "one two three" in client.predict(chat, form="markdown", api_name="/export")
    assert "one two three" in client.predict(form="all", api_name="/export")


def test_an_answer_that_was_cut_goes_on(client: Client) -> None:
    text, cut = client.predict("one two three four", params={"max_tokens": 2}, api_name="/branch")
    assert text == "one two" and cut["outcome"] == "max_tokens"
    text, whole = client.predict(cut["conversation"], api_name="/continue")
    assert text.startswith("one two") and len(text) > len("one two") and whole["message"] == cut["message"]


def test_the_trace_tells_the_exact_prompt(client: Client) -> None:
    _, told = client.predict("what was read", api_name="/branch")
    trace = client.predict(told["trace"], api_name="/trace")
    assert trace["prompt"] == "user: what was read\nassistant:" and trace["request"]["messages"]


def test_nothing_of_somebody_else_is_seen_or_changed(site: Site, client: Client, foreign: tuple[str, str]) -> None:
    owner, theirs = foreign
    for name, given in (
        ("/regenerate", {"conversation": theirs}),
        ("/continue", {"conversation": theirs}),
        ("/branch", {"text": "x", "conversation": theirs}),
        ("/export", {"conversation": theirs}),
    ):
        with pytest.raises(AppError, match="not_found"):
            client.predict(**given, api_name=name)
    assert theirs not in json.dumps(client.predict(api_name="/conversations"))
    assert "another's secret" not in client.predict(form="all", api_name="/export")
    assert len(site.engine.chats.get(owner, theirs).nodes) == 1


def test_another_persons_trace_is_not_found(client: Client) -> None:
    with pytest.raises(AppError, match="not_found"):
        client.predict("no-such-trace", api_name="/trace")


def test_a_question_that_failed_leaves_no_answer(client: Client) -> None:
    with pytest.raises(AppError, match="server_failed"):
        client.predict("refuse this", api_name="/branch")
