"""The description of our routes in OpenAPI 3.1, made from the models that check the bodies. Knows no request."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from pydantic import BaseModel

from apps.api.bodies import ChatBody, CompletionBody
from apps.api.messages import CountBody, MessagesBody
from apps.api.responses import ResponsesBody
from apps.api.tokens import DetokenizeBody, TokenizeBody
from apps.api.vectors import EmbeddingsBody, RerankBody
from apps.ui.i18n import Words

Tag = Literal["answers", "models", "texts", "server"]
VERSION = "1"
HELLO = [{"role": "user", "content": "Bonjour"}]


@dataclass(frozen=True)
class Operation:
    """One route: its path and method, what its body must be, an example of one, how it answers. `key` names its
    sentence in the catalogues.
    """

    key: str
    path: str
    tag: Tag
    method: Literal["get", "post"] = "post"
    body: type[BaseModel] | None = None
    example: Mapping[str, Any] | None = None
    answer: str = "application/json"
    status: int = 200
    streams: bool = False
    open: bool = False  # needs neither key nor code


OPERATIONS: tuple[Operation, ...] = (
    Operation("chat", "/v1/chat/completions", "answers", body=ChatBody, example={"messages": HELLO}, streams=True),
    Operation("completions", "/v1/completions", "answers", body=CompletionBody, streams=True,
              example={"prompt": "Il était une fois", "max_tokens": 32}),
    Operation("responses", "/v1/responses", "answers", body=ResponsesBody, example={"input": "Bonjour"}, streams=True),
    Operation("messages", "/v1/messages", "answers", body=MessagesBody, streams=True,
              example={"max_tokens": 64, "messages": HELLO}),
    Operation("models", "/v1/models", "models", "get"),
    Operation("model", "/v1/models/{model}", "models", "get"),
    Operation("embeddings", "/v1/embeddings", "texts", body=EmbeddingsBody, example={"input": "Bonjour"}),
    Operation("rerank", "/v1/rerank", "texts", body=RerankBody,
              example={"query": "capitale de la France", "documents": ["Paris", "Lyon"]}),
    Operation("reranking", "/v1/reranking", "texts", body=RerankBody,
              example={"query": "capitale de la France", "documents": ["Paris", "Lyon"]}),
    Operation("tokenize", "/v1/tokenize", "texts", body=TokenizeBody, example={"content": "Bonjour"}),
    Operation("detokenize", "/v1/detokenize", "texts", body=DetokenizeBody, example={"tokens": [1, 2, 3]}),
    Operation("count_chat", "/v1/chat/completions/input_tokens", "texts", body=ChatBody, example={"messages": HELLO}),
    Operation("count_messages", "/v1/messages/count_tokens", "texts", body=CountBody, example={"messages": HELLO}),
    Operation("openapi", "/v1/openapi.json", "server", "get"),
    Operation("docs", "/docs", "server", "get", answer="text/html"),
    Operation("mcp", "/mcp", "server", example={"jsonrpc": "2.0", "id": 1, "method": "tools/list"}),
    Operation("metrics", "/metrics", "server", "get", answer="text/plain"),
    Operation("upload", "/upload", "server", status=201),
    Operation("healthz", "/healthz", "server", "get", answer="text/plain", open=True),
    Operation("join", "/join", "server", "get", answer="text/html", open=True),
)  # fmt: skip

_PARAMETERS: Mapping[str, Mapping[str, Any]] = {
    "model": {"name": "model", "in": "path", "required": True, "schema": {"type": "string"}},
    "upload": {"name": "name", "in": "query", "required": True, "schema": {"type": "string"}},
}
_ERROR = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["message", "type", "code", "param"],
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "code": {"type": ["string", "null"]},
                "param": {"type": ["string", "null"]},
            },
        }
    },
}


def document(words: Words, root: str = "") -> dict[str, Any]:
    """The whole description, with the sentences of that language; `root` is the path under which a proxy shows us."""
    schemas: dict[str, Any] = {"Error": copy.deepcopy(_ERROR)}
    paths: dict[str, Any] = {}
    for one in OPERATIONS:
        paths.setdefault(one.path, {})[one.method] = _operation(one, words, schemas)
    return {
        "openapi": "3.1.0",
        "info": {"title": words.t("docs.title"), "version": VERSION, "description": words.t("docs.text")},
        "servers": [{"url": root or "/"}],
        "security": [{"bearer": []}, {"key": []}, {}],
        "tags": [{"name": name, "description": words.t(f"docs.tag.{name}")} for name in _tags()],
        "paths": paths,
        "components": {
            "schemas": dict(sorted(schemas.items())),
            "securitySchemes": {
                "bearer": {"type": "http", "scheme": "bearer"},
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
            },
        },
    }


def _tags() -> list[str]:
    return list(dict.fromkeys(one.tag for one in OPERATIONS))


def _operation(one: Operation, words: Words, schemas: dict[str, Any]) -> dict[str, Any]:
    described: dict[str, Any] = {
        "operationId": one.key,
        "tags": [one.tag],
        "summary": words.t(f"docs.op.{one.key}"),
        "responses": _responses(one, words),
    }
    if one.key in _PARAMETERS:
        described["parameters"] = [dict(_PARAMETERS[one.key])]
    if one.key == "upload":
        binary = {"schema": {"type": "string", "format": "binary"}}
        described["requestBody"] = {"required": True, "content": {"application/octet-stream": binary}}
    elif one.method == "post":
        content: dict[str, Any] = {"schema": _schema(one.body, schemas) if one.body else {"type": "object"}}
        if one.example is not None:
            content["example"] = one.example
        described["requestBody"] = {"required": True, "content": {"application/json": content}}
    if one.open:
        described["security"] = []
    return described


def _responses(one: Operation, words: Words) -> dict[str, Any]:
    kinds = [one.answer, *(["text/event-stream"] if one.streams else [])]
    good = {kind: {"schema": {"type": "object" if kind == "application/json" else "string"}} for kind in kinds}
    told: dict[str, Any] = {str(one.status): {"description": words.t("docs.good"), "content": good}}
    failed = {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}}
    return told | {"default": {"description": words.t("docs.bad"), "content": failed}}


def _schema(body: type[BaseModel], schemas: dict[str, Any]) -> dict[str, Any]:
    """A reference to the schema of a body, which goes into `schemas` with all that it refers to."""
    made = body.model_json_schema(ref_template="#/components/schemas/{model}")
    for name, schema in {**made.pop("$defs", {}), body.__name__: made}.items():
        if schemas.setdefault(name, schema) != schema:
            raise RuntimeError(f"two bodies have a part called {name}")
    return {"$ref": f"#/components/schemas/{body.__name__}"}
