"""What a proxy in front of us says about the visitor's address, scheme and host; believed only where it may be.

Everything behind this reads one `host`, one scheme and one client, and no forwarding header. Knows no identity.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterable

from starlette.types import ASGIApp, Receive, Scope, Send

Header = tuple[bytes, bytes]
_SAID = frozenset(
    {b"x-forwarded-host", b"x-forwarded-proto", b"x-forwarded-for", b"x-forwarded-port", b"x-forwarded-prefix"}
    | {b"forwarded", b"x-forwarded-server", b"x-original-host", b"x-real-ip"}
)


class Proxy:
    """Puts the forwarded scheme, client and host in the scope when the peer is this machine or a named proxy.

    The forwarded host replaces `host` and is then judged like any other: a name that nobody told us is refused.
    """

    def __init__(self, app: ASGIApp, *, proxies: str = "") -> None:
        self.app = app
        self._networks = [
            ipaddress.ip_network(part.strip(), strict=False) for part in proxies.split(",") if part.strip()
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] in {"http", "websocket"}:
            scope = self._plain(scope)
        await self.app(scope, receive, send)

    def _plain(self, scope: Scope) -> Scope:
        headers: list[Header] = scope["headers"]
        said = {name: value.decode("latin-1").strip() for name, value in headers if name in _SAID}
        if not said:
            return scope
        rest = [(name, value) for name, value in headers if name not in _SAID]
        if not self._believed(scope):
            return {**scope, "headers": rest}
        changes: Scope = {"headers": _with_host(rest, said.get(b"x-forwarded-host"))}
        proto = said.get(b"x-forwarded-proto", "").split(",")[0].strip().lower()
        if proto in {"http", "https", "ws", "wss"}:
            secure = proto in {"https", "wss"}
            names = ("ws", "wss") if scope["type"] == "websocket" else ("http", "https")
            changes["scheme"] = names[secure]
        client = self._client(said.get(b"x-forwarded-for", ""))
        if client:
            changes["client"] = (client, 0)
        return {**scope, **changes}

    def _believed(self, scope: Scope) -> bool:
        client = scope.get("client")
        return bool(client) and self._is_proxy(client[0])

    def _is_proxy(self, address: str) -> bool:
        try:
            ip = ipaddress.ip_address(address)
        except ValueError:
            return False
        return ip.is_loopback or any(ip in network for network in self._networks)

    def _client(self, forwarded_for: str) -> str | None:
        """The last address in the list that is not one of our own proxies: the others could be invented."""
        known = [part.strip() for part in forwarded_for.split(",") if part.strip()]
        for address in reversed(known):
            if not self._is_proxy(address):
                return address
        return known[0] if known else None


def _with_host(headers: Iterable[Header], forwarded: str | None) -> list[Header]:
    if not forwarded:
        return list(headers)
    host = forwarded.split(",")[-1].strip().encode("latin-1")
    return [*(pair for pair in headers if pair[0] != b"host"), (b"host", host)]
