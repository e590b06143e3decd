"""The application: Streamlit at `/`, Gradio at `/gradio`, the OpenAI-compatible API at `/v1`, one process on one port.

    python -m apps.server [--host H] [--port P] [--class] [--lmstudio-port [P]] [--root-path /x] [--demo] …

Knows no page and no model; it opens the doors, in the order in which people need them.
"""

from __future__ import annotations

import errno
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from apps import host
from apps.options import Options
from apps.ui.i18n import Words, choose, words
from engine import child
from engine.errors import BadFile

if TYPE_CHECKING:
    import uvicorn

ROOT = Path(__file__).resolve().parents[1]
SCRIPT = ROOT / "apps" / "streamlit_app.py"
BACKLOG = 2048
FRAME_MAX = 210 * 2**20  # Streamlit's largest message, with room for its envelope
GRACE_S = 3


def main(argv: Sequence[str] | None = None) -> int:
    """Serve until SIGINT or SIGTERM; 0, or 1 after one sentence on standard error that says what is in the way."""
    options = Options.from_argv(sys.argv[1:] if argv is None else argv, os.environ)
    text = words(
        choose(next((os.environ[name] for name in ("LC_ALL", "LC_MESSAGES", "LANG") if name in os.environ), ""))
    )
    signal.signal(signal.SIGTERM, _end)
    try:
        sockets = _listen(options, text)
    except _Refused as refused:
        sys.stderr.write(f"{refused}\n")
        return 1
    _settle(options)
    try:
        if options.guarded:
            host.classroom()
    except BadFile as error:
        sys.stderr.write(f"{text.t('serve.class_file', **error.details)}\n")
        return 1
    host.engine().runtimes  # noqa: B018 - its launcher keeps the priority of this moment
    child.step_back()
    with suppress(KeyboardInterrupt):
        _serve(options, sockets, text)
    return 0


def _settle(options: Options) -> None:
    """What the libraries read from process and environment, before they are imported."""
    home = os.environ.get("ATELIER_HOME")
    if home:
        os.environ["ATELIER_HOME"] = os.path.abspath(home)
    os.chdir(ROOT)  # where Streamlit looks for .streamlit/config.toml
    os.environ.update(options.to_env())
    if options.demo:
        os.environ.setdefault("ATELIER_MODEL", "echo")
    os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    if options.codespaces:  # the preview is a frame of another site, where the cookie of this check is not sent
        os.environ.setdefault("STREAMLIT_SERVER_ENABLE_XSRF_PROTECTION", "false")
        os.environ.setdefault("STREAMLIT_SERVER_ENABLE_CORS", "false")


class _Refused(Exception):
    """An address that cannot be had; the message is for the person."""


def _listen(options: Options, text: Words) -> list[socket.socket]:
    """The bound sockets: ours, and LM Studio's on loopback when wanted. Raises _Refused."""
    wanted = [(options.host, options.port, "serve.port_taken")]
    if options.lmstudio_port:
        wanted.append(("127.0.0.1", options.lmstudio_port, "serve.port_taken_lmstudio"))
    sockets: list[socket.socket] = []
    for name, port, taken in wanted:
        try:
            sockets.append(_bound(name, port))
        except OSError as error:
            for opened in sockets:
                opened.close()
            if error.errno == errno.EADDRINUSE:
                raise _Refused(text.t(taken, port=port, other=port + 1)) from error
            if isinstance(error, PermissionError):
                raise _Refused(text.t("serve.port_denied", port=port)) from error
            raise _Refused(text.t("serve.bad_address", host=name)) from error
    return sockets


def _bound(name: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in name else socket.AF_INET
    both = name == "::" and socket.has_dualstack_ipv6()
    return socket.create_server((name.strip("[]"), port), family=family, backlog=BACKLOG, dualstack_ipv6=both)


def _serve(options: Options, sockets: list[socket.socket], text: Words) -> None:
    from apps.listening import Server

    def begun() -> None:
        threading.Thread(target=_announce, args=(options, text), name="announce", daemon=True).start()

    Server(_config(application(options)), host.extra_port(), begun).run(sockets)


def _config(app: Any) -> uvicorn.Config:
    import uvicorn

    return uvicorn.Config(
        app,
        lifespan="on",
        log_level="warning",
        access_log=False,
        proxy_headers=False,  # apps.proxy believes fewer
        server_header=False,
        ws="websockets-sansio",
        ws_max_size=FRAME_MAX,
        ws_ping_interval=20.0,
        ws_ping_timeout=60.0,  # a phone that sleeps for a moment stays in its conversation
        timeout_graceful_shutdown=GRACE_S,
    )


def application(options: Options) -> Any:
    """The ASGI application with all its doors behind the one guard."""
    import streamlit as st
    from starlette.middleware import Middleware
    from starlette.routing import Route, WebSocketRoute

    from apps.background import Background, attach_key
    from apps.desk import Desk, FirstPage, healthy, healthy_websocket
    from apps.guard import Doors, Guard
    from apps.join import Join
    from apps.proxy import Proxy

    key, first, join = attach_key(), FirstPage(), Join()
    background = Background(options, key, first)
    doors = Doors(
        people=lambda: host.engine().people,
        keys=lambda: host.engine().keys,
        classroom=host.classroom,
        attach_key=lambda: key,
        origins=lambda: host.engine().serving.origins(),
    )

    @asynccontextmanager
    async def lifespan(_: Any) -> AsyncIterator[None]:
        async with background.running():
            yield

    return st.App(
        SCRIPT,
        routes=[
            Route("/healthz", healthy, methods=["GET"]),
            WebSocketRoute("/healthz", healthy_websocket),
            Route("/join", join.show, methods=["GET"]),
            Route("/join", join.enter, methods=["POST"]),
        ],
        lifespan=lifespan,
        middleware=[
            Middleware(Proxy, proxies=options.proxy),
            Middleware(Guard, options=options, doors=doors),
            Middleware(Desk, first=first, doors=background.doors),
        ],
    )


def _announce(options: Options, text: Words) -> None:
    from apps.announce import announce

    announce(options, text, sys.stdout)


def _end(*_: object) -> NoReturn:
    raise SystemExit(0)


if __name__ == "__main__":
    sys.exit(main())
