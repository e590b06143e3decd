"""The chat page: what is shown, what is kept, what a hostile or failing model cannot do."""

from __future__ import annotations

import json
import logging
from collections.abc import Sequence
from dataclasses import replace

import pytest
from streamlit.testing.v1 import AppTest

from apps.streamlit_chat.composer import composer
from apps.streamlit_chat.pane import Pane
from apps.streamlit_chat.shelf import _written
from apps.streamlit_kit import Ui
from engine.chat import Chat, Choice
from engine.presets import Presets
from engine.prompts import Prompt, Prompts
from engine.transfer import import_any
from tests.pages.conftest import ROOT, EchoEngine, conversation, said, texts

SENTENCES = {"en": "The model’s server failed", "fr": "Le serveur du modèle a échoué"}


def opened(app: AppTest, lang: str = "en") -> AppTest:
    app.query_params["lang"] = lang
    return app.run()


def test_alone_the_page_shows_its_question_and_three_examples(engine: EchoEngine) -> None:
    page = AppTest.from_file(str(ROOT / "pages" / "chat.py")).run()
    assert not page.exception and page.title[0].value == "Chat"
    assert [button.key for button in page.button][:3] == [f"chat.example_{number}" for number in (1, 2, 3)]


def test_an_answer_has_its_statistics_and_the_window_its_gauge(app: AppTest) -> None:
    opened(app).chat_input[0].set_value("one two three").run()
    assert not app.exception and not app.error
    assert [message.name for message in app.chat_message] == ["user", "assistant"]
    assert app.chat_message[1].markdown[0].value == "one two three"
    assert app.chat_message[1].caption[0].value.startswith("3 tokens · ")
    assert app.chat_message[1].caption[0].value.endswith("· ended by itself")


