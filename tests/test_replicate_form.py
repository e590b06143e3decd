"""The form of a model's inputs: from real and hostile schemas, and what may be typed into it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.backends.replicate_api import Described, _described
from engine.errors import BadParameter
from engine.replicate_form import Field, form_of, input_of
from tests.standins.replicate_server import schema


def described(name: str) -> Described:
    return _described({"openapi_schema": schema(name)}, None)


def test_a_language_model() -> None:
    fields = {field.name: field for field in form_of(described("plain"))}
    assert list(fields)[:2] == ["prompt", "system_prompt"]
    prompt, hot = fields["prompt"], fields["temperature"]
    assert (prompt.kind, prompt.required, prompt.help) == ("lines", True, "Prompt to send")
    assert (hot.kind, hot.default, hot.low, hot.high) == ("number", 0.6, 0, 5)


def test_an_image_model() -> None:
    fields = {field.name: field for field in form_of(described("image"))}
    kinds = {name: field.kind for name, field in fields.items()}
    assert kinds == {"prompt": "lines", "aspect_ratio": "choice", "num_outputs": "integer", "guidance": "number",
                     "go_fast": "boolean", "image": "file", "seed": "integer"}  # fmt: skip
    assert fields["aspect_ratio"].choices == ("1:1", "16:9", "9:16") and fields["aspect_ratio"].default == "1:1"


def test_what_is_said_goes_into_the_input_and_what_stands_at_its_default_does_not() -> None:
    fields = form_of(described("image"))
    given_ = {"prompt": "a cat", "aspect_ratio": "16:9", "num_outputs": 2.0, "guidance": 3.5, "go_fast": False,
              "image": "", "seed": None}  # fmt: skip
    assert input_of(fields, given_) == {"prompt": "a cat", "aspect_ratio": "16:9", "num_outputs": 2, "go_fast": False}


@pytest.mark.parametrize(
    "wrong",
    [
        {}, {"prompt": ""}, {"prompt": 3}, {"prompt": "x" * 20_001}, {"prompt": "x", "num_outputs": 9},
        {"prompt": "x", "num_outputs": 1.5}, {"prompt": "x", "num_outputs": "many"},
        {"prompt": "x", "num_outputs": True},
        {"prompt": "x", "guidance": float("nan")}, {"prompt": "x", "guidance": float("inf")},
        {"prompt": "x", "aspect_ratio": "2:1"}, {"prompt": "x", "go_fast": "perhaps"}, {"prompt": "x", "image": "file:///e"},
        {"prompt": "x", "image": "http://127.0.0.1/"}, {"prompt": "x", "image": "data:text/html;base64,AAAA"},
        {"prompt": "x", "webhook": "https://evil.example"},
    ],
)  # fmt: skip
def test_what_the_model_would_refuse_is_refused_here(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadParameter):
        input_of(form_of(described("image")), wrong)


def test_files_and_lists() -> None:
    row = {"type": "array", "items": {"type": "string"}}
    fields = form_of(Described(inputs={"words": row, "image": {"type": "string", "format": "uri"}}))
    told = input_of(fields, {"words": "a\n\n b \n", "image": "data:image/png;base64,AAAA"})
    assert told == {"words": ["a", "b"], "image": "data:image/png;base64,AAAA"}
    assert input_of(fields, {"image": "https://replicate.delivery/x.png"}) == {
        "image": "https://replicate.delivery/x.png"
    }


def test_no_form_for_objects_and_secrets() -> None:
    rows = {"key": {"type": "string", "format": "password"}, "token": {"type": "string", "x-cog-secret": True},
            "more": {"type": "object"}, "rows": {"type": "array", "items": {"type": "object"}}}  # fmt: skip
    assert form_of(Described(inputs=rows)) == ()


def test_no_schema_is_no_form() -> None:
    assert form_of(described("schema-less")) == ()


def test_what_may_be_null_is_what_it_is_otherwise() -> None:
    rows = {
        "steps": {"anyOf": [{"type": "integer", "maximum": 4}, {"type": "null"}], "title": "Steps"},
        "style": {"type": ["string", "null"], "x-order": 1},
        "ratio": {"anyOf": [{"$ref": "#/components/schemas/ratio"}, {"type": "null"}], "x-order": 2},
    }
    named = {"Input": {"properties": rows}, "ratio": {"type": "string", "enum": ["1:1", "16:9"]}}
    fields = {
        field.name: field for field in form_of(_described({"openapi_schema": {"components": {"schemas": named}}}, None))
    }
    assert {name: field.kind for name, field in fields.items()} == {
        "steps": "integer",
        "style": "text",
        "ratio": "choice",
    }
    assert (fields["steps"].high, fields["ratio"].choices) == (4, ("1:1", "16:9"))


@pytest.mark.parametrize("far", [10**400, -(10**400), float("inf"), float("nan"), True])
def test_a_bound_that_is_none(far: Any) -> None:
    (field,) = form_of(Described(inputs={"n": {"type": "integer", "minimum": far, "maximum": far, "default": far}}))
    assert (field.low, field.high, field.default) == (None, None, None)


anything: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
words = st.sampled_from(
    ["type", "title", "enum", "minimum", "maximum", "default", "allOf", "x-order", "items", "format"]
)


@given(
    st.dictionaries(st.text(max_size=8), st.dictionaries(words, anything, max_size=6) | anything, max_size=4), anything
)
def test_any_schema_makes_a_form_and_any_value_is_taken_or_refused(rows: Any, value: Any) -> None:
    document = {"components": {"schemas": {"Input": {"properties": rows, "required": value}}}}
    fields = form_of(_described({"openapi_schema": document}, None))
    for field in fields:
        assert isinstance(field, Field)
        try:
            field.value(value)
        except BadParameter as error:
            assert error.details["name"] == field.name
