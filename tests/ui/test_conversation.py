"""An answer under way: several readers, a stop, a person who goes away, errors before and after the first word."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from apps.ui.conversation import Asked, Conversation
from engine.backends.base import Request
from engine.backends.echo import Echo
from engine.generation import Generation
from engine.params import Params

WORDS = "one two three four five six seven eight nine ten"


def begin(**orders: Any) -> Callable[[Asked], Generation]:
    """Starts an echo with these orders."""
    return lambda asked: Generation(Echo(), Request(asked.messages, asked.params, extra=orders), model="echo")


def asked(chat: Conversation, question: str = WORDS, here: Callable[[], bool] = lambda: True, **orders: Any) -> Any:
    """An answer under way."""
    chat.ask(question, "echo", Params(), begin(**orders), here)
    assert chat.answer is not None
    return chat.answer


def test_a_second_reader_goes_on_where_the_first_stopped() -> None:
    chat = Conversation()
    answer = asked(chat, delay=0.02)
    first = answer.views()
    while not next(first).text:
        pass
    second = list(answer.views())
    assert second[0].text and second[-1].text == WORDS and second[-1].finished is not None
    assert list(first)[-1].text == WORDS
    chat.finish(answer)
    chat.finish(answer)  # both runs of a page end: one turn
    assert [turn.result.text for turn in chat.turns] == [WORDS]


def test_stop_keeps_what_was_written() -> None:
    chat = Conversation()
    answer = asked(chat, delay=0.5)
    while not next(answer.views()).text:
        time.sleep(0.01)
    answer.stop()
    chat.finish(answer)
    result = chat.turns[0].result
    assert result.outcome == "user_stopped" and WORDS.startswith(result.text) and result.text != WORDS


def test_stop_before_the_model_is_open() -> None:
    chat = Conversation()

    def slowly(request: Asked) -> Generation:
        time.sleep(0.2)
        return begin(delay=0.5)(request)

    chat.ask(WORDS, "echo", Params(), slowly, lambda: True)
    answer = chat.answer
    assert answer is not None
    answer.stop()
    chat.finish(answer)
    assert chat.turns[0].result.outcome == "user_stopped"


def test_the_answer_ends_when_the_person_has_gone() -> None:
    chat = Conversation()
    answer = asked(chat, here=lambda: False, delay=0.3)
    started = time.monotonic()
    chat.finish(answer)
    assert chat.turns[0].result.outcome == "user_stopped"
    assert time.monotonic() - started < 15


def test_an_error_before_the_first_word_gives_the_question_back() -> None:
    chat = Conversation()
    answer = asked(chat, fail_after=0)
    chat.finish(answer)
    assert (chat.turns, chat.draft, chat.answer) == ([], WORDS, None)
    assert chat.error is not None and chat.error.code == "server_failed"


def test_an_error_in_the_middle_keeps_the_partial_answer() -> None:
    chat = Conversation()
    chat.finish(asked(chat, fail_after=3))
    assert chat.turns[0].result.text == "one two three" and chat.draft is None
    assert chat.error is not None


def test_a_new_question_stops_the_old_answer_and_keeps_it() -> None:
    chat = Conversation()
    asked(chat, delay=0.05)
    time.sleep(0.2)
    chat.finish(asked(chat, question="again"))
    assert [turn.result.outcome for turn in chat.turns] == ["user_stopped", "stop"]


def test_clear_forgets_but_keeps_the_system_prompt() -> None:
    chat = Conversation(system="Be brief.")
    asked(chat, delay=0.05)
    chat.clear()
    assert (chat.answer, chat.turns, chat.system) == (None, [], "Be brief.")
