"""Web pages fetched for somebody: only from public addresses, within limits of size and time. Knows no format and no
store.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Of one fetch: bytes of the body (also once decompressed), seconds in all, redirects that are followed."""

    bytes: int = 10 * 2**20
    seconds: float = 20.0
    redirects: int = 5


@dataclass(frozen=True)
class Fetched:
    """One page: `url` is where it was in the end, `name` a file name with the ending that its type has."""

    url: str
    name: str
    data: bytes
    content_type: str


def fetch(url: str, limits: Limits = Limits(), *, allowed: frozenset[str] = frozenset()) -> Fetched:
    """The page or file behind a public http or https address.

    `allowed` are host:port pairs that may be reached although they are private: for tests only. Raises BadInput
    (`what="url"`, `reason`: scheme, host, credentials, port, private_address, redirects, too_large, content_type,
    encoding, empty), Unreachable, TimedOut, ServerFailed (`status`).
    """
    raise NotImplementedError
