"""The page that compares: one question to all columns, each with its own settings, numbers and errors."""

from __future__ import annotations

import json

import pytest
from streamlit.testing.v1 import AppTest

from apps import host
from apps.options import Options
from apps.ui.i18n import words
from engine.compare.running import Comparison
from engine.people import Person
from tests.pages.conftest import ROOT, EchoEngine, texts

EN = words("en")


@pytest.fixture
def page(engine: EchoEngine) -> AppTest:
    """The page by itself, in English, not yet run."""
    app = AppTest.from_file(str(ROOT / "pages" / "compare.py"), default_timeout=240)
    app.session_state["lang"], app.session_state["model"] = "en", "echo"
    app.query_params["sides"] = "echo|echo"
    return app


def clean(app: AppTest) -> AppTest:
    assert not app.exception, [error.value for error in app.exception]
    return app


def asked(app: AppTest, question: str) -> AppTest:
    """The page once all columns have answered."""
    app.chat_input[0].set_value(question).run()
    return clean(app)


def run_of(app: AppTest) -> Comparison:
    found: Comparison = app.session_state["compare.run"]
    return found


def buttons(app: AppTest) -> list[str]:
    return [button.label for button in app.button]


def test_an_empty_page_has_examples_and_two_columns(page: AppTest) -> None:
    clean(page.run())
    assert page.title[0].value == "Compare" and EN.t("compare.empty") in texts(page)
    assert {EN.t("compare.example.temperatures"), EN.t("compare.example.prompts")} <= set(buttons(page))
    assert [box.label for box in page.selectbox] == ["Model of column A", "Model of column B"]


def test_one_question_goes_to_all_and_each_has_its_numbers(page: AppTest, engine: EchoEngine) -> None:
    clean(page.run())
    asked(page, "hello there")
    assert len(engine.echo.asked) == 2 and not page.error
    views = run_of(page).views()
    assert [view.result.text for view in views if view.result] == ["hello there"] * 2
    told = texts(page)
    assert told.count("2 written") == 2 and EN.t("compare.figure.first") in html(page)
    assert html(page).count('data-figure="cost"') == 2 and EN.t("compare.no_bill") in html(page)
    asked(page, "and again")
    assert [message.content for message in engine.echo.asked[-1].messages] == ["hello there"] * 2 + ["and again"]
    assert EN.t("compare.earlier") in [box.label for box in page.expander]


def html(app: AppTest) -> str:
    return "\n".join(str(one.proto.body) for one in app.get("html"))


def test_an_error_in_one_column_does_not_touch_the_other(page: AppTest, engine: EchoEngine) -> None:
    page.query_params["sides"] = "echo|no-such-model"
    clean(page.run())
    asked(page, "hello")
    assert len(engine.echo.asked) == 1 and len(page.error) == 1 and "unknown_model" in page.error[0].value
    asked(page, "cut after some words of mine")
    assert [view.status for view in run_of(page).views()] == ["done", "done"]
    assert "cut after some" in texts(page)  # what came before the error stays


def test_a_column_asks_with_its_own_settings(page: AppTest, engine: EchoEngine) -> None:
    for name in ("compare.settings.0", "compare.settings.1", "compare.group.1.sampling"):
        page.session_state[name] = True
    page.session_state["max_tokens"] = 99
    clean(page.run())
    assert [page.number_input(key=f"compare.box.max_tokens.{n}").value for n in (0, 1)] == [99, 99]
    page.number_input(key="compare.box.max_tokens.1").set_value(1).run()
    page.number_input(key="compare.box.seed.1").set_value(7).run()
    page.text_area(key="compare.box.system.0").set_value("Be brief.").run()
    clean(page)
    assert page.query_params["sides"] == "echo|echo;max_tokens=1;seed=7"
    asked(page, "three words here")
    by_limit = {request.params["max_tokens"]: request for request in engine.echo.asked}
    assert by_limit[1].params["seed"] == 7 and by_limit[99].messages[0].content == "Be brief."
    assert [view.result.text for view in run_of(page).views() if view.result] == ["three words here", "three"]
    page.button(key="compare.left.1").click().run()
    assert page.number_input(key="compare.box.max_tokens.1").value == 99 and "seed" not in str(page.query_params)


def test_columns_are_added_removed_and_typed(page: AppTest) -> None:
    clean(page.run())
    for _ in range(4):
        page.button(key="compare.add").click().run()
    assert len(page.selectbox) == 6 and page.button(key="compare.add").disabled
    asked(page, "six times")
    assert len(run_of(page).views()) == 6
    page.button(key="compare.remove.0").click().run()
    assert len(page.selectbox) == 5 and EN.t("compare.new_columns") in texts(page)
    asked(page, "five times")
    assert len(run_of(page).views()) == 5 and len(run_of(page).turns) == 1
    page.button(key="compare.restart").click().run()
    assert EN.t("compare.empty") in texts(clean(page))


