"""The Gradio mirror: one `gr.Blocks` per language with one tab per section, mounted at /gradio/fr and /gradio/en.

Importing it takes seconds, so the server does that behind its first page. Knows no layout of a tab and no backend.
`python -m apps.gradio_app` serves it alone.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar

import gradio as gr
from fastapi import FastAPI
from starlette.applications import Starlette
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import BaseRoute, Mount, Route

from apps import gradio_api, gradio_chats_api, gradio_kit, host
from apps.gradio_chat.opened import Opened
from apps.gradio_compare import api as compare_api
from apps.gradio_compare import batch_api, pictures_api, voting_api
from apps.gradio_comptine import api as comptine_api
from apps.gradio_documents import api as documents_api
from apps.gradio_kit import INTERNAL, Sidebar, Ui
from apps.gradio_look import CSS, PageInLanguage, theme
from apps.gradio_models import api as models_api
from apps.gradio_quality import api as quality_api
from apps.gradio_sampling import api as sampling_api
from apps.options import Options
from apps.tabs import chat, compare, comptine, documents, models, quality, room, sampling
from apps.ui.i18n import LANGUAGES, Language, choose
from apps.ui.sections import SECTIONS, Section
from engine.engine import Engine
from engine.errors import AccessDenied, EngineError

T = TypeVar("T")
PATH = "/gradio"
PORT = 7860
# Above the slots, so that a whole class reaches our own queue, which is fair and says the place, and not Gradio's.
MARGIN = 64
# A link to a section is the address as it stands; the first section needs no name. Before the page has opened what its
# address names, Gradio selects the first one by itself.
OPENED = '() => { document.body.dataset.opened = "1"; }'
IN_ADDRESS = """() => {{ const url = new URL(location.href), section = {section};
if (section !== "chat") document.body.dataset.opened = "1";
if (!document.body.dataset.opened) return;
if (section === "chat") url.searchParams.delete("section"); else url.searchParams.set("section", section);
if (url.href !== location.href) history.replaceState(null, "", url); }}"""
LOOK_S = 0.01  # how long Gradio's queues sleep between two looks
UPLOAD_MB = 200  # of one file; what reads it has limits of its own
OWN_THREADS = 8  # for what is not an answer: loading a page, a look at the model's state
ENDPOINTS = (gradio_api, gradio_chats_api, comptine_api, documents_api, sampling_api, quality_api, models_api,
             compare_api, voting_api, pictures_api, batch_api)  # fmt: skip
TABS: dict[str, Callable[[Ui, Sidebar, gr.Blocks], None]] = {
    "chat": chat.build,
    "documents": documents.build,
    "comptine": comptine.build,
    "sampling": sampling.build,
    "quality": quality.build,
    "compare": compare.build,
    "models": models.build,
    "room": room.build,
}


def build(engine: Engine, lang: Language, options: Options, opened: Opened | None = None) -> gr.Blocks:
    """The whole interface in one language. May be called from any thread, from one at a time."""
    return _in_loop(lambda: _built(Ui(engine, lang, options, opened or Opened())))


def _in_loop(make: Callable[[], T]) -> T:
    """What `make` gives; called under a running event loop, since without one Gradio opens a loop for each of its locks
    and never closes it.
    """

    async def run() -> T:
        return make()

    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(run())
    return make()


def _built(ui: Ui) -> gr.Blocks:
    with gr.Blocks(title=ui.t("app.name"), analytics_enabled=False, fill_width=True) as blocks:
        for endpoints in ENDPOINTS:  # first, else a handler of that name takes it
            endpoints.add(ui)
        bar = gradio_kit.sidebar(ui, blocks)
        tabs = {}
        with gr.Tabs() as shown:
            for section in SECTIONS:
                if section.key not in TABS or (section.class_only and not ui.options.class_mode):
                    continue
                with gr.Tab(ui.t(f"section.{section.key}"), id=section.key, visible=not section.class_only) as tab:
                    gradio_kit.header(ui, section)
                    TABS[section.key](ui, bar, blocks)
                tabs[section] = tab
                tab.select(None, None, None, js=IN_ADDRESS.format(section=json.dumps(section.key)))
        opened = blocks.load(_opened(ui, tabs, shown), None, [shown, *tabs.values()], **INTERNAL)
        opened.then(None, None, None, js=OPENED)
    return _queued(blocks, ui.engine)


def _opened(ui: Ui, tabs: dict[Section, gr.Tab], shown: gr.Tabs) -> Callable[[gr.Request], dict[Any, Any]]:
    """The sections that a person sees, and the one that the address names in front."""

    def opened(request: gr.Request) -> dict[Any, Any]:
        role, wanted = ui.person(request).role, request.query_params.get("section")
        seen = {section: section.visible(role, ui.options.class_mode) for section in tabs}
        front = [section.key for section, sees in seen.items() if sees and section.key == wanted]
        updates: dict[Any, Any] = {tab: gr.Tab(visible=seen[section]) for section, tab in tabs.items()}
        return updates | ({shown: gr.Tabs(selected=wanted)} if front else {})

    return opened


def _queued(blocks: gr.Blocks, engine: Engine) -> gr.Blocks:
    limit = engine.settings.slots + MARGIN
    blocks.max_threads = limit + OWN_THREADS  # Gradio runs no more events at once than it has threads
    blocks.queue(max_size=engine.settings.queue, default_concurrency_limit=limit)
    # After each event Gradio would sum up its last 10,000 with pandas, for a dashboard that is off here.
    blocks._queue.ANAYLTICS_CACHE_FREQUENCY = sys.maxsize
    # Else it looks a thousand times a second whether anybody waits, in each language: 7 % of a core for nobody.
    blocks._queue.sleep_when_free = LOOK_S
    blocks._queue.progress_update_sleep_when_free = 10 * LOOK_S
    return blocks


def gradio_apps(engine: Engine, options: Options, first: str | None = None) -> Iterator[tuple[str, FastAPI]]:
    """Path and application of each language, each as soon as it is built, that of the path `first` before the others.
    The caller mounts them at the root and enters each one's `router.lifespan_context`, which starts its queue.
    """
    opened = Opened()
    paths = {f"{PATH}/{lang}": lang for lang in LANGUAGES}
    for path in sorted(paths, key=lambda path: path != first):
        yield path, _in_loop(lambda lang=paths[path]: _mounted(build(engine, lang, options, opened), lang))


def _mounted(blocks: gr.Blocks, lang: Language) -> FastAPI:
    outer = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    gr.mount_gradio_app(
        outer,
        blocks,
        path=f"{PATH}/{lang}",
        theme=theme(),
        css=CSS,
        footer_links=["api"],
        run_history=False,  # Gradio would keep every call in the browser and offer to send it to its hub
        enable_monitoring=False,
        show_error=False,
        allowed_paths=[],
        max_file_size=f"{UPLOAD_MB}mb",
        ssr_mode=False,
        mcp_server=False,
        pwa=False,
    )
    # Else it does not ask of a path that a client names whether that was uploaded: any file of this machine would do.
    blocks.has_launched = True
    outer.add_middleware(PageInLanguage, lang=lang)
    return outer


def redirect(request: Request) -> RedirectResponse:
    """To the interface in the browser's language; what the address asks for goes along."""
    lang = choose(request.headers.get("accept-language"))
    query = f"?{request.url.query}" if request.url.query else ""
    return RedirectResponse(f"{request.scope.get('root_path', '')}{PATH}/{lang}/{query}", 307)


