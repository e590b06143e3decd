"""The form that an answer must have: free text, a JSON Schema, a GBNF grammar. Checked away from the shared runtime
before it is used, and on the answer afterwards. Knows no interface.
"""

from __future__ import annotations

import functools
import json
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, get_args

from engine.errors import BadGrammar, BadInput, JobFailed
from engine.sandbox import Limits, OverLimit, call

OutputKind = Literal["text", "json_schema", "grammar"]
KINDS: tuple[OutputKind, ...] = get_args(OutputKind)

MAX_SOURCE = 64 * 1024  # characters
MAX_NODES = 5_000
MAX_DEPTH = 48
MAX_ERRORS = 20
UNJUDGED = "not judged: "  # begins what a verdict says that gave up
FOLDER = Path(__file__).parent
LIMITS = Limits(cpu_s=5, wall_s=60, memory_mib=1024)


@dataclass(frozen=True)
class Fault:
    """One thing that is wrong in an answer: where ("$.people[0].age", or "12" for a character's place), and what."""

    path: str
    message: str


@dataclass(frozen=True)
class Verdict:
    """Whether an answer has the form that was asked for."""

    ok: bool
    errors: tuple[Fault, ...] = ()


@dataclass(frozen=True)
class Output:
    """The form of an answer: `source` is the schema as JSON text, or the grammar."""

    kind: OutputKind = "text"
    source: str = ""

    def check(self) -> None:
        """Return when it can be used. Raises BadGrammar with reason, line and column; takes a child process."""
        if self.kind != "text":
            if len(self.source) > MAX_SOURCE:
                raise _bad(f"more than {MAX_SOURCE} characters")
            _checked(self.kind, self.source)

    def extra(self) -> dict[str, Any]:
        """The fields that it adds to a request of a llama.cpp server. Raises BadGrammar where it is not JSON."""
        if self.kind == "json_schema":
            return {"json_schema": schema_of(self.source)}
        return {"grammar": self.source} if self.kind == "grammar" else {}

    def openai(self) -> dict[str, Any]:
        """The same for OpenAI-style routes, which know schemas only. Raises BadGrammar, BadInput for a grammar."""
        if self.kind == "grammar":
            raise BadInput("a grammar needs a llama.cpp server", kind=self.kind)
        if self.kind == "text":
            return {}
        wanted = {"name": "answer", "schema": schema_of(self.source), "strict": True}
        return {"response_format": {"type": "json_schema", "json_schema": wanted}}

    def verdict(self, answer: str) -> Verdict:
        """Whether the answer obeys, and every place where it does not. Raises BadGrammar for an unchecked source."""
        if self.kind == "text":
            return Verdict(True)
        try:
            faults = call(f"{__name__}:faults", {"kind": self.kind, "source": self.source, "answer": answer}, LIMITS)
        except OverLimit as over:
            return Verdict(False, (Fault("$", f"{UNJUDGED}{over.details['reason']}"),))
        return Verdict(not faults, tuple(Fault(*fault) for fault in faults))


def asked_form(form: Mapping[str, Any] | None) -> Output | None:
    """What an answer was asked to be, as its message keeps it; None for free text and for what no program wrote."""
    kind, source = ((form or {}).get(name) for name in ("kind", "source"))
    return Output(kind, source) if kind in KINDS[1:] and isinstance(source, str) else None


def schema_of(source: str) -> Any:
    """The schema in the text. Raises BadGrammar with the place."""
    try:
        found = json.loads(source)
    except json.JSONDecodeError as error:
        raise _bad(error.msg, error.lineno, error.colno) from error
    except RecursionError as error:
        raise _bad(f"nested more than {MAX_DEPTH} levels deep") from error
    except ValueError as error:  # thousands of digits
        raise _bad(str(error)) from error
    if not isinstance(found, dict | bool):
        raise _bad("a schema is an object")
    return found


def check_body(body: Mapping[str, Any]) -> None:
    """Check what a request of llama.cpp's or OpenAI's fields asks of its answer. Raises BadGrammar."""
    for output in _outputs(body):
        output.check()


def _outputs(body: Mapping[str, Any]) -> list[Output]:
    found = [Output("grammar", body["grammar"])] if body.get("grammar") else []
    wanted = body.get("response_format") or {}
    schemas = [body.get("json_schema"), wanted.get("schema"), (wanted.get("json_schema") or {}).get("schema")]
    for tool in body.get("tools") or ():
        schemas.append((tool.get("function") or {}).get("parameters"))
    return found + [Output("json_schema", json.dumps(schema)) for schema in schemas if schema]


