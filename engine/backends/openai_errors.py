"""What goes wrong at a remote endpoint, as errors of the engine. Knows no request; never repeats a key."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import httpx
import openai

from engine.backends.http_errors import by_status, hidden, too_long
from engine.errors import (
    EngineError,
    PaymentRequired,
    PromptTooLong,
    ServerFailed,
    StreamCut,
    TimedOut,
    Unreachable,
)


@contextmanager
def mapped(address: str, model: str, key: str | None, received: Callable[[], int]) -> Iterator[None]:
    """A block around a call and the loop over its stream; what openai and httpx raise leaves it as an EngineError.

    `received` tells how many characters of the answer have come.
    """
    try:
        yield
    except (openai.APIError, httpx.HTTPError, httpx.StreamError, ValueError, RecursionError, OSError) as error:
        if isinstance(error, openai.APIStatusError):
            explained: EngineError | None = _refused(error, address, model, key)
        else:
            explained = _broken(error, address, key, received())
        if explained is None:
            raise
        # An answer that repeats the key must not come back through the traceback either.
        told = explained is _first(error) or (key and key in repr(error))
        raise explained from (None if told else error)


def _broken(error: Exception, address: str, key: str | None, received: int) -> EngineError | None:
    cause = _first(error)
    if isinstance(cause, EngineError):  # of the connection's making; openai says that there is none
        return cause
    if isinstance(error, openai.APITimeoutError | httpx.TimeoutException):
        connecting = isinstance(error, httpx.ConnectTimeout) or isinstance(cause, httpx.ConnectTimeout)
        if connecting:
            return Unreachable(f"{address} does not answer", address=address)
        return TimedOut(f"nothing more came from {address}", seconds=_read_timeout(error))
    if isinstance(error, openai.APIConnectionError | httpx.ConnectError):
        lost = isinstance(cause, httpx.RemoteProtocolError | httpx.ReadError)
        if lost:
            return StreamCut(f"{address} hung up", received=received)
        return Unreachable(f"{address} cannot be reached", address=address)
    if isinstance(error, openai.APIError):  # an error object in the middle of a stream
        return _too_long(error) or ServerFailed(hidden(error.message, key), status=None)
    if isinstance(error, httpx.HTTPError | httpx.StreamError | OSError):
        return StreamCut(f"the connection to {address} broke", received=received)
    if isinstance(error, RecursionError):
        return ServerFailed(f"{address} sent JSON that is nested too deeply", status=None)
    if isinstance(error, UnicodeDecodeError | json.JSONDecodeError):
        return ServerFailed(f"{address} sent what is not JSON", status=None)
    return None


def _first(error: BaseException) -> BaseException:
    """What openai's and LangChain's errors around it are about."""
    while isinstance(error, openai.APIError) and error.__cause__ is not None:
        error = error.__cause__
    return error


def _refused(error: openai.APIStatusError, address: str, model: str, key: str | None) -> EngineError:
    status, message = error.status_code, hidden(_message(error), key)
    if status in (400, 413, 422) and (told := _too_long(error)):
        return told
    if "insufficient_quota" in (error.code, error.type):
        return PaymentRequired(message, status=status)
    headers = error.response.headers
    return by_status(status, message, headers, address=address, model=model, parameter=_parameter(error))


def _too_long(error: openai.APIError) -> PromptTooLong | None:
    body, text = _detail(error), f"{error.message} {error.body}"
    if body.get("type") == "exceed_context_size_error" and "n_prompt_tokens" in body:
        return PromptTooLong(int(body["n_prompt_tokens"]), int(body["n_ctx"]))
    return too_long(text)


def _detail(error: openai.APIError) -> Mapping[str, Any]:
    """The inner error object; openai has unwrapped `{"error": …}` already, where there was one."""
    return error.body if isinstance(error.body, dict) else {}


def _message(error: openai.APIStatusError) -> str:
    detail = _detail(error)
    told = detail.get("message") or detail.get("detail")
    if isinstance(told, list):
        return "; ".join(f"{'.'.join(map(str, entry.get('loc', ())))}: {entry.get('type', '')}" for entry in told)
    return str(told) if told else f"HTTP {error.status_code}"


def _parameter(error: openai.APIStatusError) -> str | None:
    detail = _detail(error).get("detail")
    if isinstance(detail, list) and detail and detail[0].get("loc"):
        return str(detail[0]["loc"][-1])
    return error.param


def _read_timeout(error: Exception) -> float | None:
    request = getattr(error, "request", None)
    timeout = request.extensions.get("timeout", {}) if isinstance(request, httpx.Request) else {}
    return timeout.get("read")
