"""Errors in OpenAI's shape: `{"error": {"message", "type", "code", "param"}}`. Knows no route."""

from __future__ import annotations

import json
from typing import Any

from starlette.responses import JSONResponse

from engine.errors import (
    BadInput,
    BadParameter,
    EngineError,
    PromptTooLong,
    QuotaSpent,
    RateLimited,
    ServerFailed,
    TooManyRequests,
    UnknownModel,
)

CODES = {
    "prompt_too_long": "context_length_exceeded",
    "unknown_model": "model_not_found",
    "quota_spent": "insufficient_quota",
}


class ApiError(EngineError):
    """An error of the request itself, found before any model was asked."""

    def __init__(self, message: str, *, status: int = 400, code: str = "invalid_value", param: str | None = None):
        super().__init__(message, param=param)
        self.status, self.name, self.param = status, code, param


def shape(error: EngineError) -> dict[str, Any]:
    """The error as OpenAI writes it; a prompt that is too long keeps llama.cpp's type and both numbers besides."""
    if isinstance(error, ApiError):
        body = {"message": error.message, "type": "invalid_request_error", "code": error.name, "param": error.param}
        return {"error": body}
    body = {
        "message": error.message,
        "type": _type(error),
        "code": CODES.get(error.code, error.code),
        "param": error.details.get("param") or error.details.get("name"),
    }
    if isinstance(error, PromptTooLong):
        counts = {"n_prompt_tokens": error.prompt_tokens, "n_ctx": error.window}
        body = {**body, "type": "exceed_context_size_error", "param": "messages", **counts}
    if isinstance(error, UnknownModel):
        body["param"] = "model"
    return {"error": body}


def _type(error: EngineError) -> str:
    if isinstance(error, QuotaSpent):
        return "insufficient_quota"
    if isinstance(error, TooManyRequests | RateLimited):
        return "rate_limit_error"
    return "invalid_request_error" if isinstance(error, BadInput) else "server_error"


def whose(error: EngineError, backend: str) -> EngineError:
    """The error as the client's where a live runtime of ours said 500: that is what llama.cpp says of messages that a
    template cannot write.
    """
    ours = backend == "llamacpp" and isinstance(error, ServerFailed) and error.details.get("status") == 500
    if not ours or "Context size" in error.message:
        return error
    return BadParameter(error.message, name=None, value=None, low=None, high=None)


def status_of(error: EngineError) -> int:
    """The HTTP status of an error."""
    return error.status if isinstance(error, ApiError) else error.http_status


def response(error: EngineError, request_id: str | None = None) -> JSONResponse:
    """The whole answer for an error that comes before the first byte."""
    headers = {"X-Request-Id": request_id} if request_id else {}
    wait = error.details.get("retry_after")
    if error.retryable:
        headers["Retry-After"] = str(int(wait)) if isinstance(wait, int | float) else "1"
    return JSONResponse(shape(error), status_of(error), headers)


def event(error: EngineError) -> bytes:
    """The last event of a stream that had begun."""
    return b"data: " + json.dumps(shape(error), ensure_ascii=False).encode() + b"\n\n"
