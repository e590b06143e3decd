"""Every error of the engine: one tree, stable codes and exact details. Knows no sentence and no language; interfaces
write those.

* EngineError
  + BadInput                 the caller can mend it; exit code 2, HTTP 400
    - BadParameter           name, value, low, high
    - PromptTooLong          prompt_tokens, window
    - UnknownModel           model
    - NotSupported           capability, backend
    - BadTemplate            reason
    - BadGrammar             reason, line, column
    - BadFile                path, reason
    - EmbedderMismatch       collection, expected, given
    - AccessDenied           role; HTTP 403
    - NotFound               what, key; HTTP 404
    - TooManyRequests        limit; a person's own cap, HTTP 429
      - QuotaSpent           quota (requests, tokens), limit and spent of this day, retry_after seconds
  + BackendError             something behind the engine failed; exit code 3, HTTP 502
    - Unreachable            address
    - Unauthorized           status (401, 403)
    - PaymentRequired        status (402)
    - RateLimited            status (429), retry_after seconds or None
    - ServerFailed           status (5xx or an unexpected answer), message
    - StreamCut              received: characters that had arrived
    - TimedOut               seconds
    - ModelFileCorrupt       path, reason
    - LoadFailed             model, reason
    - RuntimeDied            model, exit_code
    - NativeMissing          llama-cpp-python is not there (yet); state
    - JobFailed              job, reason
    - StoreFailed            reason
    - DiskFull               needed, free: bytes; HTTP 507
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar


class EngineError(Exception):
    """What the engine raises: `code` is stable, `details` are JSON values, `retryable` says whether the same call may
    succeed later.
    """

    code: ClassVar[str] = "engine_error"
    retryable: ClassVar[bool] = False
    http_status: ClassVar[int] = 500
    exit_code: ClassVar[int] = 3

    def __init__(self, message: str = "", **details: object) -> None:
        self.details = details
        self.message = message or self.code
        super().__init__(message or f"{self.code} {details}")

    def to_dict(self) -> dict[str, object]:
        """`{"code", "message", "retryable", "details"}`, ready for JSON."""
        return {"code": self.code, "message": self.message, "retryable": self.retryable, "details": self.details}


class BadInput(EngineError):
    code = "bad_input"
    http_status = 400
    exit_code = 2


class BadParameter(BadInput):
    code = "bad_parameter"


class PromptTooLong(BadInput):
    """A prompt of `prompt_tokens` ≥ `window` tokens was refused (llama.cpp: `exceed_context_size_error`); both are None
    where a remote endpoint keeps them to itself.
    """

    code = "prompt_too_long"

    def __init__(self, prompt_tokens: int | None, window: int | None) -> None:
        told = "the prompt is longer than the window" if prompt_tokens is None else ""
        super().__init__(
            told or f"the prompt has {prompt_tokens} tokens, the window {window}",
            prompt_tokens=prompt_tokens,
            window=window,
            **({"reason": "uncounted"} if prompt_tokens is None else {}),
        )
        self.prompt_tokens = prompt_tokens
        self.window = window


class UnknownModel(BadInput):
    code = "unknown_model"
    http_status = 404


class NotSupported(BadInput):
    code = "not_supported"
    http_status = 501


class BadTemplate(BadInput):
    code = "bad_template"


class BadGrammar(BadInput):
    code = "bad_grammar"


class BadFile(BadInput):
    code = "bad_file"


class EmbedderMismatch(BadInput):
    code = "embedder_mismatch"


class AccessDenied(BadInput):
    code = "access_denied"
    http_status = 403


class NotFound(BadInput):
    code = "not_found"
    http_status = 404


class TooManyRequests(BadInput):
    code = "too_many_requests"
    http_status = 429
    retryable = True


class QuotaSpent(TooManyRequests):
    code = "quota_spent"


class BackendError(EngineError):
    code = "backend_error"
    http_status = 502
    retryable = True


class Unreachable(BackendError):
    code = "unreachable"
    http_status = 503


class Unauthorized(BackendError):
    code = "unauthorized"
    retryable = False


class PaymentRequired(BackendError):
    code = "payment_required"
    retryable = False


class RateLimited(BackendError):
    code = "rate_limited"
    http_status = 429


class ServerFailed(BackendError):
    code = "server_failed"


class StreamCut(BackendError):
    code = "stream_cut"


class TimedOut(BackendError):
    code = "timed_out"
    http_status = 504


class ModelFileCorrupt(BackendError):
    code = "model_file_corrupt"
    retryable = False
    http_status = 500


class LoadFailed(BackendError):
    code = "load_failed"
    http_status = 503


class RuntimeDied(BackendError):
    code = "runtime_died"
    http_status = 503


class NativeMissing(BackendError):
    code = "native_missing"
    http_status = 503


class JobFailed(BackendError):
    code = "job_failed"
    http_status = 500


class StoreFailed(BackendError):
    code = "store_failed"
    http_status = 500


class DiskFull(BackendError):
    code = "disk_full"
    retryable = False
    http_status = 507


def all_codes() -> tuple[str, ...]:
    """The sorted codes of the whole tree; the catalogues hold a sentence for each."""
    return tuple(sorted({kind.code for kind in _kinds(EngineError)}))


def error_from(data: Mapping[str, Any]) -> EngineError:
    """The error whose `to_dict` another process sent; an unknown code becomes a plain EngineError."""
    kind = next((kind for kind in _kinds(EngineError) if kind.code == data["code"]), EngineError)
    details = dict(data["details"])
    if kind is PromptTooLong:
        return PromptTooLong(details["prompt_tokens"], details["window"])
    return kind(data["message"], **details)


def _kinds(root: type[EngineError]) -> Iterator[type[EngineError]]:
    yield root
    for kind in root.__subclasses__():
        yield from _kinds(kind)
