"""Web pages fetched for somebody: only from public addresses, within limits of size and time. Knows no format and no
store.

An address is looked up, checked, and then connected to as it was checked, at each redirect anew: a name that answers
differently the second time (DNS rebinding) gains nothing. Proxies of the environment are not used, since behind one
nobody could check.
"""

from __future__ import annotations

import contextlib
import email.message
import http.client
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from engine.addresses import Resolver, checked, resolve
from engine.errors import BadInput, EngineError, ServerFailed, StreamCut, TimedOut, Unreachable

PORTS = {"http": 80, "https": 443}
MORE_PORTS = frozenset({80, 443, 8000, 8008, 8080, 8443})
REDIRECTS = frozenset({301, 302, 303, 307, 308})
READ = 64 * 1024
URL_MAX = 4096
AGENT = "atelier-llm (fetches one page for a reader)"
# What our readers read; a page without type is taken for a file of the name that it has
ENDINGS = {
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/pdf": "pdf",
    "text/plain": "txt",
    "text/markdown": "md",
    "text/csv": "csv",
    "text/xml": "xml",
    "application/xml": "xml",
    "application/json": "json",
    "application/epub+zip": "epub",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.document": "docx",
    "application/vnd.openxmlformats-officedocument.presentationml.presentation": "pptx",
    "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet": "xlsx",
    "application/vnd.oasis.opendocument.text": "odt",
}
BY_NAME = frozenset({"", "application/octet-stream", "binary/octet-stream", "application/zip"})


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


LIMITS = Limits()


def fetch(
    url: str, limits: Limits = LIMITS, *, allowed: frozenset[str] = frozenset(), resolver: Resolver = resolve
) -> Fetched:
    """The page or file behind a public http or https address.

    `allowed` are host:port pairs that may be reached although they are private: for tests only. Raises BadInput
    (`what` url, `reason`: scheme, host, credentials, port, private_address, redirects, too_large, content_type,
    encoding, empty), Unreachable, TimedOut, StreamCut, ServerFailed (`status`).
    """
    end = time.monotonic() + limits.seconds
    for _ in range(limits.redirects + 1):
        place = _place(url, allowed)
        with _asked(place, end, limits, allowed, resolver) as response:
            target = response.getheader("location")
            if response.status in REDIRECTS and target:
                url = urljoin(place.geturl(), target)
                continue
            return _page(place, response, limits, end)
    raise _refused(f"more than {limits.redirects} redirects", "redirects", limit=limits.redirects)


def _place(url: str, allowed: frozenset[str]) -> SplitResult:
    """The address in parts, its host in ASCII. Raises BadInput."""
    text = url.strip()
    try:
        place = urlsplit(text)
        host, port = place.hostname, place.port or PORTS.get(place.scheme, 0)
    except ValueError as error:
        raise _refused(f"no address: {error}", "host") from error
    if place.scheme not in PORTS:
        raise _refused("only http and https addresses are fetched", "scheme")
    if not host or len(text) > URL_MAX:
        raise _refused("no address of a page", "host")
    if place.username is not None or place.password is not None:
        raise _refused("an address with a name or a password is not fetched", "credentials")
    name = _ascii(host)
    if port not in MORE_PORTS and f"{name}:{port}" not in allowed:
        raise _refused(f"port {port} is none of the web", "port", port=port)
    shown = f"[{name}]" if ":" in name else name
    netloc = shown if port == PORTS[place.scheme] else f"{shown}:{port}"
    path = quote(place.path or "/", safe="/%:@!$&'()*+,;=~-._")
    return SplitResult(place.scheme, netloc, path, quote(place.query, safe="/%:@!$&'()*+,;=~-._?"), "")


def _ascii(host: str) -> str:
    if ":" in host:
        return host.partition("%")[0]
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError as error:
        raise _refused(f"no name of a host: {host[:80]!r}", "host") from error


@contextlib.contextmanager
def _asked(
    place: SplitResult, end: float, limits: Limits, allowed: frozenset[str], resolver: Resolver
) -> Iterator[http.client.HTTPResponse]:
    """The head of the answer, from an address that was checked; a watchdog cuts the connection when time is up."""
    assert place.hostname
    port = place.port or PORTS[place.scheme]
    addresses = checked(place.hostname, port, _left(end, limits), allowed, resolver)
    with _connected(addresses, place, port, end, limits) as connection:
        watchdog = threading.Timer(max(0.0, end - time.monotonic()) + 0.01, _cut, [connection.sock])
        watchdog.daemon = True
        watchdog.start()
        try:
            if isinstance(connection.sock, ssl.SSLSocket):
                connection.sock.do_handshake()
            target = f"{place.path}?{place.query}" if place.query else place.path
            accept = {"Accept": "text/html,application/pdf,text/*,*/*;q=0.5", "Accept-Encoding": "gzip, deflate"}
            connection.request("GET", target, headers={**accept, "User-Agent": AGENT, "Connection": "close"})
            with connection.getresponse() as response:
                _left(end, limits)  # a head that was cut reads like one that has ended
                yield response
        except (OSError, http.client.HTTPException) as error:
            raise _failed(error, place, end, limits) from error
        finally:
            watchdog.cancel()


@contextlib.contextmanager
def _connected(
    addresses: list[str], place: SplitResult, port: int, end: float, limits: Limits
) -> Iterator[http.client.HTTPConnection]:
    """A connection to the first of the addresses that answers."""
    last: OSError | None = None
    for address in addresses:
        try:
            plain = socket.create_connection((address, port), timeout=_left(end, limits))
        except OSError as error:
            last = error
            continue
        with contextlib.closing(http.client.HTTPConnection(place.hostname or "", port)) as connection:
            try:
                connection.sock = _secured(plain, place)
            except OSError as error:
                plain.close()
                raise _failed(error, place, end, limits) from error
            yield connection
        return
    raise _failed(last or OSError("no address"), place, end, limits)


