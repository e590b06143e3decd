"""What happens behind the first page: the model is loaded, Gradio is imported, second processes are told where we are,
and what an end of the program interrupted goes on.

Knows no page.
"""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import logging
import secrets
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

from anyio import to_thread
from starlette.types import ASGIApp

from apps import host
from apps.desk import FirstPage, Later
from apps.gradio_door import GradioDoor
from apps.gradio_import import import_gradio
from apps.options import Options
from engine.catalog import BUNDLED
from engine.errors import EngineError
from engine.models.prepare import prepared_file
from engine.native import native_state
from engine.runtime import attach

log = logging.getLogger(__name__)

PATIENCE_S = 2.0  # without a visitor, Gradio is imported this long after the start
NATIVE_EVERY_S, IDLE_EVERY_S = 5.0, 1.0
# What a first answer on a page imports otherwise, two seconds of it, while somebody looks
HEAVY = ("pandas", "pyarrow")


def attach_key() -> str:
    """A key for second processes that lives as long as this one."""
    return f"at-{secrets.token_urlsafe(32)}"


class Background:
    """The work around one server's life."""

    def __init__(self, options: Options, key: str, first: FirstPage) -> None:
        self._options = options
        self._key = key
        self._first = first
        self.gradio = GradioDoor(self._gradio_apps, _gradio_router)
        self.api = Later(_api)
        self.doors: dict[str, ASGIApp] = {"/gradio": self.gradio, "/upload": Later(_upload)}
        self.doors |= dict.fromkeys(("/v1", "/runtime", "/mcp", "/metrics", "/docs"), self.api)

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Everything under way; afterwards no worker, no job and no attach file is left."""
        end = asyncio.Event()
        loop = asyncio.get_running_loop()
        patience = loop.call_later(PATIENCE_S, self._first.seen.set)
        closed = threading.Event()
        threading.Thread(target=_first_work, name="first-load", daemon=True).start()
        if host.engine().settings.prepare and native_state().state == "building":
            threading.Thread(target=_prepare_later, args=(closed,), name="prepare-later", daemon=True).start()
        begin = self.gradio.asked if self._options.gradio_on_demand else self._first.seen
        gradio = asyncio.create_task(self.gradio.run(begin, end))
        told = await to_thread.run_sync(self._tell)
        try:
            yield
        finally:
            patience.cancel()
            end.set()
            closed.set()
            await to_thread.run_sync(self._close, told)
            await gradio

    def _tell(self) -> attach.Attach | None:
        engine, options = host.engine(), self._options
        local = tuple(card.id for card in engine.models() if card.backend == "llamacpp")
        address = f"http://{own_host(options)}:{options.port}"
        try:
            return attach.write(engine.settings.home, address, self._key, local)
        except OSError as error:  # a full or read-only disk: command lines load a model of their own then
            log.warning("second processes cannot attach: %s", error)
            return None

    def _close(self, told: attach.Attach | None) -> None:
        engine = host.engine()
        if told is not None:
            with contextlib.suppress(OSError):
                attach.remove(engine.settings.home, told)
        engine.close()

    def _gradio_apps(self) -> Iterator[tuple[str, Any]]:
        self.api.ready()
        for name in HEAVY:
            importlib.import_module(name)
        import_gradio()
        from apps.gradio_app import gradio_apps

        yield from gradio_apps(host.engine(), self._options, self.gradio.wanted)


def own_host(options: Options) -> str:
    """The address under which this machine reaches itself."""
    if options.host in {"0.0.0.0", "::", ""}:
        return "127.0.0.1"
    return f"[{options.host}]" if ":" in options.host else options.host


def _upload() -> Any:
    from apps.upload import upload

    return upload


def _api() -> Any:
    from apps.api.metering import Metered
    from apps.api.routes import api

    return Metered(api(), host.engine)


def _gradio_router(apps: list[tuple[str, Any]]) -> Any:
    from starlette.routing import Router

    from apps.gradio_app import mounted

    return Router(mounted(apps))


def _first_work() -> None:
    """The model first: people wait for it."""
    _load_model()
    _resume_indexing()


def _resume_indexing() -> None:
    """Queue the collections whose indexing an end of the program interrupted."""
    from engine.rag.indexing import resume

    try:
        resume(host.engine())
    except EngineError as error:  # the collection's page offers to index again
        log.warning("indexing could not be resumed: %s", error)


def _load_model() -> None:
    """Have the default model ready before the first question."""
    engine = host.engine()
    try:
        runtime = engine.runtime()
        if runtime is not None:
            for _ in runtime.ready():
                pass
    except EngineError as error:  # the first question shows it with a sentence
        log.warning("the model could not be loaded yet: %s", error)


def _prepare_later(end: threading.Event) -> None:
    """Once run.py has built llama-cpp-python behind us: prepare the weights, and load them when nobody is answered."""
    engine = host.engine()
    while native_state().state == "building":
        if end.wait(NATIVE_EVERY_S):
            return
    if not native_state().ready or prepared_file(engine.settings).note != "prepared":
        return
    while not end.wait(IDLE_EVERY_S):
        runtime = engine.loaded(BUNDLED)
        gate = runtime.gate.snapshot() if runtime is not None else None
        if gate is None or not (gate.running or gate.waiting):
            engine.unload(BUNDLED)
            _load_model()
            return
