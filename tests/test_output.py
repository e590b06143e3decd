"""The form of an answer: checked in a child with limits, obeyed by the real model, judged afterwards."""

from __future__ import annotations

import json
import time
from dataclasses import replace
from typing import Any

import pytest

from engine import output
from engine.engine import Engine
from engine.errors import BadGrammar, BadInput
from engine.output import KINDS, Fault, Output, check_body, compile_source, faults, ready
from engine.params import Params
from engine.types import Message
from tests.patience import SOON_S
from tests.standins.openai_server import OpenAIStandIn

READY = [(kind, name) for kind in KINDS if kind != "text" for name in ready(kind)]
BOMB = 'root ::= (("a"?){1,40}){1,40}'


@pytest.mark.parametrize(("kind", "name"), READY)
def test_every_ready_form_can_be_used(kind: Any, name: str) -> None:
    form = ready(kind)[name]
    form.output.check()
    assert all(form.title[lang] and form.ask[lang] for lang in ("fr", "en"))


@pytest.mark.model
@pytest.mark.parametrize(("kind", "name"), READY)
def test_the_real_model_obeys_every_ready_form(engine: Engine, kind: Any, name: str) -> None:
    form = ready(kind)[name]
    told = engine.model().answer(
        [Message("user", form.ask["en"])], Params(max_tokens=60, seed=7, temperature=0.9), extra=form.output.extra()
    )
    assert told.error is None
    wrong = faults(kind, form.output.source, told.text)
    if told.outcome == "stop":
        assert not wrong, (told.text, wrong)
    else:  # cut: whatever came is a beginning of what was asked for
        assert kind == "json_schema" or [path for path, _ in wrong] in ([], [str(len(told.text))]), told.text


def test_text_is_free() -> None:
    Output().check()
    assert Output().extra() == Output().openai() == {}
    assert Output().verdict("anything").ok


def test_the_fields_of_a_request() -> None:
    schema = Output("json_schema", '{"type": "integer"}')
    assert schema.extra() == {"json_schema": {"type": "integer"}}
    assert schema.openai()["response_format"]["json_schema"]["schema"] == {"type": "integer"}
    assert Output("grammar", "root ::= [a]").extra() == {"grammar": "root ::= [a]"}
    with pytest.raises(BadInput):
        Output("grammar", "root ::= [a]").openai()


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        ("{", "line 1, column 2"),
        ("[]", "an object"),
        ('{"type": "objct"}', "$.type"),
        ('{"properties": {"a": {"minimum": "one"}}}', "$.properties.a.minimum"),
        ("[" * 100_000, ""),
        (json.dumps({"enum": list(range(9000))}), "parts"),
        ('{"x":' * 100 + "1" + "}" * 100, "deep"),
        ('{"type": "string", "pattern": "("}', "$.pattern"),
    ],
)
def test_schemas_that_cannot_be_used(source: str, reason: str) -> None:
    with pytest.raises(BadGrammar) as refused:
        compile_source("json_schema", source)
    assert reason in refused.value.message


def test_what_is_wrong_comes_back_from_the_child() -> None:
    with pytest.raises(BadGrammar) as refused:
        Output("json_schema", "\n{").check()
    assert (refused.value.details["line"], refused.value.details["column"]) == (2, 2)


def test_a_schema_that_llama_cpp_would_ignore_is_refused() -> None:
    from engine.llguidance import refusal

    if refusal("json", "{") is None:
        pytest.skip("xllamacpp keeps its functions to itself on this system")
    for source in ('{"not": {"type": "string"}}', '{"type": "string", "pattern": "(?=a)b"}'):
        with pytest.raises(BadGrammar):
            Output("json_schema", source).check()


def test_every_fault_has_its_place() -> None:
    person = ready("json_schema")["person"].output
    assert person.verdict('{"name": "Ada", "age": 36, "city": "London", "hobbies": []}').ok
    wrong = person.verdict('{"name": 3, "age": 200, "city": "Caen", "hobbies": [1]}')
    assert [fault.path for fault in wrong.errors] == ["$.name", "$.age", "$.hobbies[0]"]
    assert person.verdict("Ada").errors[0].path == "$"
    assert ready("grammar")["date"].output.verdict("2026-13-01").errors == (Fault("6", "'3' does not fit"),)


def test_a_regular_expression_that_never_ends_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(output, "LIMITS", replace(output.LIMITS, cpu_s=2))
    slow = Output("json_schema", '{"type": "string", "pattern": "^(a+)+$"}')
    verdict = slow.verdict(json.dumps("a" * 40 + "b"))
    assert not verdict.ok and "time" in verdict.errors[0].message


@pytest.mark.parametrize(
    ("schema", "answer", "message"),
    [
        ({"type": "integer"}, "1" * 5000, "not judged"),
        ({"type": "number"}, "NaN", "no JSON"),
        ({"$ref": "#/nowhere"}, "3", "not judged"),
        ({"$ref": "file:///etc/hostname"}, "3", "not judged"),
        ({"type": "number", "$ref": "https://json-schema.org/draft/2020-12/schema"}, "3", "not of type"),
    ],
)
def test_answers_and_schemas_that_judges_stumble_over(schema: Any, answer: str, message: str) -> None:
    found = faults("json_schema", json.dumps(schema), answer)
    assert message in found[0][1]


def test_a_schema_elsewhere_is_never_fetched(openai_server: OpenAIStandIn) -> None:
    address = f"{openai_server.base_url}/models"
    for schema in (
        {"$ref": address},
        {"$dynamicRef": address},
        {"$id": address, "$ref": "other"},
        {"$schema": address},
    ):
        form = Output("json_schema", json.dumps(schema))
        with pytest.raises(BadGrammar):
            compile_source("json_schema", form.source)
        assert form.verdict("3").ok == ("$schema" in schema)
    assert openai_server.requests == []


def test_the_fields_of_a_body_are_found() -> None:
    check_body({"messages": [], "temperature": 1})
    check_body({"grammar": 'root ::= "a"'})
    check_body({"response_format": {"type": "json_object"}})
    wrong: list[dict[str, Any]] = [
        {"grammar": BOMB},
        {"json_schema": {"type": "objct"}},
        {"response_format": {"type": "json_object", "schema": {"type": "objct"}}},
        {"response_format": {"type": "json_schema", "json_schema": {"schema": {"type": "objct"}}}},
    ]
    for body in wrong:
        with pytest.raises(BadGrammar):
            check_body(body)


@pytest.mark.model
def test_a_bomb_ends_its_own_request_only(engine: Engine) -> None:
    model = engine.model()
    other = model.stream([Message("user", "Tell me a long story.")], Params(max_tokens=60, seed=1))
    with pytest.raises(BadGrammar):
        model.answer([Message("user", "hi")], extra={"grammar": BOMB})
    for _ in other:
        pass
    assert other.result.error is None and other.result.text


def test_what_was_good_is_remembered() -> None:
    form = Output("grammar", 'root ::= "remembered"')
    form.check()
    began = time.monotonic()
    for _ in range(1000):
        form.check()
    assert time.monotonic() - began < SOON_S  # a thousand children would take minutes
