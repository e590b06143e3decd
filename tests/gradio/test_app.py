"""The mirror as a whole: its pages, its queue, what it asks of the network."""

from __future__ import annotations

import html
import re
import socket
import urllib.request
from collections.abc import Iterator
from typing import Any

import gradio as gr
import pytest
from starlette.requests import Request
from starlette.testclient import TestClient

from apps.gradio_app import MARGIN, alone, application, build, free_port, redirect
from apps.gradio_kit import Sidebar, Ui
from apps.gradio_look import page_in, theme
from apps.options import Options
from apps.ui.i18n import words
from engine.engine import Engine
from engine.errors import AccessDenied
from engine.instances import configure, remove
from engine.models.configuration import Configuration
from engine.settings import Settings
from tests.gradio.conftest import Site


def page(site: Site, lang: str) -> str:
    with urllib.request.urlopen(site.language(lang), timeout=240) as answer:
        return str(answer.read().decode())


# Once for this file: building one interface takes seconds
@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    opened = Engine(Settings(home=tmp_path_factory.mktemp("app"), model="echo", slots=3, queue=7), serve=True)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def alone_page(engine: Engine) -> gr.Blocks:
    return build(engine, "en", Options())


@pytest.fixture(scope="module")
def class_page(engine: Engine) -> gr.Blocks:
    return build(engine, "en", Options(class_mode=True))


@pytest.fixture(scope="module")
def client(engine: Engine) -> Iterator[TestClient]:
    """A client of the mirror behind a proxy with a base path, which any other one is served like."""
    with TestClient(application(engine, Options(root_path="/base")), root_path="/base") as opened:
        yield opened


def test_the_queue_lets_everybody_reach_our_own(alone_page: gr.Blocks) -> None:
    queue = alone_page._queue
    assert queue.default_concurrency_limit == 3 + MARGIN
    assert queue.max_thread_count >= 3 + MARGIN  # else Gradio would hold them back all the same
    assert queue.max_size == 7


def test_the_queue_sleeps_while_nobody_is_here(alone_page: gr.Blocks) -> None:
    assert alone_page._queue.sleep_when_free >= 0.01 and alone_page._queue.progress_update_sleep_when_free >= 0.05


def test_nothing_is_sent_to_gradio_or_its_hub(alone_page: gr.Blocks) -> None:
    blocks = alone_page
    assert not blocks.analytics_enabled and not blocks.share and not blocks.allowed_paths and not blocks.mcp_server


@pytest.mark.parametrize("lang", ["fr", "en"])
def test_the_page_speaks_its_language_and_names_no_other_host(site: Site, lang: str) -> None:
    text = page(site, lang)
    assert re.search(rf'<html\s+lang="{lang}"', text)
    links = re.findall(r'(?:src|href|content)="((?:https?:)?//[^"]*)"', text)
    assert links == []
    assert html.escape(words(lang).t("question.chat"), quote=True)[:20] in text.replace("\\u0027", "'")


def test_fonts_are_those_of_the_machine() -> None:
    chosen = theme()
    assert not chosen._stylesheets and not chosen._font_css and "@import" not in chosen._get_theme_css()


@pytest.mark.parametrize(("wanted", "lang"), [("fr-CH,en;q=0.5", "fr"), ("en-GB", "en"), ("de", "en"), (None, "en")])
def test_the_bare_path_goes_to_the_browsers_language(client: TestClient, wanted: str | None, lang: str) -> None:
    headers = {"accept-language": wanted} if wanted else {}
    for path in ("/base/gradio", "/base/gradio/"):
        answer = client.get(f"{path}?temperature=1.1", headers=headers, follow_redirects=False)
        assert answer.status_code == 307
        assert answer.headers["location"] == f"/base/gradio/{lang}/?temperature=1.1"


def test_without_a_base_path_there_is_none_in_the_address() -> None:
    scope = {"type": "http", "headers": [], "query_string": b"", "path": "/gradio"}
    assert redirect(Request(scope)).headers["location"] == "/gradio/en/"


def test_behind_a_proxy_with_a_base_path(client: TestClient) -> None:
    # As uvicorn with --root-path gives it: the path begins with the base path, whether the proxy cuts it off or not.
    assert '"root":"http://testserver/base/gradio/en"' in client.get("/base/gradio/en/").text
    assert client.get("/base/gradio/en/gradio_api/info").status_code == 200


@pytest.mark.parametrize("path", ["gradio_api/runs", "monitoring/summary", "gradio_api/file=/etc/passwd"])
def test_doors_that_gradio_would_open_are_closed(client: TestClient, path: str) -> None:
    assert client.get(f"/base/gradio/en/{path}").status_code in (403, 404)


def test_the_class_tab_is_there_in_class_mode_only(alone_page: gr.Blocks, class_page: gr.Blocks) -> None:
    def tabs(blocks: gr.Blocks) -> list[str]:
        return [block.label for block in blocks.blocks.values() if type(block).__name__ == "Tab" and block.id]

    assert "Class" not in tabs(alone_page) and "Class" in tabs(class_page)


def test_every_control_has_a_label(class_page: gr.Blocks) -> None:
    kinds = {"textbox", "number", "slider", "dropdown", "chatbot", "code"}
    bare = [block for block in class_page.blocks.values() if block.get_block_name() in kinds and not block.label]
    assert bare == []


def test_the_rewritten_page_keeps_everything_else() -> None:
    before = (
        '<html\n\tlang="en"><head><meta property="og:image" content="https://x/y.png"/><title>t</title></head></html>'
    )
    after = page_in("fr", before)
    assert 'lang="fr"' in after and "https://x" not in after and "<title>t</title></head></html>" in after


def test_alone_it_serves_this_machine_only() -> None:
    assert alone([], {}).host == "127.0.0.1" and alone([], {}).port > 0
    assert alone(["--host", "localhost", "--port", "7999"], {}).port == 7999
    for argv in (["--host", "0.0.0.0"], ["--class"]):
        with pytest.raises(AccessDenied):
            alone(argv, {})


def test_a_free_port_is_found_where_the_wanted_one_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert free_port(taken.getsockname()[1]) not in (0, taken.getsockname()[1])


def test_controls_that_nobody_moved_follow_the_model(engine: Engine) -> None:
    kept = Configuration.from_dict({"params": {"temperature": 0.1, "stop": ["#"]}})
    configure(engine, "echo@cold", kept)
    boxes: Any = {name: object() for name in ("temperature", "stop", "top_k")}
    temperature, stop, top_k = boxes.values()
    other: Any = object()
    bar = Sidebar(Ui(engine, "en", Options()), other, boxes, other, other)
    plain, cold = engine.catalog.card("echo"), engine.catalog.card("echo@cold")
    assert bar.follow({}, cold) == {temperature: 0.1, stop: "#"}
    assert bar.follow({temperature: 1.3, stop: "#", top_k: 40}, plain, cold) == {stop: ""}
    remove(engine, "echo@cold")