def routes(engine: Engine, options: Options) -> list[BaseRoute]:
    """The routes of the mirror; `gradio_apps` tells what the outer lifespan must enter besides."""
    return mounted(list(gradio_apps(engine, options)))


def mounted(apps: list[tuple[str, FastAPI]]) -> list[BaseRoute]:
    """The routes of applications that are there already."""
    entries: list[BaseRoute] = [Route(PATH, redirect), Route(f"{PATH}/", redirect)]
    return [*entries, *(_At(path, app) for path, app in apps)]


class _At(Mount):
    """A route that leaves the path to its application, which mounts Gradio at the same path itself."""

    def __init__(self, path: str, app: FastAPI) -> None:
        super().__init__(path, app=app)

    def matches(self, scope: Any) -> Any:
        match, child = super().matches(scope)
        kept = {name: value for name, value in child.items() if name == "endpoint"}
        return match, kept


def application(engine: Engine, options: Options) -> Starlette:
    """The mirror alone as an ASGI application."""
    apps = list(gradio_apps(engine, options))

    @contextlib.asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncIterator[None]:
        async with contextlib.AsyncExitStack() as stack:
            for _, mirror in apps:
                await stack.enter_async_context(mirror.router.lifespan_context(mirror))
            yield

    return Starlette(routes=mounted(apps), lifespan=lifespan)


def free_port(wanted: int = PORT) -> int:
    """`wanted` if nobody listens there on loopback, else a free one."""
    for port in (wanted, 0):
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    raise EngineError("no free port on loopback")


def alone(argv: Sequence[str], environ: Mapping[str, str]) -> Options:
    """The options of the mirror served alone, on 7860 or a free port. Raises AccessDenied where a guard is needed,
    which only the whole application has.
    """
    options = Options.from_argv([f"--port={free_port()}", *argv], environ)
    if options.guarded:
        raise AccessDenied("without the whole application there is no class code: serve on 127.0.0.1", role="teacher")
    return options


def main() -> None:
    """Serve the mirror alone, on this machine."""
    import uvicorn

    options = alone(sys.argv[1:], os.environ)
    os.environ.update(options.to_env())
    engine = host.engine()
    sys.stdout.write(f"http://{options.host}:{options.port}{PATH}\n")
    sys.stdout.flush()
    # Against a page elsewhere whose name is made to lead here
    app = TrustedHostMiddleware(application(engine, options), allowed_hosts=["127.0.0.1", "localhost", "[::1]"])
    try:
        uvicorn.run(app, host=options.host, port=options.port, log_level="warning")
    finally:
        engine.close()


if __name__ == "__main__":
    main()