def test_the_second_settings_reach_an_answer_made_again(page: AppTest, engine: EchoEngine) -> None:
    page.session_state["compare.settings.1"] = True
    clean(page.run())
    asked(page, "some words here")
    page.number_input(key="compare.box.max_tokens.1").set_value(2).run()
    page.button(key="compare.again.1").click().run()
    clean(page)
    assert [view.result.text for view in run_of(page).views() if view.result] == ["some words here", "some words"]
    assert len(engine.echo.asked) == 3 and len(run_of(page).turns) == 1


def test_what_two_answers_differ_in(page: AppTest) -> None:
    page.query_params["sides"] = "echo|echo;max_tokens=2"
    clean(page.run())
    asked(page, "one two <b>three</b>")
    page.toggle(key="compare.diff").set_value(True).run()
    clean(page)
    assert "<del " in html(page) and "<b>three" not in html(page)
    assert page.selectbox(key="compare.diff.second").options == ["B"]


@pytest.mark.parametrize("name", ["temperatures", "prompts"])
def test_an_example_asks_with_one_click(page: AppTest, engine: EchoEngine, name: str) -> None:
    clean(page.run())
    page.button(key=f"compare.example.{name}").click().run()
    clean(page)
    assert {request.messages[-1].content for request in engine.echo.asked} == {
        EN.typed(f"compare.example.{name}_question")
    }
    shown = [request.params["temperature"] for request in engine.echo.asked]
    assert sorted(shown) == ([0.0, 1.5] if name == "temperatures" else [0.7, 0.7])


def test_what_a_column_has_read(page: AppTest) -> None:
    clean(page.run())
    asked(page, "hello there")
    for name in ("trace", "code"):
        page.button(key=f"compare.{name}.1").click().run()
        clean(page)
        assert not page.error and "hello" in texts(page)
    assert any("ChatOpenAI" in code.value for code in page.code)
    page.button(key="compare.chain.1").click().run()
    clean(page)
    (chain,) = (code.value for code in page.code if "StrOutputParser()" in code.value)
    compile(chain, "chain", "exec")
    assert "prompt | llm | StrOutputParser()" in chain and "hello there" in chain


def test_a_report_can_be_saved(page: AppTest) -> None:
    clean(page.run())
    asked(page, "hello there")
    from apps.ui import compare

    made = {form: compare.file(form, run_of(page).report(), EN) for form in compare.FILES}
    assert len(json.loads(made["json"])["sides"]) == 2 and made["html"].lstrip().startswith("<!")
    assert all("hello there" in text for text in made.values())
    assert len([one for one in page.get("download_button")]) == 4


def test_a_bad_address_leaves_the_columns_to_begin_with(page: AppTest) -> None:
    page.query_params["sides"] = "echo|echo;temperature=hot"
    clean(page.run())
    assert len(page.selectbox) == 2 and "sides" not in page.query_params


def test_a_demonstration_opens_with_recorded_answers(page: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(host, "options", lambda: Options(demo=True))
    del page.query_params["sides"]
    clean(page.run())
    assert all(box.value.startswith("recorded/") for box in page.selectbox)
    assert texts(page).count(EN.t("compare.recorded")) == len(page.selectbox)


def test_a_student_compares_as_themselves(page: AppTest, in_class: Person, engine: EchoEngine) -> None:
    page.query_params["sides"] = "echo|mistral/mistral-small-latest"  # whose key is the teacher's
    clean(page.run())
    asked(page, "hello")
    assert [request.owner for request in engine.echo.asked] == [in_class.id]
    assert len(page.error) == 1 and "access_denied" in page.error[0].value


def test_a_link_fills_the_input_and_sends_nothing(page: AppTest, engine: EchoEngine) -> None:
    page.query_params["prompt"] = "a question of the teacher's"
    clean(page.run())
    assert page.chat_input[0].proto.value == "a question of the teacher's" and not engine.echo.asked
    assert "prompt" not in page.query_params


def test_what_could_not_be_sent_stays_in_the_input(page: AppTest, engine: EchoEngine) -> None:
    page.session_state["temperature"] = 99.0
    clean(page.run())
    asked(page, "hello")
    assert len(page.error) == 1 and page.chat_input[0].proto.value == "hello" and not engine.echo.asked
    page.session_state["temperature"] = 0.5
    asked(page, "hello")
    assert len(engine.echo.asked) == 2 and not page.error
