"""A conversation of 500 messages: the last 30 are drawn, more on demand, actions at the message in hand."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from bench.bench_pages import long_conversation
from engine.conversation import Conversation, Node, new_id
from engine.person import LOCAL
from tests.pages.conftest import EchoEngine
from tests.standins.app_server import wait_for

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


def verdicts(app: AppTest) -> list[str]:
    """The signs of judged answers, on the page drawn anew."""
    return [one.value[0] for one in app.run().chat_message[1].caption if one.value[0] in "✓✗"]


def test_the_last_30_are_drawn_and_earlier_fetches_more(long: AppTest) -> None:
    assert not long.exception and shown(long) == list(range(471, 501))
    assert "470" in long.button(key="chat.earlier").label
    long.button(key="chat.earlier").click().run()
    assert shown(long) == list(range(441, 501))
    assert "440" in long.button(key="chat.earlier").label


def acts(app: AppTest, message: int) -> set[str]:
    """What can be done with that message on the page."""
    found = (button.key.split(".") for button in app.chat_message[message].button if button.key)
    return {parts[1] for parts in found}


def test_actions_stand_at_the_message_in_hand_only(long: AppTest) -> None:
    assert acts(long, -1) == {"regenerate", "continue", "branch", "edit", "delete", "copy"}
    assert all(acts(long, message) == {"take"} for message in range(29))


def test_another_message_is_taken_in_hand_until_another_one_is_the_last(long: AppTest) -> None:
    assert long.chat_message[10].button[0].label.startswith("Actions · ")
    long.chat_message[10].button[0].click().run()
    assert acts(long, 10) == {"answer", "branch", "edit", "delete", "copy"} and acts(long, -1) == {"take"}
    chat = long.session_state["chat.open"]
    chat.delete(chat.conversation.path()[-1].id)
    long.run()
    assert not long.exception and acts(long, -1) >= {"answer"}
    assert sum("take" not in acts(long, message) for message in range(30)) == 1


def test_a_branch_at_an_earlier_message_shows_the_30_before_it(long: AppTest, engine: EchoEngine) -> None:
    chat = long.session_state["chat.open"]
    chat.at(chat.conversation.path()[99].id)
    long.run()
    assert shown(long) == list(range(71, 101))


@pytest.mark.parametrize(("answer", "told"), [('{"a": 1}', "✓"), ("no", "✗")])
def test_an_answer_is_judged_by_the_form_it_was_asked_for_whatever_is_set_now(
    app: AppTest, engine: EchoEngine, answer: str, told: str
) -> None:
    form = {"kind": "json_schema", "source": '{"type": "object", "required": ["a"]}'}
    asked = Conversation(new_id()).add(Node(new_id(), None, "user", "?", 1.0))
    asked = asked.add(Node(new_id(), asked.leaf, "assistant", answer, 2.0, model="echo", form=form))
    app.query_params["chat"] = engine.chats.adopt(LOCAL.id, asked).id
    assert wait_for(lambda: verdicts(app) == [told])  # judged beside the page, which shows it once it is known
    assert not app.exception
