"""One turn of the chat tab, handler by handler, without a browser."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import gradio as gr
import pytest

from apps import gradio_kit as kit
from apps import host
from apps.gradio_kit import Running, Ui
from apps.gradio_turn import Entry, Parts, Talk, Turn
from apps.options import Options
from engine.people import Person
from engine.settings import Settings
from tests.gradio.conftest import EchoEngine, Obedient

Update = dict[Any, Any]


def make(engine: EchoEngine, lang: Any = "en") -> Turn:
    """A turn over real components, as the tab makes it."""

    async def laid_out() -> Turn:  # under a running loop: Gradio opens one of its own elsewhere, and leaves it open
        ui = Ui(engine, lang, Options(), Running())
        with gr.Blocks(analytics_enabled=False) as blocks:
            bar = kit.sidebar(ui, blocks)
            html = [gr.HTML() for _ in range(3)]
            parts = Parts(
                gr.State(Talk()), gr.Textbox(""), gr.Chatbot(), *html, gr.Textbox(""), gr.Textbox(""),
                gr.Button(), gr.Button(),
            )  # fmt: skip
            return Turn(ui, bar, parts)

    return asyncio.run(laid_out())


def request(session: str = "tab", who: str = "", **query: str) -> Any:
    return SimpleNamespace(
        headers={"who": who}, session_hash=session, query_params=query, url="http://h:1/gradio/en/gradio_api/queue/join"
    )


@pytest.fixture
def engine(tmp_path: Path) -> EchoEngine:
    made = EchoEngine(Settings(home=tmp_path, model="echo"), serve=True)
    made.echo = Obedient()
    return made


@pytest.fixture
def turn(engine: EchoEngine) -> Turn:
    return make(engine)


def values(turn: Turn, text: str, talk: Talk | None = None, **params: Any) -> Update:
    found = {box: params.get(name, box.value) for name, box in turn.bar.params.items()}
    return found | {
        turn.bar.model: "echo", turn.parts.talk: talk or Talk(), turn.parts.system: "", turn.parts.box: text,
    }  # fmt: skip


def end(updates: list[Update]) -> Update:
    """What stands on the page in the end."""
    return {part: value for update in updates for part, value in update.items()}


def texts(shown: list[dict[str, Any]]) -> list[str]:
    return [row["content"] for row in shown]


def test_a_question_moves_at_once_and_ends_with_answer_statistics_and_gauge(turn: Turn) -> None:
    updates = list(turn.send(values(turn, "hello there"), request()))
    first, parts = updates[0], turn.parts
    assert texts(first[parts.history]) == ["hello there"] and "<progress" in first[parts.progress]
    assert first[parts.box] == "" and first[parts.stop].visible is True and first[parts.send].visible == "hidden"
    last = end(updates)
    assert last[parts.talk].entries[-1].text == "hello there"
    assert "2 tokens" in last[parts.history][-1]["metadata"]["title"]
    assert '"stopReason": "eosFound"' in last[parts.history][-1]["content"]
    assert 'role="img" aria-label="Window' in last[parts.gauge]
    assert last[parts.send].visible is True and last[parts.stop].visible == "hidden" and last[parts.progress] == ""


def test_the_conversation_goes_on(turn: Turn) -> None:
    talk = end(list(turn.send(values(turn, "one"), request())))[turn.parts.talk]
    talk = end(list(turn.send(values(turn, "two", talk), request())))[turn.parts.talk]
    assert [message.content for message in talk.asked.messages] == ["one", "one", "two"]
    assert [entry.role for entry in talk.entries] == ["user", "assistant", "user", "assistant"]


def test_nothing_is_sent_for_blanks(turn: Turn, engine: EchoEngine) -> None:
    assert list(turn.send(values(turn, "  \n"), request())) == [{turn.parts.kept: ""}]
    assert engine.echo.ended == []


@pytest.mark.parametrize(("lang", "word"), [("en", "window 8"), ("fr", "fenêtre")])
def test_an_error_is_a_sentence_and_the_question_goes_back(engine: EchoEngine, lang: str, word: str) -> None:
    turn = make(engine, lang)
    text = "word " * 9000
    last = end(list(turn.send(values(turn, text), request())))
    assert word in last[turn.parts.alert].replace("\u00a0", " ") and "prompt_too_long" in last[turn.parts.alert]
    assert last[turn.parts.kept] == text and last[turn.parts.history] == []
    assert turn.parts.talk not in last  # the conversation is as it was


def test_an_error_after_the_first_event_without_text_goes_back_too(turn: Turn) -> None:
    last = end(list(turn.send(values(turn, "refuse me"), request())))
    assert "server_failed" in last[turn.parts.alert] and last[turn.parts.kept] == "refuse me"


def test_a_wrong_parameter_is_named(turn: Turn) -> None:
    last = end(list(turn.send(values(turn, "x", temperature=7), request())))
    assert "temperature" in last[turn.parts.alert] and last[turn.parts.kept] == "x"


def test_a_cut_answer_is_kept_and_marked(turn: Turn) -> None:
    last = end(list(turn.send(values(turn, "cut one two three"), request())))
    entry = last[turn.parts.talk].entries[-1]
    assert (entry.text, entry.note) == ("cut one two", "Answer interrupted")
    assert "server_failed" in last[turn.parts.alert] and last[turn.parts.kept] == ""
    assert "⚠ *Answer interrupted*" in last[turn.parts.history][-2]["content"]


def test_stop_ends_the_answer_of_this_tab_alone(turn: Turn, engine: EchoEngine) -> None:
    mine = turn.send(values(turn, "crawl " + "a " * 200), request("mine"))
    while not any("crawl" in text for text in texts(next(mine).get(turn.parts.history, []))[1:]):
        pass
    turn.halt(request("other"))
    assert not engine.echo.ended
    turn.halt(request("mine"))
    last = end(list(mine))
    entry = last[turn.parts.talk].entries[-1]
    assert entry.note == "Answer stopped" and entry.text.startswith("crawl") and len(entry.text) < 200
    assert turn.parts.gauge in last and '"stopReason": "userStopped"' in last[turn.parts.history][-1]["content"]


def test_another_person_with_my_sessions_name_stops_nothing(
    turn: Turn, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, other = (Person(name, name, "student", datetime.now(UTC)) for name in ("one", "other"))
    monkeypatch.setattr(host, "person_of", lambda headers: one if headers.get("who") == "one" else other)
    mine = turn.send(values(turn, "crawl " + "a " * 200), request("mine", who="one"))
    while not any("crawl" in text for text in texts(next(mine).get(turn.parts.history, []))[1:]):
        pass
    turn.halt(request("mine", who="other"))
    next(mine), next(mine)
    assert not engine.echo.ended
    turn.halt(request("mine", who="one"))
    list(mine)
    assert engine.echo.ended[0][2]


def test_a_page_that_goes_away_frees_the_model(turn: Turn, engine: EchoEngine) -> None:
    answer = turn.send(values(turn, "crawl " + "a " * 200), request())
    next(answer), next(answer)
    answer.close()
    assert engine.echo.stopped("crawl " + "a " * 200)


def test_what_the_model_writes_cannot_load_anything(turn: Turn) -> None:
    text = 'see ![x](http://evil.example/a.png) <img src="http://evil.example/b.png">'
    shown = "".join(texts(end(list(turn.send(values(turn, text), request())))[turn.parts.history]))
    assert "![" not in shown and "<img" not in shown


def test_thoughts_and_statistics_cannot_break_out_of_their_fold() -> None:
    ui = Ui(SimpleNamespace(), "en", Options())  # type: ignore[arg-type]
    rows = Entry("assistant", "x", reasoning="a\n```\n<img src=x>").shown(ui)
    assert rows[0]["content"].startswith("````text\n") and rows[0]["content"].endswith("\n````")


def test_a_link_fills_the_box_and_sends_nothing(turn: Turn, engine: EchoEngine) -> None:
    assert turn.opened(request(prompt="Hello?")) == {turn.parts.box: "Hello?"}
    assert turn.opened(request()) == {turn.parts.box: gr.skip()}  # what is typed already stays
    assert engine.echo.ended == []


def test_a_link_sets_model_and_parameters_within_their_range(turn: Turn, monkeypatch: pytest.MonkeyPatch) -> None:
    notes: list[str] = []
    monkeypatch.setattr(gr, "Warning", lambda text, title: notes.append(f"{title} {text}"))
    set_by = turn.bar.from_address({"model": "nope", "temperature": "1.3", "top_k": "-4", "stop": "a\nb", "key": "x"})
    named = {name: set_by.get(box) for name, box in turn.bar.params.items() if box in set_by}
    assert named == {"temperature": 1.3, "stop": "a\nb"}
    assert set_by[turn.bar.model].value == "echo"
    assert len(notes) == 2 and "nope" in notes[0] and "top_k" in notes[1]


def test_the_exact_prompt_and_the_code_of_the_last_request(turn: Turn) -> None:
    talk = end(list(turn.send(values(turn, "hi"), request())))[turn.parts.talk]
    prompt, line = turn.trace(talk, request())
    assert prompt == "user: hi\nassistant:" and "5 tokens" in line
    curl, python, langchain = turn.code(talk, request())
    assert "curl http://h:1/v1/chat/completions" in curl and "hi" in python and "ChatOpenAI" in langchain


def test_before_the_first_request_there_is_nothing_to_show(turn: Turn) -> None:
    assert turn.trace(Talk(), request()) == ("", "") and turn.code(Talk(), request()) == ("", "", "")


def test_clearing_empties_the_page(turn: Turn) -> None:
    assert turn.clear()[turn.parts.talk] == Talk() and turn.clear()[turn.parts.history] == []


def test_a_defect_of_ours_gives_the_buttons_back(turn: Turn) -> None:
    last = turn.broken()
    assert last[turn.parts.send].visible and "unexpected" in last[turn.parts.alert]
