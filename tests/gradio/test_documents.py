"""Documents in the Gradio mirror: the named endpoints do what the command line does, and nothing else is read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError

from apps.gradio_app import build
from apps.gradio_documents.keeping import Keeping
from apps.options import Options
from engine.cli import main
from engine.errors import Unreachable
from engine.person import LOCAL
from engine.rag import embedders, indexing, websearch
from engine.rag.sources import Source, pasted
from engine.rag.web import Fetched
from engine.settings import Settings
from tests.browser.tabs import PATIENCE_MS
from tests.documents.files import pdf
from tests.gradio.conftest import EchoEngine, Site, serving
from tests.standins.app_server import wait_for
from tests.standins.rag import EMBEDDER, SMALL, fill

CAT = "Le chat de la gardienne dort sur le tapis rouge du salon pendant toute la matinée."
DOG = "The dog of the farmer barks at the moon behind the old stone barn every night."


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A mirror whose folder the children of its queue find."""
    home = tmp_path_factory.mktemp("documents")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("ATELIER_HOME", str(home))
        patch.setenv("ATELIER_MODEL", "echo")
        with serving(home, slots=2) as running:
            yield running


@pytest.fixture(scope="module")
def client(site: Site) -> Iterator[Client]:
    opened = Client(site.language("en"), verbose=False)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def indexed(client: Client, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A French PDF of two pages, uploaded, and what the endpoint told of it."""
    file = tmp_path_factory.mktemp("files") / "Règlement d’été (1).pdf"
    file.write_bytes(pdf("La piscine ouvre le lundi.", "Le bonnet de bain est obligatoire."))
    updates = list(client.submit("Piscine", [handle_file(str(file))], {"chat.txt": CAT}, api_name="/documents_index"))
    how, told = updates[-1]
    assert how["state"] == "done" and all(not read for _, read in updates[:-1])
    return dict(told)


def test_files_are_read_and_told(indexed: dict[str, Any], client: Client) -> None:
    assert indexed["collection"]["name"] == "Piscine" and indexed["collection"]["files"] == 2
    files = {file["name"]: file for file in indexed["files"]}
    assert files["Règlement d’été (1).pdf"]["pages"] == 2 and files["chat.txt"]["state"] == "done"


def test_a_question_is_answered_with_its_page(
    indexed: dict[str, Any], client: Client, site: Site, monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    monkeypatch.setenv("ATELIER_HOME", str(site.engine.settings.home))
    asked = "Faut-il porter un bonnet de bain ?"
    found = client.predict(asked, "Piscine", {"k": 2}, api_name="/documents_search")
    assert found["passages"][0]["chunk"]["page"] == 2 and set(found["passages"][0]["scores"]) >= {"vector", "evidence"}
    assert main(["rag", "search", asked, "--collection", "Piscine", "-k", "2", "--json"]) == 0
    shown = json.loads(capsys.readouterr().out)
    assert {**shown, "seconds": 0} == {**found, "seconds": 0}
    updates = list(client.submit(asked, "Piscine", model="echo", api_name="/documents_ask"))
    text, told = updates[-1]
    assert told["grounding"]["sources"][0]["page"] == 2 and told["text"] == text and told["cited"] == [1]
    assert any(not said and passages["grounding"]["sources"] for said, passages in updates[:-1] if passages)


def test_without_a_passage_no_model_is_asked(indexed: dict[str, Any], client: Client, site: Site) -> None:
    before = len(site.echo.ended)
    text, told = client.submit("What is the boiling point of mercury?", "Piscine", api_name="/documents_ask").result()
    assert told["refused"] and told["grounding"]["empty"] and text == told["text"]
    text, told = client.submit("bonnet", "Piscine", "retrieval_only", api_name="/documents_ask").result()
    assert not told["grounding"]["asked"] and "bonnet" in text
    assert len(site.echo.ended) == before


def test_a_question_set_is_measured(indexed: dict[str, Any], client: Client, tmp_path: Path) -> None:
    file = tmp_path / "questions.csv"
    file.write_text(
        "question,document\nFaut-il un bonnet de bain ?,Règlement d’été (1).pdf\nOù dort le chat ?,chat.txt\n"
    )
    how, told = client.submit(handle_file(str(file)), "Piscine", [{"name": "words", "retrieval": {"arm": "text"}}, {}],
                              api_name="/documents_evaluate").result()  # fmt: skip
    assert how["state"] == "done" and told["questions"] == 2 and told["metrics"]["recall@5"] == 1.0
    assert [one["configuration"]["name"] for one in told["configurations"]] == ["words", "2"]
    assert set(told["first_minus"]) == {"2"} and told["intervals"]["mrr"]["n"] == 2


def test_what_cannot_be_done_is_a_sentence(indexed: dict[str, Any], client: Client, site: Site) -> None:
    wrong: list[tuple[str, dict[str, Any], str]] = [
        ("search", {"question": " ", "collection": "Piscine"}, "bad_input"),
        ("search", {"question": "x", "collection": "Piscine", "options": {"colour": 1}}, "bad_input"),
        ("search", {"question": "x", "collection": "Piscine", "options": {"k": 1000}}, "bad_parameter"),
        ("ask", {"question": "x", "collection": "Piscine", "mode": "guess"}, "bad_input"),
        ("ask", {"question": "x", "collection": "Piscine", "model": "nope"}, "unknown_model"),
        ("index", {"collection": "Piscine", "options": {"size": 64}}, "bad_input"),
        ("index", {"collection": "Other", "options": {"size": 1}}, "bad_parameter"),
        ("evaluate", {"configurations": [{"retrieval": 3}]}, "bad_input"),
        ("evaluate", {"collection": "Piscine", "hit": "guess"}, "bad_input"),
    ]
    for name, given, code in wrong:
        with pytest.raises(AppError, match=rf"\({code}\)"):
            client.predict(**given, api_name=f"/documents_{name}")


def test_what_is_another_persons_stays_theirs(client: Client, site: Site) -> None:
    store, people = site.engine.collections, site.engine.people
    anne, teacher = people.join("Anne", "student").id, people.join("Mme Martin", "teacher").id
    private = store.create(anne, "Private", EMBEDDER, SMALL)
    fill(store, private, pasted("dog.txt", DOG))
    for name in ("Private", private.id):
        for endpoint in ("search", "ask"):
            with pytest.raises(AppError, match=r"\(not_found\)"):
                client.predict("dog", name, api_name=f"/documents_{endpoint}")
        with pytest.raises(AppError, match=r"\(not_found\)"):
            client.predict(None, name, api_name="/documents_evaluate")
    lent = store.share(teacher, store.create(teacher, "Lent", EMBEDDER, SMALL).id)
    with pytest.raises(AppError, match=r"\(access_denied\)"):
        client.predict("Lent", None, {"mine.txt": CAT}, api_name="/documents_index")
    assert not store.files(teacher, lent.id) and len(store.files(anne, private.id)) == 1


def test_no_file_of_this_machine_is_taken_for_an_upload(site: Site, client: Client, tmp_path: Path) -> None:
    """A client may name any path: neither an endpoint nor a component reads what was not uploaded."""
    secret = tmp_path / "secret.txt"
    secret.write_text("the key of the class")
    for meta in ({"meta": {"_type": "gradio.FileData"}}, {}):
        told = _called(site, "documents_index", ["Stolen", [{"path": str(secret), **meta}], None, None, None])
        assert "error" in told and "key of the class" not in told
    assert not [one for one in site.engine.collections.list(LOCAL.id) if one.name == "Stolen"]
    assert secret.exists()


def _called(site: Site, name: str, data: list[Any]) -> str:
    """All that the server says to a call that no client would make."""
    root = f"{site.language('en')}gradio_api/call/{name}"
    event = httpx.post(root, json={"data": data}, timeout=240).json()["event_id"]
    return httpx.get(f"{root}/{event}", timeout=240).text


def test_a_collection_is_made_renamed_and_deleted(tmp_path: Path) -> None:
    with closing(EchoEngine(Settings(home=tmp_path, model="echo"))) as engine:
        blocks = build(engine, "en", Options())
        bound = (getattr(function.fn, "__self__", None) for function in blocks.fns.values())
        keeping = next(one for one in bound if isinstance(one, Keeping))
        parts, request = keeping.parts, SimpleNamespace(headers={}, session_hash="page", query_params={})
        form = {parts.name: "First", parts.embedder: "", parts.kind: "tokens", parts.size: 64, parts.overlap: 6}
        made = keeping.create({parts.chosen: None, **form}, request)
        values = {parts.chosen: made[parts.chosen].value, parts.new_name: "Second <b>"}
        renamed = keeping.rename(values, request)
        assert renamed[parts.new_name] == "Second <b>" and "64 tokens" in renamed[parts.summary]
        assert "Second <b>" in keeping.ask_twice(values, request).value
        gone = keeping.delete(values, request)
        assert not gone[parts.chosen].choices and not engine.collections.list(LOCAL.id)
        assert all(set(update) <= set(parts.written) for update in (made, renamed, gone))


def test_the_web_becomes_a_temporary_collection(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    hits = tuple(websearch.Hit(f"https://{name}.example/", name, "") for name in ("a", "b"))
    monkeypatch.setattr(websearch, "find", lambda *_, **__: hits)
    monkeypatch.setattr(websearch, "fetch", _fetched)
    monkeypatch.setattr(embedders, "default_embedder", lambda: EMBEDDER)
    monkeypatch.setattr("gradio.Warning", lambda *_: None)  # it speaks to a page
    monkeypatch.setattr(indexing, "start", _at_once)
    with closing(EchoEngine(Settings(home=tmp_path, model="echo"))) as engine:
        blocks = build(engine, "en", Options())
        bound = (getattr(function.fn, "__self__", None) for function in blocks.fns.values())
        keeping = next(one for one in bound if isinstance(one, Keeping))
        parts, request = keeping.parts, SimpleNamespace(headers={}, session_hash="page", query_params={})
        values = {parts.chosen: None, parts.query: "ours polaire", parts.key: "", parts.allow: False}
        _, refused = keeping.search(values, request)
        assert "bad_input" in refused[parts.alert] and not engine.collections.passing(LOCAL.id)
        waiting, found = keeping.search(values | {parts.allow: True}, request)
        (passing,) = engine.collections.passing(LOCAL.id)
        assert "reading" in waiting[parts.found] and found[parts.chosen].value == passing.id
        assert "1 of 2." in found[parts.found] and "b.example" in found[parts.found]
        assert found[parts.chosen].choices == [("Web: ours polaire (temporary)", passing.id)]
        assert not found[parts.adding].visible and not found[parts.share].visible and parts.fold not in found
        assert all(set(update) <= set(parts.written) for update in (refused, waiting, found))
        renamed = keeping.rename({parts.chosen: passing.id, parts.new_name: "Bears"}, request)
        assert parts.alert in renamed and engine.collections.passing(LOCAL.id)[0].title == "ours polaire"


def _at_once(engine: EchoEngine, _: str, key: str, sources: list[Source]) -> None:
    fill(engine.collections, engine.collections.any(key), *sources)


def _fetched(url: str, *_: object) -> Fetched:
    if "b.example" in url:
        raise Unreachable("no answer", address=url)
    return Fetched(url, "a.html", b"<p>Un ours polaire nage.</p>", "text/html")


@pytest.mark.browser
def _unfolded(title: Any) -> bool:
    """Whether that part stands open; it is opened and left a moment where it does not."""
    if "open" in (title.get_attribute("class") or "").split():
        return True
    title.click()
    title.page.wait_for_timeout(2000)
    return False


def test_a_pdf_is_dropped_asked_and_its_page_opened(
    indexed: dict[str, Any], site: Site, chromium: Any, tmp_path: Path
) -> None:
    file = tmp_path / "Règlement d’hiver (2).pdf"
    file.write_bytes(pdf("La patinoire ouvre le lundi.", "Le casque de hockey est obligatoire."))
    context = chromium.new_context(viewport={"width": 1366, "height": 900}, locale="fr-FR")
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site.language("fr") + "?section=documents")
    page.locator("#documents-examples button").nth(2).wait_for()  # the page has opened what its address says
    for fold in ("shelf", "bring"):  # folded once a collection has files, by whichever update comes last
        title = page.locator(f"#documents-{fold} button.label-wrap").first
        title.wait_for()
        assert wait_for(lambda title=title: _unfolded(title), PATIENCE_MS / 1000)
    page.locator("#documents-drop input[type=file]").set_input_files(str(file))
    page.locator("#documents-table tr", has_text=file.name).get_by_text("✓ lu").wait_for()
    page.locator("#documents-question textarea").fill("Faut-il porter un casque de hockey ?")
    page.locator("#documents-ask").click()
    page.locator("#documents-stats p").wait_for()
    page.locator('#documents-answer a[href="#passage-1"]').first.click()
    page.locator("#documents-around mark").get_by_text("casque de hockey").wait_for()
    assert "passage" in (page.locator("#documents-page img").get_attribute("alt") or "")
    assert not errors
    context.close()
