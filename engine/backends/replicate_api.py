"""Replicate's calls through its own client: create, look up, cancel a prediction, and what a model takes. Knows no
question and no catalogue.

The client's classes are stricter than the service: a status that they do not know ("aborted") or a field that is
missing is a ValidationError there. So what counts here is the JSON that came, read by a transport of ours, which also
bounds it, sends the key to its host alone and turns a refusal into an error of the engine before the client would wait
as long as a `Retry-After` says.
"""

from __future__ import annotations

import contextlib
import json
import re
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import httpx
from replicate.client import Client
from replicate.version import Versions

from engine.addresses import Reach
from engine.backends.http_errors import by_status, hidden, too_long
from engine.backends.json_line import (
    ANSWER_MAX,
    ERROR_MAX,
    PLAIN,
    SHOWN_MAX,
    endless,
    explained,
    parsed,
    read_bounded,
    root_of,
)
from engine.backends.line import CONNECT_S, Line
from engine.errors import BadParameter, EngineError, PromptTooLong, ServerFailed, UnknownModel

CALL_S = 30.0  # between two pieces of the answer to a plain call
NO_KEY = "none"  # without one the client would look into the environment; our transport sends what is right
ENDS = frozenset({"succeeded", "failed", "canceled", "aborted"})
_PART = r"[A-Za-z0-9][\w.-]{0,99}"
_MODEL = re.compile(rf"(?P<owner>{_PART})/(?P<name>{_PART})(?::(?P<version>[A-Za-z0-9]{{1,64}}))?", re.ASCII)
_ID = re.compile(r"[A-Za-z0-9_-]{1,100}")
_FIELD = re.compile(r"\binput\.(\w+)")
_TOO_LONG = ("E1002", "Prompt length exceeds")  # Replicate's code for a prompt that is too long, and its words


@dataclass(frozen=True)
class Reference:
    """A model as Replicate names it; without a version it is the official one or the latest."""

    owner: str
    name: str
    version: str | None = None

    @classmethod
    def read(cls, text: str) -> Reference:
        """The parts of "owner/name" or "owner/name:version". Raises UnknownModel."""
        found = _MODEL.fullmatch(text)
        if found is None:
            raise UnknownModel(f"{text!r}: a model of Replicate is called owner/name or owner/name:version", model=text)
        return cls(found["owner"], found["name"], found["version"])

    @property
    def path(self) -> str:
        """`owner/name`."""
        return f"{self.owner}/{self.name}"


@dataclass(frozen=True)
class Described:
    """What a model takes: `inputs` are the properties of its own OpenAPI schema, by name and in its order, empty where
    it tells none; `version` is the one to ask for, None for an official model.
    """

    version: str | None = None
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    output: Mapping[str, Any] = field(default_factory=dict)
    description: str = ""


@dataclass(frozen=True)
class Prediction:
    """One prediction as it was when it was looked at; every field but the first two may be missing."""

    id: str
    status: str
    output: Any = None
    error: str | None = None
    logs: str = ""
    metrics: Mapping[str, Any] = field(default_factory=dict)
    stream: str | None = None
    model: str | None = None
    version: str | None = None

    @classmethod
    def read(cls, told: Mapping[str, Any]) -> Prediction:
        """Of the JSON that came. Raises ServerFailed for what is no prediction."""
        found, urls = told.get("id"), told.get("urls")
        if not (isinstance(found, str) and _ID.fullmatch(found) and isinstance(told.get("status"), str)):
            raise ServerFailed("this is no prediction of Replicate", status=None)
        stream = urls.get("stream") if isinstance(urls, dict) else None
        metrics = told.get("metrics")
        return cls(
            found,
            told["status"],
            told.get("output"),
            _text(told.get("error")),
            _text(told.get("logs")) or "",
            metrics if isinstance(metrics, dict) else {},
            _text(stream),
            _text(told.get("model")),
            _text(told.get("version")),
        )

    @property
    def ended(self) -> bool:
        """Whether it will change no more; a status that nobody knows goes on."""
        return self.status in ENDS

    @property
    def text(self) -> str:
        """The output as text: a list of pieces is one text, whatever is no text is written as JSON."""
        pieces = self.output if isinstance(self.output, list) else [] if self.output is None else [self.output]
        return "".join(piece if isinstance(piece, str) else json.dumps(piece) for piece in pieces)

    def number(self, name: str) -> float | None:
        """A metric that is a number from 0 on; None where it is not told."""
        told = self.metrics.get(name)
        right = isinstance(told, int | float) and not isinstance(told, bool) and 0 <= told < 1e12
        return told if right else None

    def count(self, name: str) -> int | None:
        """A metric that is a whole number."""
        told = self.number(name)
        return None if told is None else int(told)


