"""The page of documents over an echo and an embedder that costs nothing: collections, files, answers, passages."""

from __future__ import annotations

import pytest
from streamlit.testing.v1 import AppTest

from engine.person import LOCAL
from engine.rag.collections import Collection
from engine.rag.sources import pasted, upload
from tests.pages.conftest import ROOT, EchoEngine, texts
from tests.standins.rag import EMBEDDER, SMALL, Hashed, fill

CAT = "Le chat dort sur le tapis rouge du salon pendant toute la matinée."
DOG = "The dog barks at the moon behind the old stone barn every single night."


@pytest.fixture
def page(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page by itself, in English, not yet run; questions are embedded for nothing."""
    monkeypatch.setattr(type(engine.embedders), "get", lambda *_: Hashed())
    app = AppTest.from_file(str(ROOT / "pages" / "documents.py"), default_timeout=120)
    app.session_state["lang"] = "en"
    return app


@pytest.fixture
def collection(engine: EchoEngine) -> Collection:
    """Two files, read, and one that cannot be."""
    made = engine.collections.create(LOCAL.id, "Animals", EMBEDDER, SMALL)
    broken = upload("picture.png", b"\x89PNG\r\n\x1a\n")
    fill(engine.collections, made, pasted("cat.txt", CAT), pasted("dog.txt", DOG), broken)
    return engine.collections.get(LOCAL.id, made.id)


def clean(app: AppTest) -> None:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]


def ended(app: AppTest) -> None:
    """The answers under way come to their end, and the page is drawn anew."""
    for one in app.session_state["documents.asked"].values():
        assert one.wait(60)
    app.run()


def test_an_empty_page_has_examples_and_a_drop_zone(page: AppTest) -> None:
    page.run()
    clean(page)
    assert [button.key for button in page.button if (button.key or "").startswith("documents.example.")]
    assert page.get("file_uploader")


def test_the_table_tells_what_was_read(page: AppTest, collection: Collection) -> None:
    page.run()
    clean(page)
    told = texts(page)
    assert "cat.txt" in told and "✓ read" in told and "✕ failed" in told


def test_a_question_is_answered_with_passages(page: AppTest, collection: Collection) -> None:
    page.run()
    page.text_input(key="documents.box.question").set_value("chat tapis rouge")
    page.button(key="documents.go").click().run()
    ended(page)
    clean(page)
    look = page.session_state["documents.asked"]["with"].look
    assert look.grounding is not None and look.grounding.sources[0].chunk.name == "cat.txt"
