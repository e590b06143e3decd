"""`/v1/tokenize`, `/v1/detokenize` and counts of prompts, by the model's own tokenizer. Knows no answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from anyio import to_thread
from pydantic import Field, StrictBool, StrictInt, StrictStr
from starlette.responses import JSONResponse

from apps.api import messages
from apps.api.bodies import ChatBody, ChatMessage, Open, check_token_ids, checked
from apps.api.errors import ApiError, whose
from apps.api.local import _vocabulary as vocabulary
from apps.api.metering import meter
from apps.api.remote import Told
from engine.errors import EngineError, NotSupported, ServerFailed

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from apps.api.call import Call
    from engine.engine import Engine
    from engine.model import Model
    from engine.runtime.client import LlamaServer

TOKENS_MAX = 1_000_000


class TokenizeBody(Open):
    """The body of `/v1/tokenize`: a text as llama.cpp (`content`) or vLLM (`prompt`) calls it, or the messages of a
    chat, with the model's template around them.
    """

    model: StrictStr | None = None
    content: StrictStr | None = None
    prompt: StrictStr | None = None
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=4096)] | None = None
    add_special: StrictBool | None = None
    parse_special: StrictBool | None = None
    with_pieces: StrictBool | None = None


class DetokenizeBody(Open):
    """The body of `/v1/detokenize`."""

    model: StrictStr | None = None
    tokens: Annotated[list[StrictInt], Field(max_length=TOKENS_MAX)]


async def tokenize(call: Call) -> ASGIApp:
    """Token ids of a text or of the messages of a chat, and how many."""
    body = checked(TokenizeBody, await call.json())
    if sum(name in body for name in ("content", "prompt", "messages")) != 1:
        raise ApiError("one of content, prompt and messages is needed", param="content")
    model = await call.answering(body.get("model"))
    try:
        told = await to_thread.run_sync(_tokenized, call, model, body)
    except ServerFailed as error:
        raise whose(error, model.card.backend) from error
    window = await to_thread.run_sync(model.window)
    return JSONResponse({"tokens": told, "count": len(told), "max_model_len": window, "model": model.card.id})


async def detokenize(call: Call) -> ASGIApp:
    """The text of token ids."""
    body = checked(DetokenizeBody, await call.json())
    model = await call.answering(body.get("model"))
    text = await to_thread.run_sync(_text, call.engine, model, body["tokens"])
    return JSONResponse({"content": text, "prompt": text, "model": model.card.id})


async def input_tokens(call: Call) -> ASGIApp:
    """How many tokens the prompt of a chat request has."""
    body = checked(ChatBody, await call.json())
    count = await _count(call, body)
    return JSONResponse({"object": "response.input_tokens", "input_tokens": count})


async def message_tokens(call: Call) -> ASGIApp:
    """The same for a request in Anthropic's words."""
    try:
        asked = checked(messages.CountBody, await call.json())
        count = await _count(call, checked(ChatBody, messages.to_chat(asked)))
    except EngineError as error:
        meter(call.request.scope).failed(error)
        return messages.refused(error)
    return JSONResponse({"input_tokens": count})


async def _count(call: Call, body: dict[str, Any]) -> int:
    model = await call.answering(body.get("model"))
    said, params, extra = Told(model, call.person.id, body)._said()
    try:
        return await to_thread.run_sync(lambda: model.count(model.request(said, params, extra=extra)))
    except ServerFailed as error:
        raise whose(error, model.card.backend) from error


def _tokenized(call: Call, model: Model, body: dict[str, Any]) -> list[Any]:
    pieces = body.get("with_pieces", False)
    if "messages" in body:
        said, params, extra = Told(model, call.person.id, {"messages": body["messages"]})._said()
        rendered = model.render(model.request(said, params, extra=extra))
    elif (server := _server(call.engine, model)) is not None:
        asked = {name: body[name] for name in ("add_special", "parse_special") if name in body}
        text = body.get("content", body.get("prompt", ""))
        tokens: list[Any] = server.post("/tokenize", {"content": text, **asked, "with_pieces": pieces})["tokens"]
        return tokens
    else:
        rendered = model.render(model.request((), raw=body.get("content", body.get("prompt", ""))))
    if not pieces:
        return list(rendered.tokens)
    found = zip(rendered.tokens, rendered.pieces, strict=True)
    return [{"id": token, "piece": piece if isinstance(piece, str) else list(piece)} for token, piece in found]


def _text(engine: Engine, model: Model, tokens: list[int]) -> str:
    server = _server(engine, model)
    if server is None:
        raise NotSupported(
            f"{model.card.id} cannot read token ids", capability="detokenize", backend=model.backend.name
        )
    if tokens:
        check_token_ids({"prompt": tokens}, vocabulary(server))
    return str(server.post("/detokenize", {"tokens": tokens})["content"])


def _server(engine: Engine, model: Model) -> LlamaServer | None:
    """The loaded server of a model of this machine."""
    runtime = engine.runtime(model.card.id) if model.card.backend == "llamacpp" else None
    if runtime is None:
        return None
    for _ in runtime.ready():
        pass
    return runtime.server
