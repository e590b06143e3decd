"""From files to an answer with the real embedder, index and store: in the engine, on the terminal, from the web."""

from __future__ import annotations

import argparse
import io
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import ThreadingHTTPServer
from typing import Any

import pytest

from engine import Engine, Settings
from engine.chat import Chat, Choice
from engine.cli import rag_ask
from engine.cli.output import Output
from engine.cli.rag import PARTS
from engine.conversation import ChatSettings
from engine.errors import BadInput, BadParameter, NotFound
from engine.rag import embedders
from engine.rag.answering import Answered, answer
from engine.rag.embedders import default_embedder
from engine.rag.grounding import MODES
from engine.rag.indexing import fill, index
from engine.rag.retrieval import Asking, search
from engine.rag.sources import pasted
from engine.rag.web import Fetched
from engine.rag.websearch import gather, searched
from tests.rag.test_websearch import WORD, Tavily

TEXTS = {
    "tour.txt": "La tour Eiffel se trouve à Paris et mesure trois cent trente mètres de haut.",
    "cuisine.txt": "Pour la pâte à crêpes il faut de la farine, des œufs, du lait et une pincée de sel.",
    "ports.txt": "The harbour of Marseille is closed to ships on the first Sunday of May.",
}
QUESTION = "Quelle est la hauteur de la tour Eiffel ?"


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """A data folder with one collection of three texts, indexed once."""
    home = tmp_path_factory.mktemp("asking")
    with closing(Engine(Settings(home=home, model="echo", threads=1))) as desk:
        made = desk.collections.create("local", "cours")
        for _ in fill(desk, made, [pasted(name, text) for name, text in TEXTS.items()]):
            pass
    return home


@pytest.fixture
def desk(home: Any) -> Iterator[Engine]:
    opened = Engine(Settings(home=home, model="echo", threads=1))
    yield opened
    opened.close()


def asked(desk: Engine, question: str, **more: Any) -> Answered:
    answering = answer(desk, "local", desk.collections.find("local", "cours").id, question, **more)
    for _ in answering:
        pass
    return answering.answered


def test_the_first_question_can_find_everything_loaded(desk: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    name = default_embedder()
    thread = desk.embedders.warm(name)
    assert thread is not None and desk.embedders.warm(name) is thread and desk.embedders.warm("gguf:any") is None
    thread.join()
    assert "_loaded" in vars(desk.embedders.get(name, Asking())) and "lancedb" in sys.modules
    monkeypatch.setattr(embedders, "find_spec", lambda _: None)
    missing = Engine(desk.settings).embedders.warm(name)  # where there is no wheel, a question says so
    assert missing is not None
    missing.join()


def test_the_right_passage_comes_first(desk: Engine) -> None:
    told = asked(desk, QUESTION)
    first = told.grounding.sources[0]
    assert first.chunk.name == "tour.txt" and {"vector", "text", "fused"} <= set(first.passage.scores)
    assert first.collection == desk.collections.find("local", "cours").id and told.grounding.nearest
    assert TEXTS["tour.txt"] in told.text  # the echo says what it was asked
    assert asked(desk, "When is the harbour of Marseille closed?").grounding.sources[0].chunk.name == "ports.txt"


def test_what_is_in_no_document_is_refused(desk: Engine) -> None:
    told = asked(desk, "Comment configurer une imprimante réseau sous Windows ?", retrieval=None)
    assert told.refused == told.grounding.empty
    strict = asked(desk, "Qui a gagné la coupe du monde de rugby ?", mode="documents_and_model")
    assert strict.grounding.asked


def test_whole_documents_and_summaries_read_what_was_stored(desk: Engine) -> None:
    for mode in ("whole_document", "summary"):
        told = asked(desk, "Résume les documents en une phrase.", mode=mode)
        assert told.grounding.mode == mode
        assert {source.text for source in told.grounding.sources} == set(TEXTS.values())


def test_a_conversation_is_answered_from_the_collection(desk: Engine) -> None:
    made = desk.collections.find("local", "cours")
    chat = Chat(desk, "local", settings=ChatSettings(collections=(made.id,)))
    writing = chat.say(QUESTION, Choice("echo"))
    assert writing is not None
    node = writing.wait()
    assert node.grounding and node.grounding["sources"][0]["name"] == "tour.txt"


def test_anothers_collection_answers_nobody_else(desk: Engine) -> None:
    other = desk.people.join("Bob", "student").id
    made = desk.collections.find("local", "cours")
    with pytest.raises(NotFound):
        for _ in answer(desk, other, made.id, QUESTION):
            pass


@pytest.fixture(scope="module")
def tavily() -> Iterator[str]:
    Tavily.asked = []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Tavily)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def page(url: str) -> Fetched:
    """Two pages of the stand-in's three."""
    if url.endswith("/3"):
        raise BadInput("no", what="url", reason="content_type")
    text = f"<html><body><p>{TEXTS['tour.txt']} Page {url[-1]}.</p></body></html>"
    return Fetched(url, f"page{url[-1]}.html", text.encode(), "text/html")


