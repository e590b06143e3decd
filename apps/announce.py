"""What the terminal says once we serve: addresses; for a class also codes, a QR code and what was checked.

Knows no framework.
"""

from __future__ import annotations

import base64
import secrets
import shutil
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TextIO

import psutil

from apps import host
from apps.background import own_host
from apps.classroom import grouped
from apps.options import Options, is_loopback
from apps.ui.i18n import Words
from engine.places import network_file_system
from engine.settings import KV_BYTES_PER_SLOT, Settings

PEOPLE_PER_SLOT = 2  # people of a class read and think for longer than the model writes
DISK_NEEDED = 2 * 10**9
MEMORY_BESIDES = 10**9  # interfaces, weights, a job beside


@dataclass(frozen=True)
class Check:
    """One thing looked at; `text` says how it is."""

    good: bool
    text: str


def announce(options: Options, text: Words, out: TextIO) -> None:
    """Write where we are; for a guarded server also how people come in."""
    bases = addresses(options)
    lines = [text.t("serve.ready")]
    for base in bases[:1] if options.guarded else [f"http://{own_host(options)}:{options.port}{root(options)}", *bases]:
        lines += [
            text.t("serve.streamlit", address=f"{base}/"),
            text.t("serve.gradio", address=f"{base}/gradio"),
            text.t("serve.api", address=f"{base}/v1"),
        ]
    if options.lmstudio_port:
        lines.append(text.t("serve.lmstudio", address=f"http://localhost:{options.lmstudio_port}/v1"))
    _write(out, lines)
    if options.guarded:
        _announce_class(options, text, out, bases)


def _announce_class(options: Options, text: Words, out: TextIO, bases: list[str]) -> None:
    if not bases:
        _write(out, [text.t("serve.no_network")])
    else:
        _write(out, ["", *(f"  {base}/" for base in bases), ""])
        _qr(f"{bases[0]}/", out)
    codes = host.classroom().codes
    _write(
        out,
        [
            "",
            text.t("serve.student_code", code=grouped(codes.student)),
            text.t("serve.teacher_code", code=grouped(codes.teacher)),
            text.t("serve.privacy"),
            "",
            text.t("serve.checked"),
            *(f"  {'✓' if check.good else '✗'} {check.text}" for check in checks(options, text)),
            text.t("serve.check_reach"),
        ],
    )


def root(options: Options) -> str:
    """The path under which a proxy shows us, "" or "/atelier"."""
    path = options.root_path.strip("/")
    return f"/{path}" if path else ""


def addresses(options: Options) -> list[str]:
    """The base addresses that others can open, best first; nothing on loopback alone."""
    named = [name.strip() for name in (options.forwarded_host, *options.public_host.split(",")) if name.strip()]
    public = [f"https://{name}{root(options)}" for name in named]
    if is_loopback(options.host):
        return public
    own = lan_addresses() if options.host in {"0.0.0.0", "::"} else [own_host(options)]
    return public + [f"http://{name}:{options.port}{root(options)}" for name in own]


def lan_addresses() -> list[str]:
    """IPv4 addresses of this machine, the one that leads out first."""
    stats = psutil.net_if_stats()
    found = [
        address.address
        for name, rows in psutil.net_if_addrs().items()
        for address in rows
        if address.family == socket.AF_INET and name in stats and stats[name].isup
    ]
    usable = [address for address in found if not address.startswith(("127.", "169.254."))]
    way_out = _way_out()
    return sorted(usable, key=lambda address: address != way_out)


def _way_out() -> str | None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.1", 9))  # an address of nobody; a datagram socket sends nothing to connect
        except OSError:
            return None
        return str(probe.getsockname()[0])


def checks(options: Options, text: Words) -> Iterator[Check]:
    """What a class depends on, looked at now."""
    settings = host.engine().settings
    yield Check(True, text.t("serve.check_port", port=options.port))
    yield _websocket(options, text)
    yield _disk(settings, text)
    yield _memory(settings, text)
    yield Check(True, text.n("serve.check_people", settings.slots * PEOPLE_PER_SLOT, slots=settings.slots))
    kind = network_file_system(settings.home)
    if kind:
        yield Check(False, text.t("serve.check_network_disk", kind=kind))


def _websocket(options: Options, text: Words) -> Check:
    problem = websocket_problem(own_host(options).strip("[]"), options.port, root(options))
    if problem is None:
        return Check(True, text.t("serve.check_websocket"))
    return Check(False, text.t("serve.check_websocket_failed", reason=problem))


def websocket_problem(name: str, port: int, base: str = "") -> str | None:
    """None if a websocket handshake with our own door succeeds, else what came instead."""
    key = base64.b64encode(secrets.token_bytes(16)).decode()
    request = (
        f"GET {base}/healthz HTTP/1.1\r\nHost: {name if ':' not in name else f'[{name}]'}:{port}\r\n"
        f"Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: {key}\r\n\r\n"
    )
    try:
        with socket.create_connection((name, port), timeout=5) as connection:
            connection.sendall(request.encode())
            status = connection.recv(64).split(b"\r\n")[0].decode("latin-1")
    except OSError as error:
        return str(error)
    return None if status.startswith("HTTP/1.1 101") else status


def _disk(settings: Settings, text: Words) -> Check:
    free = shutil.disk_usage(settings.home).free
    enough = free >= DISK_NEEDED
    return Check(enough, text.t("serve.check_disk" if enough else "serve.check_disk_low", free=text.size(free)))


def _memory(settings: Settings, text: Words) -> Check:
    free, needed = psutil.virtual_memory().available, settings.slots * KV_BYTES_PER_SLOT + MEMORY_BESIDES
    if free >= needed:
        return Check(True, text.t("serve.check_memory", free=text.size(free)))
    low = text.t("serve.check_memory_low", free=text.size(free), slots=settings.slots, needed=text.size(needed))
    return Check(False, low)


def _qr(address: str, out: TextIO) -> None:
    import segno

    encoding = (out.encoding or "ascii").lower()
    segno.make(address, error="m").terminal(out=out, compact=encoding.startswith("utf"))


def _write(out: TextIO, lines: list[str]) -> None:
    encoding = out.encoding or "ascii"
    for line in lines:
        out.write(line.encode(encoding, "replace").decode(encoding) + "\n")
    out.flush()
