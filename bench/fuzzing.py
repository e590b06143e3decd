"""Requests made from the OpenAPI description of `/v1`: what it allows, what is nearly that, and what is nothing at all;
and what an answer to any of them may be. Knows no server.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

Strategy = st.SearchStrategy[Any]

NASTY = (
    "", " ", "\x00", "\ud800", "🙂" * 5, "é\u0301", "\u202eabc", "<|im_start|>system", "</s>", "{{7*7}}", "%s%n",
    "../..", "null", "-1", "a" * 5000, '{"a"', "[DONE]", "data: x\n\n",
)  # fmt: skip
NUMBERS = (0, -1, 1, 2**31, 2**63, -(2**63), 10**30, 1e308, 0.5, -0.0, 1e-9)
JUNK = (b"", b"{", b"[]", b"null", b"5", b'"x"', b"\xff\xfe", b'{"a":NaN}', b"[" * 400, b'{"messages":' + b"[" * 99)


@dataclass(frozen=True)
class Asked:
    """One request."""

    method: str
    path: str
    body: bytes | None


Ask = Callable[[Asked], tuple[int, bytes]]


def requests(document: Mapping[str, Any], models: Sequence[str], most: int | None = None) -> Strategy:
    """Requests to every `/v1` route of the description, which name those models now and then. `most` bounds the tokens
    of an answer, where a real model writes it.
    """
    found = []
    for path, operations in document["paths"].items():
        if path.startswith("/v1"):
            found += [_operation(document, path, method, told, models, most) for method, told in operations.items()]
    return st.one_of(found)


def _operation(
    document: Mapping[str, Any], path: str, method: str, told: Mapping[str, Any], models: Sequence[str],
    most: int | None,
) -> Strategy:  # fmt: skip
    if method == "get":
        place = st.one_of(
            st.sampled_from(["echo", "nope", "rag/x", "%00", "a%2Fb", "%C3%A9", "%FF"]), st.uuids().map(str)
        )
        return place.map(lambda name: Asked("GET", path.replace("{model}", name), None))
    content = told["requestBody"]["content"]["application/json"]
    schema = document["components"]["schemas"][content["schema"]["$ref"].rpartition("/")[2]]
    like = _Values(document, models)
    good = like.object(schema)
    near = st.builds(_spoiled, good, st.sampled_from(sorted(schema["properties"])), _anything())
    example = st.just(dict(content["example"]))
    bodies = st.one_of(example, good, good, near, near).map(lambda body: _bounded(body, most))
    written = bodies.map(lambda body: json.dumps(body).encode())
    cut = st.builds(lambda data, share: data[: int(len(data) * share)], written, st.floats(0, 1))
    return st.one_of(written, written, written, cut, st.sampled_from(JUNK)).map(lambda data: Asked("POST", path, data))


def _bounded(body: dict[str, Any], most: int | None) -> dict[str, Any]:
    if most is None:
        return body
    named = next((name for name in ("max_completion_tokens", "max_output_tokens") if name in body), "max_tokens")
    wanted = body.get(named)
    within = isinstance(wanted, int) and 0 <= wanted <= most
    return body if within and not isinstance(wanted, bool) else {**body, named: most}


def _spoiled(body: dict[str, Any], name: str, value: Any) -> dict[str, Any]:
    return {**body, name: value}


def _anything() -> Strategy:
    plain = st.one_of(st.none(), st.booleans(), st.sampled_from(NUMBERS), st.sampled_from(NASTY))
    return st.recursive(plain, lambda inner: st.one_of(st.lists(inner, max_size=3),
                        st.dictionaries(st.sampled_from(["a", "type", "text", "role"]), inner, max_size=3)),
                        max_leaves=6)  # fmt: skip


class _Values:
    """Values that a schema allows, mostly small and some of them nasty."""

    def __init__(self, document: Mapping[str, Any], models: Sequence[str]) -> None:
        self._schemas = document["components"]["schemas"]
        self._models = st.one_of(st.sampled_from([*models, "nope", "rag/none"]), st.text(max_size=9))

    def object(self, schema: Mapping[str, Any]) -> Strategy:
        """An object with all that it needs, some of what it may have, and now and then something unknown."""
        fields = {name: self.value(field, name) for name, field in schema["properties"].items()}
        needed = {name: fields.pop(name) for name in schema.get("required", ()) if name in fields}
        some = st.lists(st.sampled_from(sorted(fields)), max_size=4, unique=True) if fields else st.just([])
        return some.flatmap(lambda names: st.fixed_dictionaries({**needed, **{name: fields[name] for name in names}}))

    def value(self, schema: Mapping[str, Any], name: str = "") -> Strategy:
        """A value of that schema."""
        if name == "model":
            return self._models
        if "$ref" in schema:
            return self.object(self._schemas[schema["$ref"].rpartition("/")[2]])
        if "anyOf" in schema:
            return st.one_of([self.value(one) for one in schema["anyOf"]])
        if "enum" in schema or "const" in schema:
            return st.sampled_from(schema.get("enum") or [schema["const"]])
        return self._of(schema.get("type"), schema)

    def _of(self, kind: str | None, schema: Mapping[str, Any]) -> Strategy:
        if kind == "array":
            low = schema.get("minItems", 0)
            return st.lists(self.value(schema.get("items") or {}), min_size=low, max_size=max(low, 3))
        if kind == "object":
            return self.object(schema) if "properties" in schema else st.dictionaries(_text(), _text(), max_size=2)
        if kind == "string":
            return _text()
        if kind == "boolean":
            return st.booleans()
        if kind in ("integer", "number"):
            low, high = schema.get("minimum", -5), schema.get("maximum", 5000)
            whole = st.integers(int(low), int(max(low, min(high, 5000))))
            return whole if kind == "integer" else st.one_of(whole, st.floats(low, min(high, 1000)))
        return st.none() if kind == "null" else _anything()


def _text() -> Strategy:
    return st.one_of(
        st.sampled_from(["hello there", "user", "x", "json"]), st.sampled_from(NASTY), st.text(max_size=20)
    )


def wrong(status: int, body: bytes) -> str | None:
    """What is wrong with an answer; None where nothing is. Of the fives only 501 is allowed."""
    if status >= 500 and status != 501:
        return f"status {status}"
    if b"Traceback (most recent" in body or b'File "' in body:
        return "a traceback"
    if b'"engine_error"' in body:
        return "a defect"
    if status >= 400:
        error = json.loads(body).get("error")
        if not isinstance(error, dict) or not error.get("message") or not error.get("type"):
            return "an error without a message"
    return None


def run(ask: Ask, made: Strategy, count: int, *, seed: bool = True) -> dict[int, int]:
    """How many answers of each status `count` requests got. Raises AssertionError for the first answer that may not be,
    as small as its request could be made. `seed`: the same requests each time.
    """
    seen: dict[int, int] = {}

    @settings(max_examples=count, deadline=None, database=None, derandomize=seed,
              phases=(Phase.generate, Phase.shrink), suppress_health_check=list(HealthCheck))  # fmt: skip
    @given(made)
    def one(asked: Asked) -> None:
        status, body = ask(asked)
        seen[status] = seen.get(status, 0) + 1
        problem = wrong(status, body)
        assert problem is None, f"{problem}: {asked} -> {status} {body[:500]!r}"

    one()
    return seen
