"""A conversation of 500 messages: the last 30 are drawn, more on demand, actions at the message in hand."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from bench.bench_pages import long_conversation
from engine.person import LOCAL
from tests.pages.conftest import EchoEngine

MESSAGES = 500


@pytest.fixture
def long(app: AppTest, engine: EchoEngine) -> AppTest:
    """The page of such a conversation, as its address opens it."""
    app.query_params["chat"] = engine.chats.adopt(LOCAL.id, long_conversation(MESSAGES)).id
    return app.run()


def shown(app: AppTest) -> list[int]:
    """The numbers of the messages on the page."""
    texts = [one.text[0].value if one.name == "user" else one.markdown[0].value for one in app.chat_message]
    return [int(text.split()[1]) for text in texts]


def test_the_last_30_are_drawn_and_earlier_fetches_more(long: AppTest) -> None:
    assert not long.exception and shown(long) == list(range(471, 501))
    assert "470" in long.button(key="chat.earlier").label
    long.button(key="chat.earlier").click().run()
    assert shown(long) == list(range(441, 501))
    assert "440" in long.button(key="chat.earlier").label


def test_actions_stand_at_the_message_in_hand_only(long: AppTest) -> None:
    acts = [button.key.split(".")[1] for button in long.button if (button.key or "").count(".") == 2]
    for name in ("regenerate", "continue", "branch", "edit", "delete"):
        assert acts.count(name) == 1


def test_a_branch_at_an_earlier_message_shows_the_30_before_it(long: AppTest, engine: EchoEngine) -> None:
    chat = long.session_state["chat.open"]
    chat.at(chat.conversation.path()[99].id)
    long.run()
    assert shown(long) == list(range(71, 101))
