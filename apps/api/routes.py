"""The routes of `/v1` and `/runtime`: who may, what is valid, which kind of model answers. Knows no socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from anyio import to_thread
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from apps.api import errors, grounded, messages, offered
from apps.api.bodies import ChatBody, CompletionBody, checked
from apps.api.call import Call
from apps.api.configured import filled
from apps.api.docs import description, page
from apps.api.errors import ApiError
from apps.api.grounded import FromDocuments
from apps.api.local import Pass
from apps.api.mcp import mcp
from apps.api.metering import meter, metrics
from apps.api.offered import FromPreset
from apps.api.remote import Told
from apps.api.reshaped import Reshaped
from apps.api.responses import Responses, ResponsesBody, to_chat
from apps.api.runtimes import load, ps, unload
from apps.api.sending import Answering
from apps.api.tokens import detokenize, input_tokens, message_tokens, tokenize
from apps.api.vectors import Vectors, embedding_models
from engine.catalog import ModelCard
from engine.errors import AccessDenied, EngineError, NotSupported
from engine.output import check_body
from engine.runtime.supervisor import LocalRuntime

GETS = frozenset({"props", "slots", "health"})
POSTS = frozenset({"apply-template", "tokenize", "detokenize", "v1/chat/completions/input_tokens"})
ANSWERS = frozenset({"completion", "v1/chat/completions"})

Verb = Callable[[Call], Awaitable[ASGIApp]]


async def models(call: Call) -> ASGIApp:
    """The list of models: those that write, those that embed or rank, published presets, one's collections."""
    return JSONResponse({"object": "list", "data": await to_thread.run_sync(_all_listed, call)})


def _all_listed(call: Call) -> list[dict[str, Any]]:
    engine = call.engine
    collections = engine.collections.list(call.person.reads)
    cards = (card for card in engine.catalog.cards() if engine.may_load(card, call.person.role))
    rows = [*map(_listed, cards), *embedding_models(engine)]
    return [*rows, *map(offered.listed, engine.published.list()), *map(grounded.listed, collections)]


async def model(call: Call) -> ASGIApp:
    """One model, by its id or an alias."""
    name = call.request.path_params["model"]
    if name.startswith(grounded.PREFIX):
        return JSONResponse(grounded.listed(await call.collection(name)))
    if (offer := await call.offer(name)) is not None:
        return JSONResponse(offered.listed(offer))
    rows = {row["id"]: row for row in embedding_models(call.engine)}
    if name in rows:
        return JSONResponse(rows[name])
    found = await call.model(name)
    return JSONResponse(_listed(found.card))


def _listed(card: ModelCard) -> dict[str, Any]:
    meta = {"type": card.kind, "quantization": card.quantization, "n_ctx": card.window, "aliases": list(card.aliases)}
    return {"id": card.id, "object": "model", "created": 0, "owned_by": card.backend, "meta": meta}


async def chat(call: Call) -> ASGIApp:
    """An answer to a conversation."""
    return Answering(await _chat(call, checked(ChatBody, await call.json())))


async def responses(call: Call) -> ASGIApp:
    """The same in the words of OpenAI's Responses protocol."""
    asked = checked(ResponsesBody, await call.json())
    inner = await _chat(call, checked(ChatBody, to_chat(asked)))
    return Answering(Reshaped(inner, Responses(asked, inner.id)))


async def anthropic(call: Call) -> ASGIApp:
    """The same in the words of Anthropic's Messages protocol."""
    try:
        asked = checked(messages.MessagesBody, await call.json())
        inner = await _chat(call, checked(ChatBody, messages.to_chat(asked)))
    except EngineError as error:
        meter(call.request.scope).failed(error)
        return messages.refused(error)
    return Answering(Reshaped(inner, messages.Messages(asked, inner.id)))


async def _chat(call: Call, body: dict[str, Any]) -> Pass | Told:
    name = body.get("model") or ""
    if name.startswith(grounded.PREFIX):
        collection, model = await call.collection(name), await call.model(grounded.asked(body).model)
        return FromDocuments.of(call.engine, call.person, model, collection, body)
    if (offer := await call.offer(name)) is not None:
        return await to_thread.run_sync(FromPreset.asked_of, call.engine, call.person, offer, body)
    return await _asked(call, body, "/v1/chat/completions")


async def completions(call: Call) -> ASGIApp:
    """What follows a text."""
    body = checked(CompletionBody, await call.json())
    if isinstance(body["prompt"], list) and isinstance(body["prompt"][0], str):
        body["prompt"] = body["prompt"][0]
    if await call.offer(body.get("model")) is not None:
        raise ApiError(
            "a preset answers conversations: ask /v1/chat/completions", code="not_a_text_model", param="model"
        )
    return Answering(await _asked(call, body, "/v1/completions"))


