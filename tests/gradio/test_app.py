"""The mirror as a whole: its pages, its queue, what it asks of the network."""

from __future__ import annotations

import html
import re
import socket
import urllib.request
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from apps.gradio_app import MARGIN, alone, application, build, free_port
from apps.gradio_look import page_in, theme
from apps.options import Options
from apps.ui.i18n import words
from engine.engine import Engine
from engine.errors import AccessDenied
from engine.settings import Settings
from tests.gradio.conftest import Site


def page(site: Site, lang: str) -> str:
    with urllib.request.urlopen(site.language(lang)) as answer:
        return str(answer.read().decode())


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    return Engine(Settings(home=tmp_path, model="echo", slots=3, queue=7), serve=True)


def test_the_queue_lets_everybody_reach_our_own(engine: Engine) -> None:
    blocks = build(engine, "en", Options())
    assert blocks._queue.default_concurrency_limit == 3 + MARGIN
    assert blocks._queue.max_thread_count >= 3 + MARGIN  # else Gradio would hold them back all the same
    assert blocks._queue.max_size == 7


def test_nothing_is_sent_to_gradio_or_its_hub(engine: Engine) -> None:
    blocks = build(engine, "en", Options())
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
def test_the_bare_path_goes_to_the_browsers_language(engine: Engine, wanted: str | None, lang: str) -> None:
    client = TestClient(application(engine, Options()), follow_redirects=False)
    headers = {"accept-language": wanted} if wanted else {}
    for path in ("/gradio", "/gradio/"):
        answer = client.get(f"{path}?temperature=1.1", headers=headers)
        assert answer.status_code == 307 and answer.headers["location"] == f"/gradio/{lang}/?temperature=1.1"


def test_behind_a_proxy_with_a_base_path(engine: Engine) -> None:
    # As uvicorn with --root-path gives it: the path begins with the base path, whether the proxy cuts it off or not.
    with TestClient(application(engine, Options(root_path="/base")), root_path="/base") as client:
        assert client.get("/base/gradio", follow_redirects=False).headers["location"] == "/base/gradio/en/"
        assert '"root":"http://testserver/base/gradio/en"' in client.get("/base/gradio/en/").text
        assert client.get("/base/gradio/en/gradio_api/info").status_code == 200


@pytest.mark.parametrize("path", ["gradio_api/runs", "monitoring/summary", "gradio_api/file=/etc/passwd"])
def test_doors_that_gradio_would_open_are_closed(engine: Engine, path: str) -> None:
    with TestClient(application(engine, Options())) as client:
        assert client.get(f"/gradio/en/{path}").status_code in (403, 404)


def test_the_class_tab_is_there_in_class_mode_only(engine: Engine) -> None:
    def tabs(options: Options) -> list[str]:
        blocks = build(engine, "en", options)
        return [block.label for block in blocks.blocks.values() if type(block).__name__ == "Tab" and block.id]

    assert "Class" not in tabs(Options()) and "Class" in tabs(Options(class_mode=True))


def test_every_control_has_a_label(engine: Engine) -> None:
    blocks = build(engine, "fr", Options(class_mode=True))
    kinds = {"textbox", "number", "slider", "dropdown", "chatbot", "code"}
    bare = [block for block in blocks.blocks.values() if block.get_block_name() in kinds and not block.label]
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
