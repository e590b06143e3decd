"""The router: sections by role, what is kept from page to page and in the address."""

from __future__ import annotations

import pytest
from streamlit.runtime.scriptrunner import StopException
from streamlit.testing.v1 import AppTest

from apps import host, streamlit_kit
from apps.options import Options
from engine.catalog import ModelCard
from engine.instances import configure
from engine.models.configuration import Configuration
from engine.params import PARAMS
from engine.people import Person
from tests.pages.conftest import EchoEngine, conversation, said, texts, unfold


def test_the_first_page_is_the_chat_in_the_browsers_language(app: AppTest) -> None:
    app.run()
    assert not app.exception and not app.error
    assert [title.value for title in app.title] == ["Chat"]
    kinds = (app.slider, app.number_input, app.selectbox, app.text_area, app.text_input, app.multiselect)
    assert {row.key for kind in kinds for row in kind} >= {param.name for param in PARAMS}


def test_the_language_switch_changes_every_word(app: AppTest) -> None:
    app.run()
    app.segmented_control(key="lang").set_value("fr").run()
    assert not app.exception
    assert app.title[0].value == "Discuter"
    assert app.selectbox(key="model").label == "Modèle"
    assert app.slider(key="temperature").label == "Température"
    assert app.query_params["lang"] == "fr"
    app.switch_page("../pages/models.py").run()
    assert app.title[0].value == "Modèles"


def test_parameters_model_and_conversation_are_kept_from_page_to_page(app: AppTest) -> None:
    app.run()
    app.number_input(key="max_tokens").set_value(99).run()
    app.number_input(key="seed").set_value(7).run()
    app.chat_input[0].set_value("hello").run()
    app.switch_page("../pages/models.py").run()
    assert app.title[0].value == "Models" and app.number_input(key="max_tokens").value == 99
    assert app.query_params["max_tokens"] == "99" and app.query_params["seed"] == "7"
    app.switch_page("../pages/chat.py").run()
    assert app.number_input(key="max_tokens").value == 99 and app.number_input(key="seed").value == 7
    assert said(app) == [("user", "hello"), ("assistant", "hello")]


def test_parameters_are_drawn_when_they_are_unfolded_and_kept_when_they_are_not(app: AppTest) -> None:
    app.run()
    app.number_input(key="max_tokens").set_value(99).run()
    unfold(app, False)
    app.run().run()
    assert not app.exception and "max_tokens" not in {field.key for field in app.number_input}
    assert app.session_state["max_tokens"] == 99 and app.query_params["max_tokens"] == "99"
    app.chat_input[0].set_value("hello").run()
    unfold(app, True)
    app.run()
    assert app.number_input(key="max_tokens").value == 99


def test_the_order_of_the_samplers_is_the_order_in_which_they_are_chosen(app: AppTest) -> None:
    app.query_params["samplers"] = "top_p\ntop_k"
    app.query_params["lang"] = "en"
    app.run()
    order = app.multiselect(key="samplers")
    assert not app.exception and order.value == ["top_p", "top_k"] and app.query_params["samplers"] == "top_p\ntop_k"
    app.session_state["samplers"] = ["temperature", "top_p", "min_p"]
    app.run()
    assert app.query_params["samplers"] == "temperature\ntop_p\nmin_p"
    app.button(key="reset_parameters").click().run()
    assert app.multiselect(key="samplers").value == [] and "samplers" not in app.query_params


def test_a_click_in_the_first_run_loses_nothing_of_the_address(app: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    """The run ends within its seeding; the one that follows it has the address of another section."""
    known = streamlit_kit.known_card

    def clicked(wanted: str | None = None) -> ModelCard:
        monkeypatch.setattr(streamlit_kit, "known_card", known)
        raise StopException

    monkeypatch.setattr(streamlit_kit, "known_card", clicked)
    app.query_params["model"], app.query_params["max_tokens"] = "echo", "99"
    app.run()
    app.query_params.clear()
    app.run()
    assert not app.exception and app.session_state["model"] == "echo" and app.session_state["max_tokens"] == 99
    assert app.query_params["max_tokens"] == "99"


def test_only_what_differs_stands_in_the_address_and_never_a_text(app: AppTest) -> None:
    app.run()
    assert dict(app.query_params) == {}
    app.chat_input[0].set_value("my private text").run()
    opened = {"chat": conversation(app).id}  # opaque, and nobody else's to open
    assert dict(app.query_params) == opened
    app.number_input(key="max_tokens").set_value(10).run()
    assert dict(app.query_params) == {"max_tokens": "10"} | opened
    app.button(key="reset_parameters").click().run()
    assert dict(app.query_params) == opened and app.number_input(key="max_tokens").value == 512


def test_a_link_sets_model_parameters_language_and_fills_the_input(app: AppTest, engine: EchoEngine) -> None:
    for name, value in {"temperature": "1.5", "seed": "3", "lang": "fr", "model": "echo", "prompt": "bonjour"}.items():
        app.query_params[name] = value
    app.run()
    assert not app.exception and app.title[0].value == "Discuter"
    assert app.slider(key="temperature").value == 1.5 and app.number_input(key="seed").value == 3
    assert engine.echo.asked == []  # a link never sends by itself
    assert app.chat_input[0].proto.value == "bonjour"
    assert "prompt" not in app.query_params


@pytest.mark.parametrize("text", ["99", "nan", "abc", "-1", ""])
def test_a_link_with_nonsense_leaves_the_defaults(app: AppTest, text: str) -> None:
    app.query_params["temperature"] = text
    app.query_params["model"] = "no-such-model"
    app.run()
    assert not app.exception and app.slider(key="temperature").value == 0.7
    assert app.selectbox(key="model").value == "echo"
    assert dict(app.query_params) == {}


def test_a_student_sees_who_they_are_and_no_class_page(app: AppTest, in_class: Person, engine: EchoEngine) -> None:
    app.run()
    assert not app.exception and not app.error
    shown = texts(app)
    assert "You are Zoé" in shown and "](http" not in shown
    assert "1 here, 0 waiting" in shown
    with pytest.raises(ValueError):
        app.switch_page("../pages/room.py")


def test_reset_my_page_clears_mine(app: AppTest, in_class: Person) -> None:
    app.run()
    app.number_input(key="max_tokens").set_value(99).run()
    app.chat_input[0].set_value("hello").run()
    app.button(key="reset_page").click().run()
    assert not app.exception and app.session_state["max_tokens"] == 512
    assert said(app) == []


def test_without_a_person_there_is_one_sentence(
    app: AppTest, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "options", lambda: Options(class_mode=True))
    app.run()
    assert not app.exception and "access_denied" in app.error[0].value
    assert not app.chat_input


def test_parameters_stand_as_the_chosen_models_configuration_says(app: AppTest, engine: EchoEngine) -> None:
    cold = {"params": {"temperature": 0.1, "max_tokens": 5}}
    configure(engine, "echo@cold", Configuration.from_dict(cold))
    app.run()
    assert app.slider(key="temperature").value == 0.7
    app.number_input(key="max_tokens").set_value(9)
    app.selectbox(key="model").select("echo@cold").run()
    assert not app.exception and app.slider(key="temperature").value == 0.1  # followed, the moved one stays
    assert app.number_input(key="max_tokens").value == 9
    assert dict(app.query_params) == {"model": "echo@cold", "max_tokens": "9"}
    app.button(key="reset_parameters").click().run()
    assert app.number_input(key="max_tokens").value == 5 and "max_tokens" not in app.query_params
    app.selectbox(key="model").select("echo").run()
    assert app.slider(key="temperature").value == 0.7 and app.number_input(key="max_tokens").value == 512