def test_an_answer_that_ends_while_the_page_is_drawn_leaves_no_stop_button(
    app: AppTest, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    def composed(panes: Sequence[Pane]) -> None:
        composer(panes)
        for pane in panes:
            if pane.chat.writing is not None:
                pane.chat.writing.wait()

    opened(app)
    monkeypatch.setattr("apps.streamlit_chat.composer.composer", composed)
    app.chat_input[0].set_value(json.dumps({"answer": "one two three", "delay": 0.5})).run()
    assert [message.name for message in app.chat_message] == ["user", "assistant"]
    assert "chat.stop" not in [button.key for button in app.button]


def test_an_example_is_sent_with_one_click(app: AppTest, engine: EchoEngine) -> None:
    opened(app).button(key="chat.example_1").click().run()
    assert [request.messages[-1].content for request in engine.echo.asked] == [
        "Explain in two sentences what a token is."
    ]


def test_history_and_system_prompt_are_sent(app: AppTest, engine: EchoEngine) -> None:
    opened(app)
    app.text_area(key="chat.system").set_value("Be brief.").run()
    app.chat_input[0].set_value("first").run()
    app.chat_input[0].set_value("second").run()
    assert [(m.role, m.content) for m in engine.echo.asked[-1].messages] == [
        ("system", "Be brief."), ("user", "first"), ("assistant", "first"), ("user", "second"),
    ]  # fmt: skip


def test_the_parameters_of_the_left_column_are_used(app: AppTest, engine: EchoEngine) -> None:
    opened(app).number_input(key="seed").set_value(7).run()
    app.number_input(key="max_tokens").set_value(2).run()
    app.chat_input[0].set_value("one two three").run()
    assert engine.echo.asked[0].params["seed"] == 7
    assert app.chat_message[1].caption[0].value.endswith("maximum length reached")


def test_what_the_model_does_not_take_is_grey_and_says_why(app: AppTest) -> None:
    opened(app)
    assert app.slider(key="temperature").disabled and not app.number_input(key="seed").disabled
    reason = "The echo model does not sample: it repeats."
    assert reason in texts(app) and reason in app.slider(key="temperature").help


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_a_refused_question_stays_in_the_input(app: AppTest, lang: str) -> None:
    opened(app, lang).chat_input[0].set_value("refuse this").run()
    assert not app.exception
    assert SENTENCES[lang] in app.error[0].value and "server_failed" in app.error[0].value
    assert app.chat_input[0].proto.value == "refuse this"
    assert said(app) == []


@pytest.mark.parametrize(("lang", "numbers"), [("en", "9,0"), ("fr", "9\u202f0")])
def test_a_text_that_is_too_long_is_told_with_both_numbers(app: AppTest, lang: str, numbers: str) -> None:
    opened(app, lang).chat_input[0].set_value("word " * 9000).run()
    assert not app.exception and numbers in app.error[0].value
    assert app.chat_input[0].proto.value == "word " * 9000


@pytest.mark.parametrize("lang", ["en", "fr"])
def test_an_interrupted_answer_is_kept_and_marked(app: AppTest, lang: str, engine: EchoEngine) -> None:
    opened(app, lang).chat_input[0].set_value("cut after a few words").run()
    assert SENTENCES[lang] in app.error[0].value
    assert app.chat_message[1].markdown[0].value == "cut after a"
    marks = {"en": "Answer interrupted", "fr": "Réponse interrompue"}
    assert marks[lang] in app.chat_message[1].caption[0].value
    app.chat_input[0].set_value("the next one").run()  # answered without a reload
    assert not app.error and app.chat_message[3].markdown[0].value == "the next one"


def test_thinking_is_folded(app: AppTest) -> None:
    opened(app).chat_input[0].set_value("think hard").run()
    assert app.chat_message[1].expander[0].label == "Reasoning"


def test_a_hostile_answer_fetches_nothing(app: AppTest) -> None:
    opened(app).chat_input[0].set_value("![x](http://evil.example/x.png) <img src=http://evil.example/y.png>").run()
    shown = app.chat_message[1].markdown[0]
    assert "![" not in shown.value and "<img" not in shown.value and not shown.allow_html
    assert app.chat_message[0].text[0].value.startswith("![x]")  # the question is shown as it was typed


@pytest.mark.parametrize("name", ["stats.title", "trace", "code"])
def test_what_stands_under_an_answer_opens(app: AppTest, name: str) -> None:
    opened(app).chat_input[0].set_value("one two three").run()
    assert not app.code
    if name == "stats.title":
        app.session_state["chat.stats.title"] = True
        app.run()
    else:
        app.button(key=f"chat.{name}").click().run()
    assert not app.exception and not app.error
    shown = [block.value for block in app.code]
    if name == "stats.title":
        assert json.loads(shown[0])["stopReason"] == "eosFound"
        assert json.loads(shown[0])["predictedTokensCount"] == 3
    elif name == "trace":
        assert json.loads(shown[0]) == [{"role": "user", "content": "one two three"}]
        assert "user: one two three\nassistant:" in "".join(block.proto.body for block in app.get("html"))
    else:
        assert shown[0].startswith("curl http://")
        assert any("from openai" in text for text in shown) and any("ChatOpenAI" in text for text in shown)


def test_what_a_message_drives_out_is_struck_through_before_it_is_sent(app: AppTest, engine: EchoEngine) -> None:
    opened(app).chat_input[0].set_value("one two three").run()
    app.session_state["chat.open"].settings(policy="rolling", virtual_window=40)
    long = "word " * 21
    app.chat_input[0].set_value(long).run()
    assert len(engine.echo.asked) == 1  # nothing was sent yet
    assert "will not be sent" in app.warning[0].value
    assert "<s style='opacity:.6'>one two three</s>" in "".join(block.proto.body for block in app.get("html"))
    app.button(key="chat.uncut").click().run()
    assert app.chat_input[0].proto.value == long and not app.warning
    app.chat_input[0].set_value(long).run()
    app.button(key="chat.cut").click().run()
    assert [message.content for message in engine.echo.asked[-1].messages] == [long]
    assert "were not read by the model" in texts(app)


def test_what_another_tab_writes_cannot_be_continued_until_it_has_ended(app: AppTest, engine: EchoEngine) -> None:
    opened(app).chat_input[0].set_value("one two three").run()
    writing = Chat(engine, "local", conversation(app).id).say("slow " + "word " * 4000, Choice("echo"))
    assert writing is not None
    app.session_state["chat.open"].refresh()
    app.session_state["chat.open"].choose(writing.node_id)  # each tab stands where it stood
    app.run()
    button = app.button(key=f"chat.continue.{writing.node_id}")
    assert button.disabled and "being written in another tab" in button.help
    writing.stop()
    writing.ended()
    app.run()
    assert not app.button(key=f"chat.continue.{writing.node_id}").disabled and not app.exception


def test_an_answer_is_judged_once_and_beside_the_page(app: AppTest, engine: EchoEngine) -> None:
    opened(app).chat_input[0].set_value('{"name": 1}').run()
    chat = app.session_state["chat.open"]
    form = {"kind": "json_schema", "source": '{"required": ["age"]}'}
    chat._store(lambda tree: tree.update(replace(tree.path()[-1], form=form)))
    app.run()
    judging = app.session_state["chat.verdict"]
    assert judging.wait(60)
    app.run()
    assert "does not have the form" in texts(app) and "age" in texts(app)
    assert app.session_state["chat.verdict"] is judging


def test_a_preset_is_kept_and_chosen(app: AppTest, engine: EchoEngine) -> None:
    opened(app).text_area(key="chat.system").set_value("Be brief.").run()
    app.session_state["chat.preset.box"] = True
    app.run()
    app.number_input(key="max_tokens").set_value(77)
    app.text_input(key="chat.preset_name").set_value("short").run()
    app.button(key="chat.preset_save").click().run()
    assert Presets(engine.library).get("local", "short").system == "Be brief."
    app.button(key="chat.new").click().run()
    app.number_input(key="max_tokens").set_value(512).run()
    assert conversation(app).settings.system == ""
    app.selectbox(key="chat.preset").set_value("short").run()
    assert conversation(app).settings.system == "Be brief." and app.number_input(key="max_tokens").value == 77


def test_a_prompt_of_ones_own_is_found_by_its_slash_filled_in_and_deleted(app: AppTest, engine: EchoEngine) -> None:
    Prompts(engine.library).save("local", Prompt("Zoo", "zoo", "Name {{count | number:default=2}} animals."))
    opened(app).chat_input[0].set_value("/zoo").run()
    assert app.number_input(key="chat.library.zoo.count").value == 2
    app.button(key="chat.library.insert").click().run()
    assert app.chat_input[0].proto.value == "Name 2 animals." and engine.echo.asked == []
    app.chat_input[0].set_value("/zoo").run()
    app.button(key="chat.library.delete").click().run()
    assert Prompts(engine.library).all("local") == () and not app.exception


@pytest.mark.parametrize("form", ["json", "markdown", "jsonl"])
def test_one_conversation_or_all_are_exported(app: AppTest, form: str) -> None:
    opened(app).chat_input[0].set_value("one two three").run()
    one = conversation(app)
    for count in (1, 2):
        written = _written(Ui("chat", "en"), form, lambda count=count: [one] * count)
        back = import_any(written if isinstance(written, bytes) else written.encode(), f"x.{form}")
        assert len(back) == count
        assert [node.content for node in back[0].path()] == ["one two three"] * 2


def test_a_new_conversation_is_empty_and_the_old_one_is_in_the_list(app: AppTest) -> None:
    opened(app).chat_input[0].set_value("one").run()
    app.button(key="chat.new").click().run()
    assert not app.chat_message and said(app) == []
    assert [button.label for button in app.button if (button.key or "").startswith("chat.line.")] == ["one"]


def test_a_defect_is_one_neutral_sentence_and_a_traceback_in_the_log(
    app: AppTest, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    opened(app)

    def broken() -> int:
        raise ZeroDivisionError("a secret detail")

    monkeypatch.setattr(engine.echo, "window", broken)
    with caplog.at_level(logging.ERROR):
        app.run()
    assert not app.exception and "secret" not in texts(app)
    assert "Something unexpected" in app.error[0].value and "ZeroDivisionError" in caplog.text