class ReplicateApi:
    """The calls of one address, one at a time. Raises EngineError only. `deadline_s` ends a prediction that runs
    longer, wherever we are by then.
    """

    def __init__(
        self,
        base_url: str,
        key: str | None,
        tls: ssl.SSLContext,
        *,
        deadline_s: int = 600,
        seconds: float = CALL_S,
        reach: Reach | None = None,
    ) -> None:
        self.address = root_of(base_url)
        self.line = Line(self.address, key, tls, reach=reach)
        self._wire = _Wire(self.line, self.address, key or None, deadline_s, seconds)
        # the client pools nothing itself: its transport is ours
        self._client = Client(api_token=key or NO_KEY, base_url=self.address, transport=self._wire)

    def __enter__(self) -> ReplicateApi:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def create(self, reference: Reference, body: Mapping[str, Any]) -> Prediction:
        """A prediction that was begun with that body, `version` in it or not. Never asked twice: it costs money."""
        create, given = self._client.predictions.create, dict(body)
        target = {"version": given.pop("version")} if "version" in given else {"model": reference.path}
        return Prediction.read(self._told(lambda: create(**target, **given), reference.path))

    def get(self, prediction_id: str) -> Prediction:
        """The prediction as it is now."""
        return Prediction.read(self._told(lambda: self._client.predictions.get(prediction_id)))

    def cancel(self, prediction_id: str) -> Prediction:
        """The prediction once it is told to end."""
        return Prediction.read(self._told(lambda: self._client.predictions.cancel(prediction_id)))

    def describe(self, reference: Reference) -> Described:
        """What the model takes, of the version that will be asked. Raises UnknownModel."""
        if version := reference.version:
            versions, wanted = Versions(self._client, (reference.owner, reference.name)), version
            return _described(self._told(lambda: versions.get(wanted), reference.path), version)
        told = self._told(lambda: self._client.models.get(reference.path), reference.path)
        latest = told.get("latest_version")
        latest = latest if isinstance(latest, dict) else {}
        official, newest = told.get("is_official"), _text(latest.get("id"))
        version = None if official or newest in (None, "hidden") else newest
        return _described(latest, version, _text(told.get("description")) or "")

    def account(self) -> str:
        """Whose key it is."""
        return _text(self._told(lambda: self._client.accounts.current()).get("username")) or ""

    def collection(self, slug: str) -> tuple[str, ...]:
        """The models of one of Replicate's own lists, as owner/name."""
        told = self._told(lambda: self._client.collections.get(slug)).get("models")
        rows = [row for row in told if isinstance(row, dict)] if isinstance(told, list) else []
        names = (f"{row.get('owner')}/{row.get('name')}" for row in rows)
        return tuple(name for name in names if _MODEL.fullmatch(name))

    def close(self) -> None:
        """Give the connection back."""
        self.line.close()

    def _told(self, call: Callable[[], Any], model: str = "") -> dict[str, Any]:
        """The JSON object behind a call of the client, also where its classes do not take it."""
        self._wire.model, self._wire.told = model, None
        with contextlib.suppress(ValueError, TypeError):  # pydantic's ValidationError is one
            call()
        if not isinstance(self._wire.told, dict):
            raise ServerFailed(f"{self.address} sent what is not Replicate's", status=None)
        return self._wire.told


