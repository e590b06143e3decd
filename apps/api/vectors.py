"""`/v1/embeddings` and `/v1/rerank`: vectors of texts and the order of texts, by the engine's own embedders and
rerankers. Knows no socket.
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
from typing import TYPE_CHECKING, Annotated, Any, Literal

from anyio import to_thread
from pydantic import Field, StrictBool, StrictInt, StrictStr
from starlette.responses import JSONResponse, Response

from apps.api.bodies import Open, checked
from apps.api.errors import ApiError
from apps.api.metering import meter
from engine.errors import NotFound, NotSupported, UnknownModel
from engine.types import Usage

if TYPE_CHECKING:
    from starlette.types import ASGIApp

    from apps.api.call import Call
    from engine.engine import Engine
    from engine.rag.rerank import Reranker
    from engine.rag.values import Embedder

INPUTS_MAX = 2048  # OpenAI's
CHARACTERS_MAX = 1_000_000  # of all texts of one request
BATCH = 16  # texts between two looks at whether the client is still there, and between two clients
GONE = 499  # as nginx writes it; nobody reads it


class EmbeddingsBody(Open):
    """The body of `/v1/embeddings`; `input_type` says whether the texts are looked for or looked up."""

    model: StrictStr | None = None
    input: StrictStr | Annotated[list[StrictStr], Field(min_length=1, max_length=INPUTS_MAX)]
    encoding_format: Literal["float", "base64"] | None = None
    dimensions: Annotated[StrictInt, Field(ge=1, le=65536)] | None = None
    input_type: Literal["document", "passage", "query"] | None = None
    user: StrictStr | None = None


class Document(Open):
    """A text to be ranked."""

    text: StrictStr


class RerankBody(Open):
    """The body of `/v1/rerank`, as Jina, Cohere and llama.cpp write it."""

    model: StrictStr | None = None
    query: Annotated[StrictStr, Field(min_length=1)]
    documents: Annotated[list[StrictStr | Document], Field(min_length=1, max_length=INPUTS_MAX)]
    top_n: Annotated[StrictInt, Field(ge=1)] | None = None
    return_documents: StrictBool | None = None


def embedding_models(engine: Engine) -> list[dict[str, Any]]:
    """The bundled embedders that work here, as rows of the list of models; files are models of the catalogue."""
    from engine.rag.embedders import GGUF, options

    return [
        {"id": one.name, "object": "model", "created": 0, "owned_by": "embeddings",
         "meta": {"type": "embeddings", "title": one.title, "dimensions": one.dimensions, "n_ctx": one.tokens_max}}
        for one in options()
        if one.problem is None and not one.name.startswith(GGUF)
    ]  # fmt: skip


def embedder_name(engine: Engine, wanted: str | None) -> str:
    """The embedder that a model's name means; None is the default one. Raises UnknownModel, NotSupported for a model
    that writes.
    """
    from engine.rag.embedders import GGUF, REMOTE, default_embedder, options

    if wanted is None:
        return default_embedder()
    if wanted.startswith((GGUF, REMOTE)) or wanted in {one.name for one in options()}:
        return wanted
    card = engine.catalog.card(wanted)
    if card.endpoint is not None:
        return f"{REMOTE}{card.endpoint.provider.id}:{card.endpoint.model}"
    if card.kind == "embedding" and card.files and not card.problem:
        return f"{GGUF}{card.id}"
    raise NotSupported(f"{card.id} writes and embeds nothing", capability="embeddings", backend=card.backend)


def reranker_of(call: Call, wanted: str | None) -> Reranker:
    """The reranker of that name, the first one there is for None. Raises UnknownModel, NotSupported, BadInput."""
    from engine.rag.rerank import GGUF, reranker, rerankers

    if wanted is None:
        wanted = next(iter(rerankers(call.engine)), None)
        if wanted is None:
            raise NotSupported("there is no reranker here: put its GGUF file among the models", capability="rerank")
    elif not wanted.startswith(GGUF):
        wanted = f"{GGUF}{call.engine.catalog.card(wanted).id}"
    try:
        return reranker(wanted, call.engine, role=call.person.role)
    except NotFound as error:
        raise UnknownModel(error.message, model=wanted) from error


class Vectors:
    """Both routes. One batch at a time on this machine: who has many texts does not keep who has one waiting. A far
    server has no turn: one that hangs would keep everybody.
    """

    def __init__(self) -> None:
        self._turn = asyncio.Lock()

    async def embeddings(self, call: Call) -> ASGIApp:
        """The vectors of one text or several."""
        body = checked(EmbeddingsBody, await _texts_only(call))
        texts = [body["input"]] if isinstance(body["input"], str) else body["input"]
        _bounded(texts, "input")
        from engine.rag.embedders import REMOTE

        name, embedder = await to_thread.run_sync(_embedder, call, body.get("model"))
        if body.get("dimensions") not in (None, embedder.dimensions):
            message = f"dimensions: the vectors of {name} have {embedder.dimensions}"
            raise ApiError(message, code="unsupported_dimensions", param="dimensions")
        rows: list[Any] = []
        tokens = 0
        for start in range(0, len(texts), BATCH):
            if start and await call.request.is_disconnected():
                return Response(status_code=GONE)
            async with contextlib.nullcontext() if name.startswith(REMOTE) else self._turn:
                some = texts[start : start + BATCH]
                vectors, count = await to_thread.run_sync(_embedded, embedder, some, body.get("input_type"))
            rows += [_written(row, body.get("encoding_format")) for row in vectors]
            tokens += count
            meter(call.request.scope).usage = Usage(tokens, 0)
        data = [{"object": "embedding", "index": place, "embedding": row} for place, row in enumerate(rows)]
        usage = {"prompt_tokens": tokens, "total_tokens": tokens}
        return JSONResponse({"object": "list", "model": body.get("model") or name, "data": data, "usage": usage})

    async def rerank(self, call: Call) -> ASGIApp:
        """The documents in the order in which they answer the query, each with its score."""
        body = checked(RerankBody, await call.json())
        texts = [one if isinstance(one, str) else one["text"] for one in body["documents"]]
        _bounded([body["query"], *texts], "documents")
        reranker = await to_thread.run_sync(reranker_of, call, body.get("model"))
        meter(call.request.scope).model = reranker.name
        scores: list[float] = []
        for start in range(0, len(texts), BATCH):
            if start and await call.request.is_disconnected():
                return Response(status_code=GONE)
            async with self._turn:
                some = texts[start : start + BATCH]
                scores += await to_thread.run_sync(reranker.scores, body["query"], some)
        best = sorted(range(len(texts)), key=lambda place: -scores[place])[: body.get("top_n", len(texts))]
        results = [{"index": place, "relevance_score": scores[place]} for place in best]
        if body.get("return_documents"):
            results = [{**row, "document": {"text": texts[row["index"]]}} for row in results]  # type: ignore[index]
        return JSONResponse({"object": "list", "model": body.get("model") or reranker.name, "results": results})


async def _texts_only(call: Call) -> dict[str, Any]:
    body = await call.json()
    given = body.get("input")
    if isinstance(given, list) and given and all(isinstance(one, int | list) for one in given):
        raise ApiError("this model takes text, not token ids", code="unsupported_input", param="input")
    return body


def _embedder(call: Call, wanted: str | None) -> tuple[str, Embedder]:
    from engine.rag.embedders import admit_choice
    from engine.rag.retrieval import Asking

    name = embedder_name(call.engine, wanted)
    meter(call.request.scope).model = name
    try:
        admit_choice(name, call.engine, call.person.role)
        return name, call.engine.embedders.of(call.person.id, name, Asking(call.person.role, lent=call.person.lent))
    except NotFound as error:
        raise UnknownModel(error.message, model=wanted or name) from error


def _bounded(texts: list[str], param: str) -> None:
    if sum(map(len, texts)) > CHARACTERS_MAX:
        message = f"{param}: more than {CHARACTERS_MAX} characters in one request"
        raise ApiError(message, status=413, code="too_much_text", param=param)


def _embedded(embedder: Embedder, texts: list[str], kind: str | None) -> tuple[Any, int]:
    """A row per text, and the tokens of all."""
    rows = [embedder.query(text) for text in texts] if kind == "query" else embedder.passages(texts)
    return rows, sum(embedder.count(text) for text in texts)


def _written(row: Any, encoding: str | None) -> str | list[float]:
    if encoding == "base64":  # what OpenAI's own client asks for: little-endian floats of 32 bits
        return base64.b64encode(row.astype("<f4").tobytes()).decode()
    return [float(number) for number in row]
