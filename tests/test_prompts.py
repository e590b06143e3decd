"""Prompts: variables read as Open WebUI writes them, filled once, kept in versions, carried in and out."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import BadInput, NotFound
from engine.library import Library
from engine.people import People
from engine.placeholders import SYSTEM, TEXT_MAX, Variable, fill, variables
from engine.prompts import Prompt, Prompts, export_prompts, matching, read_prompts, samples, slug
from engine.store import Store
from tests.databases import KINDS, fresh_store

NOW = datetime(2026, 11, 19, 9, 5, 7, tzinfo=UTC)  # a Thursday, as on the course sheet


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def prompts(store: Store) -> Prompts:
    return Prompts(Library(store))


def refused(text: str, values: dict[str, Any] | None = None) -> dict[str, object]:
    """The details of the refusal."""
    with pytest.raises(BadInput) as caught:
        fill(text, values or {}, now=NOW)
    return caught.value.details


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{name}}", Variable("name")),
        ("{{ prénom du client }}", Variable("prénom du client")),
        ("{{name | text:placeholder=\"Enter name\":required}}",
         Variable("name", required=True, placeholder="Enter name")),
        ("{{d | textarea:required}}", Variable("d", "textarea", required=True)),
        ('{{p | select:options=["High","Medium","Low"]:required}}',
         Variable("p", "select", required=True, choices=("High", "Medium", "Low"))),
        ('{{p|choice:options=["a]b","c}}d","e:f"]:default="a]b"}}',
         Variable("p", "select", default="a]b", choices=("a]b", "c}}d", "e:f"))),
        ("{{count | number:default=5}}", Variable("count", "number", default="5")),
        ("{{s | range:min=1:max=10:step=0.5}}", Variable("s", "number", low=1, high=10, step=0.5)),
        ("{{b | checkbox:default=true}}", Variable("b", "checkbox", default="true")),
        ("{{d | date:default=\"2026-02-28\"}}", Variable("d", "date", default="2026-02-28")),
        ("{{f | file:required}}", Variable("f", "file", required=True)),
        ("{{m | email}}", Variable("m", "text")),
        ("{{s | textarea:placeholder=\"1. Go\\n2. \\\"see\\\"\"}}",
         Variable("s", "textarea", placeholder='1. Go\n2. "see"')),
        ("{{a}} then {{a | number}}", Variable("a", "number")),
        ("{{a | number}} then {{a}} and {{a | date}}", Variable("a", "number")),
    ],
)  # fmt: skip
def test_a_variable_is_read_as_open_webui_writes_it(text: str, expected: Variable) -> None:
    assert variables(text) == (expected,)


@pytest.mark.parametrize("text", ["", "a {b} c", "{{}}", "{{ }}", "{{a", "{{a\nb}}", "{{CURRENT_DATE}} {{USER_NAME}}"])
def test_what_asks_for_nothing(text: str) -> None:
    assert variables(text) == ()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{{a | nubmer}}", "unknown_type"),
        ("{{a | select}}", "no_options"),
        ("{{a | select:options=[]}}", "no_options"),
        ('{{a | select:options=["x"]:default="y"}}', "not_a_choice"),
        ("{{a | number:min=3:max=1}}", "min_above_max"),
        ("{{a | number:min=one}}", "not_a_number"),
        (f"{{{{a | number:max=1{'0' * 400}}}}}", "not_a_number"),
        ("{{a | number:default=9:max=3}}", "too_high"),
        ("{{a | date:default=tomorrow}}", "not_a_date"),
        ("{{a | text:!}}", "bad_property"),
    ],
)
def test_a_bad_description_is_refused_with_the_name(text: str, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        variables(text)
    assert (caught.value.details["variable"], caught.value.details["reason"]) == ("a", reason)


@pytest.mark.parametrize(
    ("text", "value", "reason"),
    [
        ("{{a | text:required}}", None, "required"),
        ("{{a | text:required}}", "  ", "required"),
        ("{{a | checkbox:required}}", False, "required"),
        ("{{a | number}}", "many", "not_a_number"),
        ("{{a | number}}", "nan", "not_a_number"),
        ("{{a | number:min=1}}", 0, "too_low"),
        ("{{a | number:max=1}}", "1,5", "too_high"),
        ('{{a | select:options=["x"]}}', "y", "not_a_choice"),
        ("{{a | checkbox}}", "maybe", "not_a_choice"),
        ("{{a | date}}", "28/02/2026", "not_a_date"),
        ("{{a | date}}", "2026-02-30", "not_a_date"),
        ("{{a | time}}", "25:00", "not_a_time"),
    ],
)
def test_a_bad_value_is_refused_with_the_name(text: str, value: Any, reason: str) -> None:
    details = refused(text, {"a": value})
    assert (details["variable"], details["reason"]) == ("a", reason)


def test_a_value_that_nobody_asked_for() -> None:
    assert refused("{{a}}", {"b": "x"}) == {"variable": "b", "reason": "unknown"}
    assert refused("{{CURRENT_DATE}}", {"CURRENT_DATE": "x"})["reason"] == "unknown"


def test_values_of_every_kind_are_written_plainly() -> None:
    text = "{{t}}|{{n | number}}|{{m | number}}|{{b | checkbox}}|{{c | checkbox}}|{{d | date}}"
    text += '|{{s | select:options=[" x"]}}'
    values = {"t": " é ", "n": 3.0, "m": "2,5", "b": True, "d": date(2026, 1, 2), "s": " x"}
    assert fill(text, values, now=NOW) == " é |3|2,5|true|false|2026-01-02| x"


def test_defaults_and_optional_ones() -> None:
    text = '[{{a}}] [{{b | number:default=5}}] [{{c | select:options=["x","y"]:default="y"}}]'
    assert fill(text, {"b": ""}, now=NOW) == "[] [5] [y]"


@pytest.mark.parametrize(
    ("language", "weekday"), [("en", "Thursday"), ("fr", "jeudi"), ("fr-FR", "jeudi"), ("", "Thursday")]
)
def test_system_variables_come_from_the_arguments(language: str, weekday: str) -> None:
    text = " / ".join(f"{{{{{name}}}}}" for name in SYSTEM)
    assert fill(text, {}, now=NOW, user="Zoé", language=language) == (
        f"2026-11-19 / 09:05:07 / 2026-11-19 09:05:07 / UTC / {weekday} / Zoé / {language}"
    )


def test_a_value_that_looks_like_a_variable_stays_text() -> None:
    filled = fill("{{a}} {{b}} {{USER_NAME}}", {"a": "{{b}}", "b": "{{CURRENT_DATE}}"}, now=NOW, user="{{a}}")
    assert filled == "{{b}} {{CURRENT_DATE}} {{a}}"


@settings(deadline=None)
@given(st.text(), st.text())
def test_any_value_arrives_whole_and_all_else_stays(value: str, around: str) -> None:
    text = f"{around.replace('{', '(')}{{{{a | textarea}}}}{around.replace('{', '(')}"
    assert fill(text, {"a": value}, now=NOW) == text.replace("{{a | textarea}}", value if value.strip() else "")


@settings(deadline=None)
@given(st.text(alphabet='{}|:="[]\\ab,\n', max_size=200))
def test_no_text_breaks_the_reader(text: str) -> None:
    try:
        variables(text)
    except BadInput as error:
        assert "reason" in error.details


@pytest.mark.timeout(120)
@pytest.mark.parametrize(
    "piece", ["{{a|", '{{a|"', "{{", "{{a|:b=", '"{{a|""', "{{a|}", '{{a|\\"', '"{{a|\\""', "{{ a", "{{a }"]
)
def test_hostile_texts_are_read_at_once(piece: str) -> None:
    variables((piece * TEXT_MAX)[:TEXT_MAX])


def test_bounds() -> None:
    with pytest.raises(BadInput, match="characters"):
        variables("a" * (TEXT_MAX + 1))
    with pytest.raises(BadInput, match="100 variables"):
        variables("".join(f"{{{{v{number}}}}}" for number in range(101)))


def test_saved_listed_found_dropped(prompts: Prompts) -> None:
    hello = Prompt("Été", "ete", "Salut {{qui}}")
    assert prompts.save("local", hello) == 1
    assert prompts.all("local") == (hello,) and prompts.get("local", "Été").variables == (Variable("qui"),)
    prompts.rename("local", "Été", "Hiver")
    assert prompts.get("local", "Hiver").command == "ete"
    prompts.drop("local", "Hiver")
    with pytest.raises(NotFound):
        prompts.get("local", "Hiver")


def test_versions_differ_line_by_line_and_come_back(prompts: Prompts) -> None:
    prompts.save("local", Prompt("p", "p", "one\ntwo"))
    prompts.save("local", Prompt("p", "p", "one\nthree"), note="shorter")
    assert prompts.diff("local", "p", 1, 2).splitlines() == ["--- p v1", "+++ p v2", "@@ -1,2 +1,2 @@", " one", "-two",
                                                             "+three"]  # fmt: skip
    assert prompts.diff("local", "p", 1, 1) == ""
    assert prompts.restore("local", "p", 1, note="back") == 3
    assert prompts.get("local", "p").text == "one\ntwo"
    assert [version.note for version in prompts.versions("local", "p")] == ["back", "shorter", None]
    for missing in (lambda: prompts.diff("local", "p", 1, 9), lambda: prompts.restore("local", "p", 9)):
        with pytest.raises(NotFound):
            missing()


def test_a_command_belongs_to_one_prompt_of_a_person(store: Store, prompts: Prompts) -> None:
    prompts.save("local", Prompt("a", "same", "x"))
    with pytest.raises(BadInput) as caught:
        prompts.save("local", Prompt("b", "same", "x"))
    assert caught.value.details["reason"] == "command_taken"
    anne = People(store).join("Anne", "student").id
    prompts.save(anne, Prompt("b", "same", "x"))
    assert [prompt.name for prompt in prompts.all(anne)] == ["b"]


@pytest.mark.parametrize(
    ("prompt", "reason"),
    [
        (Prompt(" ", "a", "x"), "bad_name"),
        (Prompt("a", "A b", "x"), "bad_command"),
        (Prompt("a", "", "x"), "bad_command"),
        (Prompt("a", "a", " "), "no_text"),
        (Prompt("a", "a", "{{b | nothing}}"), "unknown_type"),
    ],
)
def test_what_could_not_be_used_is_not_saved(prompts: Prompts, prompt: Prompt, reason: str) -> None:
    with pytest.raises(BadInput) as caught:
        prompts.save("local", prompt)
    assert caught.value.details["reason"] == reason and prompts.all("local") == ()


def test_matching_what_is_typed_after_the_slash() -> None:
    shelf = [Prompt("Résumer", "resumer", "x"), Prompt("Traduire", "traduire", "x"), Prompt("Le reste", "fin", "x")]
    assert [prompt.command for prompt in matching(shelf, "/res")] == ["resumer", "fin"]
    assert [prompt.command for prompt in matching(shelf, "/Rés")] == ["resumer", "fin"]
    assert len(matching(shelf, "/")) == 3
    assert matching(shelf, "/nothing") == matching(shelf, "res") == matching(shelf, "/res more") == ()


def test_our_export_is_read_back() -> None:
    shelf = samples("fr")
    assert read_prompts(export_prompts(shelf).encode()) == shelf


def test_open_webui_exports_are_read() -> None:
    older = {"command": "/summarize", "user_id": "u1", "title": "Summarize", "content": "{{t | textarea:required}}",
             "timestamp": 1_700_000_000, "access_control": None}  # fmt: skip
    newer = {"id": "1", "command": "bug_report", "name": "Bug", "content": "x", "tags": ["a"], "is_active": True}
    odd = {"command": "/Très Spécial!", "title": "", "content": "y"}
    assert read_prompts(json.dumps([older, newer, odd]).encode()) == (
        Prompt("Summarize", "summarize", "{{t | textarea:required}}"),
        Prompt("Bug", "bug_report", "x"),
        Prompt("très spécial!", "tres-special", "y"),
    )
    assert read_prompts(json.dumps(newer).encode()) == (Prompt("Bug", "bug_report", "x"),)


@pytest.mark.parametrize(
    "data",
    [b"", b"{", b"[1]", b"{}", b"\xff", b'"x"', b'{"format": "other/1", "prompts": []}', b'[{"title": "a"}]',
     b'[{"title": "a", "content": ""}]', b"[" * 100_000],
)  # fmt: skip
def test_what_is_no_file_of_prompts(data: bytes) -> None:
    with pytest.raises(BadInput) as caught:
        read_prompts(data)
    assert caught.value.details["reason"] == "not_prompts"


def test_a_bad_variable_in_a_file_names_its_prompt() -> None:
    with pytest.raises(BadInput) as caught:
        read_prompts(b'[{"title": "mine", "command": "m", "content": "{{a | what}}"}]')
    assert (caught.value.details["prompt"], caught.value.details["variable"]) == ("mine", "a")


def test_adopting_makes_versions_and_frees_commands(prompts: Prompts) -> None:
    prompts.save("local", Prompt("Old", "sum", "1"))
    came = prompts.adopt("local", [Prompt("Old", "sum", "2"), Prompt("New", "sum", "3"), Prompt("Newer", "sum", "4")])
    assert [prompt.command for prompt in came] == ["sum", "sum-2", "sum-3"]
    assert [version.value["text"] for version in prompts.versions("local", "Old")] == ["2", "1"]


@pytest.mark.parametrize("language", ["fr", "en"])
def test_the_ready_prompts_can_be_used(language: str) -> None:
    shelf = samples(language)
    assert len({prompt.command for prompt in shelf}) == len(shelf) >= 5
    for prompt in shelf:
        prompt.check()
    assert len(samples("fr")) == len(samples("en")) and samples("de") == samples("en")


@pytest.mark.parametrize(
    ("name", "command"),
    [("Résumé d'article", "resume-d-article"), ("日本", "prompt"), ("--a--", "a"), ("x" * 80, "x" * 50)],
)
def test_slugs(name: str, command: str) -> None:
    assert slug(name) == command