def _secured(plain: socket.socket, place: SplitResult) -> socket.socket:
    """The socket, for https one that will check the certificate for the host's name: the watchdog comes first."""
    if place.scheme == "http":
        return plain
    context = ssl.create_default_context()
    return context.wrap_socket(plain, server_hostname=place.hostname, do_handshake_on_connect=False)


def _cut(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # it was closed in the same moment
        # not SSLSocket's own, which takes the session away from the thread that reads
        socket.socket.shutdown(connection, socket.SHUT_RDWR)


def _page(place: SplitResult, response: http.client.HTTPResponse, limits: Limits, end: float) -> Fetched:
    if not 200 <= response.status < 300:
        raise ServerFailed(f"{place.netloc} answered {response.status}", status=response.status)
    kind = response.headers.get_content_type() if response.getheader("content-type") else ""
    name = _name(place, response.headers, kind)
    data = b"".join(_body(response, limits))
    if time.monotonic() >= end:
        raise _late(place, limits)
    declared = response.length  # what was announced and did not come
    if declared:
        raise StreamCut(f"{place.netloc}: {declared} bytes are missing", received=len(data))
    if not data.strip():
        raise _refused("the page is empty", "empty")
    return Fetched(place.geturl(), name, data, kind)


def _body(response: http.client.HTTPResponse, limits: Limits) -> Iterator[bytes]:
    """The body in pieces, decompressed no further than the limit. Raises BadInput."""
    announced = response.length
    if announced is not None and announced > limits.bytes:
        raise _large(limits)
    coding = (response.getheader("content-encoding") or "identity").strip().lower()
    unpack = _unpacker(coding)
    taken = read = 0
    while piece := response.read1(READ):
        read += len(piece)
        while piece:
            out = piece if unpack is None else unpack.decompress(piece, limits.bytes + 1 - taken)
            piece = b"" if unpack is None else unpack.unconsumed_tail
            taken += len(out)
            if taken > limits.bytes or read > limits.bytes:
                raise _large(limits)
            yield out
            if unpack is not None and unpack.eof:
                piece = b""  # whatever follows is none of the page


class _Unpacker:
    """zlib's, which does not know beforehand whether a "deflate" body has a head."""

    def __init__(self, coding: str) -> None:
        self._unpack = zlib.decompressobj(zlib.MAX_WBITS | 32)  # gzip or zlib, by its first bytes
        self._raw = coding == "deflate"

    @property
    def unconsumed_tail(self) -> bytes:
        """What waits because of the limit."""
        return self._unpack.unconsumed_tail

    @property
    def eof(self) -> bool:
        """Whether the packed part has ended."""
        return self._unpack.eof

    def decompress(self, data: bytes, most: int) -> bytes:
        """At most that many bytes. Raises BadInput."""
        try:
            return self._unpack.decompress(data, most)
        except zlib.error as error:
            if not self._raw:
                raise _refused(f"the page cannot be unpacked: {error}", "encoding") from error
        self._raw, self._unpack = False, zlib.decompressobj(-zlib.MAX_WBITS)
        return self.decompress(data, most)


def _unpacker(coding: str) -> _Unpacker | None:
    if coding in ("identity", ""):
        return None
    if coding in ("gzip", "x-gzip", "deflate"):
        return _Unpacker(coding)
    raise _refused(f"the page is packed as {coding[:40]!r}, which was not asked for", "encoding")


def _name(place: SplitResult, headers: email.message.Message, kind: str) -> str:
    """A file name for the page. Raises BadInput where its type is none that can be read."""
    from engine.documents import READABLE
    from engine.documents.reading import clean_name

    given = headers.get_filename() or unquote(PurePosixPath(place.path).name)
    name = clean_name(given) if given.strip("./ ") else clean_name(place.hostname or "page")
    ending = PurePosixPath(name).suffix.lstrip(".").lower()
    wanted = ENDINGS.get(kind)
    if wanted is None and (kind.startswith("text/") or kind in BY_NAME):
        wanted = ending if ending in READABLE else "txt" if kind.startswith("text/") else None
    if wanted is None:
        raise _refused(f"{kind or 'a file without type'} cannot be read as text", "content_type", content_type=kind)
    # text/plain serves Markdown, CSV and source code too
    return name if ending == wanted or (wanted == "txt" and ending in READABLE) else f"{name}.{wanted}"


def _left(end: float, limits: Limits) -> float:
    left = end - time.monotonic()
    if left <= 0:
        raise TimedOut(f"no page within {limits.seconds:g} s", seconds=limits.seconds)
    return left


def _failed(error: OSError | http.client.HTTPException, place: SplitResult, end: float, limits: Limits) -> EngineError:
    if time.monotonic() >= end or isinstance(error, TimeoutError):
        return _late(place, limits)
    if isinstance(error, http.client.IncompleteRead):
        return StreamCut(f"{place.netloc}: the page broke off", received=len(error.partial))
    return Unreachable(f"{place.netloc}: {error}", address=place.netloc)


def _late(place: SplitResult, limits: Limits) -> TimedOut:
    return TimedOut(f"{place.netloc}: no whole page within {limits.seconds:g} s", seconds=limits.seconds)


def _large(limits: Limits) -> BadInput:
    return _refused(f"the page has more than {limits.bytes} bytes", "too_large", limit=limits.bytes)


def _refused(message: str, reason: str, **details: object) -> BadInput:
    return BadInput(message, what="url", reason=reason, **details)