def test_the_web_becomes_a_collection_that_is_gone_afterwards(desk: Engine, tavily: str) -> None:
    with searched(desk, "local", QUESTION, enabled=False, key=WORD, address=tavily, get=page) as web:
        assert web.collection and web.collection.temporary and [one.error is None for one in web.pages] == [1, 1, 0]
        answering = answer(desk, "local", web.collection.id, QUESTION)
        for _ in answering:
            pass
        source = answering.answered.grounding.sources[0]
        assert "tour Eiffel" in source.text and source.chunk.name.startswith("example.org/page")
    with pytest.raises(NotFound):
        desk.collections.get("local", web.collection.id)


def test_the_web_stays_a_collection_of_its_owner(desk: Engine, tavily: str) -> None:
    made = []
    for number in range(4):
        web = gather(desk, "local", f"{QUESTION} {number}", enabled=False, key=WORD, address=tavily, get=page)
        assert web.collection and web.job and web.job.title == web.collection.title == f"{QUESTION} {number}"
        assert "key" not in web.job.args and WORD not in json.dumps(web.job.args)
        desk.jobs.cancel(web.job.id)
        made.append(web.collection)
    assert [one.id for one in desk.collections.passing("local")] == [one.id for one in reversed(made[1:])]
    assert desk.collections.find("local", "cours") and [one.name for one in desk.collections.list("local")] == ["cours"]
    for _ in index(**web.job.args):
        pass
    found = search(desk, "local", made[-1].id, QUESTION)
    assert found.passages[0].chunk.name.startswith("example.org/page")
    with pytest.raises(NotFound):
        search(desk, desk.people.join("Carl", "student").id, made[-1].id, QUESTION)


def terminal(
    home: Any, monkeypatch: pytest.MonkeyPatch, *words: str, as_json: bool = False, part: str = "ask"
) -> tuple[int, str, str]:
    """Exit code, output and errors of `rag ask` or `rag search`."""
    add, run, _ = PARTS[part]
    parser = argparse.ArgumentParser()
    add(parser)
    told, wrong = io.StringIO(), io.StringIO()
    monkeypatch.setenv("ATELIER_HOME", str(home))
    monkeypatch.setenv("ATELIER_MODEL", "echo")
    monkeypatch.setattr(sys, "stdout", told)
    monkeypatch.setattr(sys, "stderr", wrong)
    with Output(None, as_json=as_json) as out:
        code = run(parser.parse_args(words), out)
    return code, told.getvalue(), wrong.getvalue()


def test_on_the_terminal(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told, wrong = terminal(home, monkeypatch, QUESTION, "-k", "2", "--threshold", "none")
    assert code == 0 and TEXTS["tour.txt"] in told and "[1] tour.txt" in wrong and "vector 0." in wrong
    assert wrong.count("\n[") == 1  # two passages


def test_on_the_terminal_as_json(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    words = (
        QUESTION,
        "--collection",
        "cours",
        "--mode",
        "retrieval_only",
        "--file",
        "ports.txt",
        "--threshold",
        "none",
    )
    code, told, _ = terminal(home, monkeypatch, *words, as_json=True)
    data = json.loads(told)
    assert code == 0 and data["outcome"] == "stop" and data["text"].startswith("[1] ports.txt")
    assert [one["name"] for one in data["grounding"]["sources"]] == ["ports.txt"] and data["refused"] is False
    with pytest.raises(BadInput):
        terminal(home, monkeypatch, QUESTION, "--collection", "cours", "--file", "none.txt")
    with pytest.raises(NotFound):
        terminal(home, monkeypatch, QUESTION, "--collection", "nothing")


def test_a_search_on_the_terminal_is_of_all_collections(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    code, told, _ = terminal(home, monkeypatch, QUESTION, part="search")
    assert code == 0 and told.startswith("[1] tour.txt  vector 0.") and TEXTS["tour.txt"] in told
    for flags in (("--no-threshold",), ("--threshold", "none")):
        more = ("--collection", "cours", "--file", "ports.txt", "--mmr", "0.5")
        _, told, _ = terminal(home, monkeypatch, QUESTION, *flags, *more, part="search", as_json=True)
        data = json.loads(told)
        assert [one["chunk"]["name"] for one in data["passages"]] == ["ports.txt"]
        assert data["retrieval"]["threshold"] is None and data["retrieval"]["mmr"] == 0.5
    with pytest.raises(BadParameter):
        terminal(home, monkeypatch, QUESTION, "--threshold", "much", part="search")


def test_the_modes_of_the_terminal_are_all_there_are() -> None:
    assert rag_ask.MODES == MODES