@functools.lru_cache(maxsize=256)
def _checked(kind: str, source: str) -> None:
    """Remembers what was good; a class that asks the same thing thirty times waits for one child."""
    try:
        call(f"{__name__}:compile_source", {"kind": kind, "source": source}, LIMITS)
    except OverLimit as over:
        raise _bad(f"too complex ({over.details['reason']})") from over
    except JobFailed as failed:  # it brought the child down: better there than in the runtime
        raise _bad("it cannot be compiled") from failed


def compile_source(kind: str, source: str) -> None:
    """Compile it here and now; runs in the child. Raises BadGrammar."""
    if kind == "grammar":
        from engine.gbnf import read

        read(source)
        return
    _check_schema(source)


def _check_schema(source: str) -> None:
    import jsonschema  # type: ignore[import-untyped]

    from engine.llguidance import refusal

    schema = schema_of(source)
    if _size(schema, 0) > MAX_NODES:
        raise _bad(f"more than {MAX_NODES} parts")
    try:
        jsonschema.Draft202012Validator.check_schema(schema)
    except jsonschema.SchemaError as error:
        raise _bad(f"{error.json_path}: {error.message}") from error
    refused = refusal("json", json.dumps(schema))
    if refused is not None:
        raise _bad(" ".join(refused.split()))


def _size(value: Any, depth: int) -> int:
    if depth > MAX_DEPTH:
        raise _bad(f"nested more than {MAX_DEPTH} levels deep")
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + sum(_size(item, depth + 1) for item in inner)


def faults(kind: str, source: str, answer: str) -> list[tuple[str, str]]:
    """Path and message of everything wrong in an answer; runs in the child."""
    if kind == "grammar":
        from engine.gbnf import read

        place = read(source).mismatch(answer)
        if place is None:
            return []
        return [
            (str(place), "the answer ends too early" if place == len(answer) else f"{answer[place]!r} does not fit")
        ]
    try:
        value = json.loads(answer, parse_constant=_no_constant)
    except json.JSONDecodeError as error:
        return [("$", f"no JSON: {error}")]
    except ValueError as error:  # thousands of digits
        return [("$", f"{UNJUDGED}{error}")]
    return _schema_faults(source, value)


def _schema_faults(source: str, value: Any) -> list[tuple[str, str]]:
    import jsonschema
    from jsonschema_specifications import REGISTRY  # type: ignore[import-untyped]
    from referencing.exceptions import Unresolvable

    # With this registry a $ref to somewhere else is not fetched
    found = jsonschema.Draft202012Validator(schema_of(source), registry=REGISTRY).iter_errors(value)
    try:
        return [(error.json_path, error.message) for error, _ in zip(found, range(MAX_ERRORS), strict=False)]
    except Unresolvable as error:
        return [("$", f"{UNJUDGED}{error}")]


def _no_constant(name: str) -> Any:
    raise json.JSONDecodeError(f"{name} is no JSON", name, 0)


def _bad(why: str, line: int | None = None, column: int | None = None) -> BadGrammar:
    place = f"line {line}, column {column}: " if line else ""
    return BadGrammar(place + why, reason=place + why, line=line, column=column)


@dataclass(frozen=True)
class Ready:
    """A ready form: `title` by language ("fr", "en"), `ask` a question that suits it."""

    name: str
    output: Output
    title: Mapping[str, str]
    ask: Mapping[str, str]


@functools.cache
def ready(kind: OutputKind) -> Mapping[str, Ready]:
    """The ready grammars or schemas, by name, in the order of engine/forms.toml."""
    rows = tomllib.loads((FOLDER / "forms.toml").read_text(encoding="utf-8"))[kind]
    folder, suffix = ("grammars", "gbnf") if kind == "grammar" else ("schemas", "json")
    return {
        name: Ready(
            name,
            Output(kind, (FOLDER / folder / f"{name}.{suffix}").read_text(encoding="utf-8")),
            {lang: row[lang] for lang in ("fr", "en")},
            {lang: row[f"ask_{lang}"] for lang in ("fr", "en")},
        )
        for name, row in rows.items()
    }