class _Wire(httpx.BaseTransport):
    """The client's transport over a Line: bounded, with our key or none, and without its endless retries."""

    def __init__(self, line: Line, address: str, key: str | None, deadline_s: int, seconds: float) -> None:
        self.model = ""
        self.told: Any = None
        self._line, self._address, self._key, self._deadline_s = line, address, key, deadline_s
        self._timeout = httpx.Timeout(seconds, connect=min(CONNECT_S, seconds))
        self._seconds = seconds

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """The whole answer. Raises EngineError for every one that is no success."""
        headers = {**PLAIN, "Accept": "application/json"}
        if content_type := request.headers.get("content-type"):
            headers["Content-Type"] = content_type
        if request.method == "POST" and request.url.path.endswith("/predictions"):
            headers["Cancel-After"] = f"{self._deadline_s}s"
        client = self._line.client
        asked = client.build_request(
            request.method, request.url, content=request.read(), headers=headers, timeout=self._timeout
        )
        with self._mapped(), contextlib.closing(client.send(asked, stream=True)) as response:
            if not response.is_success:
                raise self._refused(response)
            data = read_bounded(response, ANSWER_MAX)
            if len(data) > ANSWER_MAX:
                raise endless(self._address)
            self.told = parsed(data.decode(errors="replace"), self._address)
            return httpx.Response(response.status_code, content=data, request=request)

    def _refused(self, response: httpx.Response) -> EngineError:
        text = read_bounded(response, ERROR_MAX).decode(errors="replace")
        message = hidden(_said(text) or f"HTTP {response.status_code}", self._key)[:SHOWN_MAX]
        if told := prompt_too_long(message):
            return told
        if response.status_code == 404 and self.model:
            return UnknownModel(message, model=self.model)
        found = _FIELD.search(text[:SHOWN_MAX])
        if response.status_code in (400, 422) and found is None and "version" in message.lower():
            return UnknownModel(message, model=self.model)
        error = by_status(
            response.status_code, message, response.headers, address=self._address, model=self.model,
            parameter=found[1] if found else None,
        )  # fmt: skip
        if isinstance(error, BadParameter):
            error.details["reason"] = "replicate_input"
        return error

    @contextlib.contextmanager
    def _mapped(self) -> Iterator[None]:
        try:
            yield
        except (httpx.HTTPError, httpx.StreamError, OSError) as error:
            told = explained(error, self._address, 0, self._seconds)
            raise told from (None if self._key and self._key in repr(error) else error)


def prompt_too_long(message: str) -> PromptTooLong | None:
    """The error where these words say so."""
    if told := too_long(message):
        return told
    return PromptTooLong(None, None) if any(words in message for words in _TOO_LONG) else None


def _described(version: Mapping[str, Any], asked: str | None, description: str = "") -> Described:
    """What the OpenAPI document of a version says; its references are replaced by what they name."""
    document = version.get("openapi_schema")
    components = document.get("components") if isinstance(document, dict) else None
    schemas = components.get("schemas") if isinstance(components, dict) else None
    named = schemas if isinstance(schemas, dict) else {}
    told = named.get("Input")
    told = told if isinstance(told, dict) else {}
    rows = told.get("properties")
    properties = rows if isinstance(rows, dict) else {}
    inputs = {str(name): _whole(row, named) for name, row in properties.items() if isinstance(row, dict)}
    ordered = dict(sorted(inputs.items(), key=lambda one: _order(one[1])))
    required = told.get("required")
    output = named.get("Output")
    return Described(
        asked,
        ordered,
        frozenset(map(str, required)) if isinstance(required, list) else frozenset(),
        output if isinstance(output, dict) else {},
        description,
    )


def _whole(row: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    """A property with what `allOf` refers to: that is where a choice of values lies."""
    parts = row.get("allOf")
    for part in parts if isinstance(parts, list) else ():
        reference = part.get("$ref") if isinstance(part, dict) else None
        target = named.get(reference.rpartition("/")[2]) if isinstance(reference, str) else None
        if isinstance(target, dict):
            row = {**target, **row}
    return _without_null(row, named)


def _without_null(row: Mapping[str, Any], named: Mapping[str, Any]) -> Mapping[str, Any]:
    """What may be null as well, in either way of writing it, as what it is otherwise."""
    told, kinds = row.get("type"), row.get("anyOf")
    if isinstance(told, list):
        rest = [one for one in told if one != "null"]
        return {**row, "type": rest[0]} if len(rest) == 1 else row
    if not isinstance(kinds, list):
        return row
    others = [one for one in kinds if isinstance(one, dict) and one.get("type") != "null"]
    if len(others) != 1 or "anyOf" in others[0]:
        return row
    reference = others[0].get("$ref")
    target = named.get(reference.rpartition("/")[2]) if isinstance(reference, str) else others[0]
    return {**target, **row} if isinstance(target, dict) else row


def _order(row: Mapping[str, Any]) -> float:
    told = row.get("x-order")
    return told if isinstance(told, int | float) else 1e9


def _said(text: str) -> str | None:
    """What an error's body says: Replicate writes `title` and `detail`."""
    try:
        body = json.loads(text)
    except (ValueError, RecursionError):
        return None
    told = body if isinstance(body, dict) else {}
    words = [one.strip() for one in (told.get("title"), told.get("detail")) if isinstance(one, str) and one.strip()]
    return ": ".join(words) or None


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) else None
