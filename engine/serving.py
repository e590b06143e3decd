"""What the teacher decides about the served API: which other sites may call it, and how often anybody may. Knows no
request.
"""

from __future__ import annotations

from collections.abc import Iterable
from urllib.parse import urlsplit

from engine.errors import BadInput
from engine.person import LOCAL_OWNER
from engine.values import Values

CORS, RATE = "server.cors", "server.requests_per_minute"
ORIGINS_MAX = 50
PER_MINUTE = 600
PER_MINUTE_MAX = 100_000
ANY, FILES = "*", "null"  # every site; a page that was opened as a file


class Serving:
    """The installation's settings of its API, in the store. Raises StoreFailed."""

    def __init__(self, values: Values) -> None:
        self._values = values

    def origins(self) -> tuple[str, ...]:
        """The sites whose pages may call `/v1` from a browser: "http://host:port", "*" for all, "null" for files.

        None at first. See apps.cors for what such a page may do.
        """
        return tuple(self._values.get(LOCAL_OWNER, CORS, ()))

    def allow(self, origins: Iterable[str]) -> tuple[str, ...]:
        """These sites from now on, in the spelling of browsers. Raises BadInput."""
        cleaned = tuple(dict.fromkeys(clean_origin(origin) for origin in origins if origin.strip()))
        if len(cleaned) > ORIGINS_MAX:
            raise BadInput(f"at most {ORIGINS_MAX} sites", what="origins", limit=ORIGINS_MAX)
        self._values.set(LOCAL_OWNER, CORS, list(cleaned) or None)
        return cleaned

    def per_minute(self) -> int:
        """Requests that one key or person may make in a minute; 0: no limit. Alone on this machine nobody is limited
        but by their keys.
        """
        return int(self._values.get(LOCAL_OWNER, RATE, PER_MINUTE))

    def limit(self, per_minute: int) -> None:
        """So many from now on. Raises BadInput."""
        if not 0 <= per_minute <= PER_MINUTE_MAX:
            message = f"{per_minute} is not in 0…{PER_MINUTE_MAX}"
            raise BadInput(message, what="requests_per_minute", low=0, high=PER_MINUTE_MAX)
        self._values.set(LOCAL_OWNER, RATE, per_minute)


def clean_origin(text: str) -> str:
    """The origin as browsers write it: scheme and host in small letters, no default port, no path. Raises BadInput."""
    given = text.strip()
    if given in (ANY, FILES):
        return given
    try:
        parts = urlsplit(given)
        port = parts.port
    except ValueError:
        raise _no_origin(given) from None
    bare = not (parts.query or parts.fragment or parts.username) and parts.path in ("", "/")
    if parts.scheme not in ("http", "https") or not parts.hostname or not bare or not given.isascii():
        raise _no_origin(given)
    host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
    default = {"http": 80, "https": 443}[parts.scheme]
    return f"{parts.scheme}://{host}" + (f":{port}" if port not in (None, default) else "")


def _no_origin(text: str) -> BadInput:
    return BadInput(f"{text[:100]!r} is no site: write http://host:port, * or null", what="origin")