async def unknown(call: Call) -> ASGIApp:
    """A path that is none of ours."""
    raise ApiError(f"no such route: {call.request.url.path}", status=404, code="unknown_url")


async def _asked(call: Call, body: dict[str, Any], route: str) -> Pass | Told:
    model = await call.model(body.get("model"))
    if model.card.kind != "chat":
        raise NotSupported(f"{model.card.id} writes no answers", capability="chat", backend=model.backend.name)
    body = await to_thread.run_sync(filled, model, body)
    if model.card.backend == "llamacpp":
        runtime = await to_thread.run_sync(call.engine.runtime, model.card.id)
        if runtime is not None:
            _only_text(body)
            await to_thread.run_sync(check_body, body)
            return Pass(call.engine, runtime, model.card.id, route, call.person.id, body)
    return Told(model, call.person.id, body, chat=route.endswith("chat/completions"))


def _only_text(body: Mapping[str, Any]) -> None:
    for message in body.get("messages", ()):
        parts = message.get("content")
        if isinstance(parts, list) and any(part["type"] != "text" or "text" not in part for part in parts):
            raise ApiError("this model reads text only", code="unsupported_content", param="messages")


async def runtime(call: Call) -> ASGIApp:
    """What the runtime tells or computes for an attached process; answers are admitted like everybody's."""
    served, path = await _attached(call)
    if call.request.method == "GET" and path in GETS:
        return JSONResponse(await to_thread.run_sync(served.server.get, f"/{path}"))
    if call.request.method == "GET" or path not in POSTS | ANSWERS:
        return await unknown(call)
    body = await call.json()
    if path in POSTS:
        return JSONResponse(await to_thread.run_sync(lambda: served.server.post(f"/{path}", body)))
    await to_thread.run_sync(check_body, body)
    interactive = body.pop("interactive", True) is not False
    one = Pass(
        call.engine, served, served.load.alias, f"/{path}", call.person.id, body, interactive=interactive, trace=False
    )
    return Answering(one, whole=False)


async def _attached(call: Call) -> tuple[LocalRuntime, str]:
    if not call.request.scope.get("state", {}).get("attached"):
        raise AccessDenied("the key of the attach file is needed here", role="teacher")
    params = call.request.path_params
    runtime = await to_thread.run_sync(call.engine.runtime, params["model"])
    if runtime is None:
        raise ApiError(f"no local model {params['model']}", status=404, code="model_not_found")
    await to_thread.run_sync(lambda: [None for _ in runtime.ready()])
    return runtime, str(params["path"])


def _route(path: str, verb: Verb, *methods: str) -> Route:
    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        meter(scope).route = path
        try:
            if request.method not in methods:
                raise ApiError(f"{request.method} is not for {path}", status=405, code="method_not_allowed")
            answer = await verb(Call(request))
        except EngineError as error:
            meter(scope).failed(error)
            answer = errors.response(error)
        await answer(scope, receive, send)

    return Route(path, _Plain(endpoint))


class _Plain:
    """Keeps Starlette from wrapping an ASGI function as one that takes a request."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._app(scope, receive, send)


def api() -> ASGIApp:
    """The ASGI application of everything under `/v1` and `/runtime`; the guard stands before it."""
    vectors = Vectors()
    return Router(
        [
            _route("/v1/models", models, "GET"),
            _route("/v1/models/{model:path}", model, "GET"),
            _route("/v1/chat/completions", chat, "POST"),
            _route("/v1/completions", completions, "POST"),
            _route("/v1/responses", responses, "POST"),
            _route("/v1/messages", anthropic, "POST"),
            _route("/v1/messages/count_tokens", message_tokens, "POST"),
            _route("/v1/chat/completions/input_tokens", input_tokens, "POST"),
            _route("/v1/embeddings", vectors.embeddings, "POST"),
            _route("/v1/rerank", vectors.rerank, "POST"),
            _route("/v1/reranking", vectors.rerank, "POST"),
            _route("/v1/tokenize", tokenize, "POST"),
            _route("/v1/detokenize", detokenize, "POST"),
            _route("/v1/openapi.json", description, "GET"),
            _route("/docs", page, "GET"),
            _route("/mcp", mcp, "POST"),
            _route("/metrics", metrics, "GET"),
            _route("/runtime/ps", ps, "GET"),
            _route("/runtime/load", load, "POST"),
            _route("/runtime/unload", unload, "POST"),
            _route("/runtime/{model}/{path:path}", runtime, "GET", "POST"),
            _route("/{path:path}", unknown, "GET", "POST"),
        ]
    )
