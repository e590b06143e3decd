"""One conversation with the Hugging Face hub: a session, headers, and every refusal as an error of ours. Knows neither
models nor files.

Through huggingface_hub's session and its reading of refusals, with headers of our own: its API class would send the
token that lies in the home folder, say which tools run here, and repeat a refused connection for 23 s.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from engine.errors import (
    BackendError,
    BadInput,
    EngineError,
    NotFound,
    RateLimited,
    ServerFailed,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from engine.settings import loading_with

if TYPE_CHECKING:
    import httpx2
    from huggingface_hub.errors import HfHubHTTPError

CONNECT_S = 15.0
ANSWER_MAX = 32 * 2**20  # bytes of a list
READ_S = 60.0  # the first byte of a large file may come late
QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_IMPLICIT_TOKEN": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


class HubSession:
    """Requests to one hub. `token` goes to that hub's own address alone: redirects to elsewhere are followed without.

    Raises BadInput for an address that is none.
    """

    def __init__(self, address: str, token: str | None = None, *, read_s: float = READ_S) -> None:
        self.address = _checked(address)
        self.host = urlsplit(self.address).netloc
        self._read_s = read_s
        self._headers = {"User-Agent": "atelier-llm", "Accept-Encoding": "identity"}
        if token:
            self._headers["Authorization"] = f"Bearer {token}"

    def json(self, path: str, params: Mapping[str, Any], what: str) -> Any:
        """What the hub answers to `GET path`; `what` was asked for. Raises what `refusals` does."""
        session, timeout = self._open()
        from huggingface_hub import hf_raise_for_status

        url, data = self.address + path, bytearray()
        with (
            self.refusals(what),
            session.stream("GET", url, params=dict(params), headers=self._headers, timeout=timeout) as reply,
        ):
            hf_raise_for_status(reply)
            for piece in reply.iter_bytes():
                data += piece
                if len(data) > ANSWER_MAX:
                    raise self.no_hub()
        try:
            return json.loads(data)
        except (ValueError, RecursionError) as error:
            raise self.no_hub() from error

    @contextmanager
    def stream(self, path: str, headers: Mapping[str, str]) -> Iterator[httpx2.Response]:
        """The answer of a file's address, its body yet to be read. Raises httpx2's errors, and the hub's refusals."""
        session, timeout = self._open()
        from huggingface_hub import hf_raise_for_status

        with session.stream("GET", self.address + path, headers={**self._headers, **headers}, timeout=timeout) as reply:
            hf_raise_for_status(reply)
            yield reply

    def beginning(self, path: str, size: int, what: str) -> bytes:
        """The first bytes of a file, at most `size` and whatever the server sends. Raises what `refusals` does."""
        data = bytearray()
        with self.refusals(what), self.stream(path, {"Range": f"bytes=0-{size - 1}"}) as reply:
            for piece in reply.iter_bytes():
                data += piece
                if len(data) >= size:
                    break
        return bytes(data[:size])

    @contextmanager
    def refusals(self, what: str) -> Iterator[None]:
        """A block whose errors are Unreachable, TimedOut, Unauthorized, NotFound, RateLimited or ServerFailed."""
        import httpx2
        from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

        try:
            yield
        except HfHubHTTPError as error:
            raise self._refusal(error, what) from error
        except OfflineModeIsEnabled as error:
            raise self._unreachable("HF_HUB_OFFLINE is set", "offline") from error
        except httpx2.TimeoutException as error:
            raise TimedOut(f"{self.host} did not answer in time", seconds=self._read_s, reason="hub") from error
        except (httpx2.TransportError, httpx2.TooManyRedirects) as error:
            raise self._unreachable(str(error) or type(error).__name__, "no_network") from error

    def no_hub(self) -> ServerFailed:
        """The error for an answer that no hub gives."""
        return ServerFailed(f"{self.host} does not answer as a Hugging Face hub", reason="no_hub", address=self.address)

    def _open(self) -> tuple[httpx2.Client, httpx2.Timeout]:
        with loading_with(**QUIET):
            import httpx2
            from huggingface_hub import get_session
        return get_session(), httpx2.Timeout(self._read_s, connect=CONNECT_S)

    def _unreachable(self, why: str, reason: str) -> Unreachable:
        text = f"{self.host} cannot be reached ({why}); without a network, import a GGUF file instead"
        return Unreachable(text, address=self.address, reason=reason)

    def _refusal(self, error: HfHubHTTPError, what: str) -> EngineError:
        from huggingface_hub.errors import EntryNotFoundError, GatedRepoError, RepositoryNotFoundError

        status = error.response.status_code
        if isinstance(error, GatedRepoError):
            text = f"{what} is gated: accept its licence at {self.address}/{what}, then give your token (HF_TOKEN)"
            return Unauthorized(text, status=status, reason="gated", model=what)
        if isinstance(error, RepositoryNotFoundError):
            text = f"{self.host} has no {what}, or it is private and the token does not open it"
            return NotFound(text, what="model", key=what, reason="hub_model")
        if isinstance(error, EntryNotFoundError) or status == 404:
            return NotFound(f"{self.host} has no {what}", what="file", key=what, reason="hub_file")
        if status in (401, 403):
            return Unauthorized(
                f"{self.host} refused the token for {what}", status=status, reason="hub_token", model=what
            )
        return self._failure(error.response, status)

    def _failure(self, response: httpx2.Response, status: int) -> BackendError:
        if status == 429:
            wait = response.headers.get("Retry-After", "")
            seconds = float(wait) if wait.isdecimal() else None
            return RateLimited(f"{self.host} asks for fewer requests", status=429, retry_after=seconds, reason="hub")
        return ServerFailed(f"{self.host} answered with {status}", status=status, reason="hub")


def _checked(address: str) -> str:
    try:
        parts = urlsplit(address)
        right = parts.scheme in ("http", "https") and parts.hostname and not parts.query and "@" not in parts.netloc
    except ValueError:  # half an IPv6 address
        right = False
    if not right:
        raise BadInput(f"the hub's address must be http(s)://host: {address!r}", reason="hub_address")
    return address.rstrip("/")
