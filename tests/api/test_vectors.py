"""`/v1/embeddings` and `/v1/rerank` with real GGUF models: tiny BERTs of random weights in real llama.cpp workers; and
files that are not a student's to load.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from starlette.testclient import TestClient

from apps import host
from apps.api.routes import api
from engine import Engine, Settings
from engine.errors import AccessDenied
from engine.models.configuration import Configuration
from engine.person import Person
from engine.rag.embedders import admit_choice, embedder
from engine.rag.rerank import reranker
from tests.models.gguf_files import gguf
from tests.rag.tiny_bert import CONTEXT, RANK, WIDTH, write_tiny_bert
from tests.standins.llama_server import bundled_gguf


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    home = tmp_path_factory.mktemp("home")
    settings = Settings(home=home, model="echo", prepare=False, threads=1)
    settings.models_dir.mkdir(parents=True)
    write_tiny_bert(settings.models_dir / "tiny.gguf")
    write_tiny_bert(settings.models_dir / "ranker.gguf", pooling=RANK)
    opened = Engine(settings, serve=True)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(host, "engine", lambda: opened)
        yield opened
        opened.close()


def client(role: Any = "teacher") -> TestClient:
    app = api()

    async def guarded(scope: Any, receive: Any, send: Any) -> None:
        scope.setdefault("state", {})["person"] = Person("ann" if role == "student" else "local", "", role)
        await app(scope, receive, send)

    return TestClient(guarded)


def rows(answer: Any) -> Any:
    assert answer.status_code == 200, answer.text
    return np.array([row["embedding"] for row in answer.json()["data"]], dtype=np.float32)


def test_a_file_embeds_through_the_served_api(desk: Engine) -> None:
    listed = {row["id"]: row["meta"]["type"] for row in client("student").get("/v1/models").json()["data"]}
    assert (listed["tiny"], listed["ranker"]) == ("embedding", "reranking")
    texts = ["abc", "zzz", "abc", "a b c " * 500, ""]  # the fourth is cut to the window
    answer = client("student").post("/v1/embeddings", json={"model": "tiny", "input": texts})
    found = rows(answer)
    assert found.shape == (5, WIDTH) and np.isfinite(found).all()
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-5)
    np.testing.assert_allclose(found[0], found[2], atol=2e-3)
    assert float(found[0] @ found[1]) < 0.999
    np.testing.assert_allclose(found[0], embedder("gguf:tiny", desk).passages(["abc"])[0], atol=2e-3)
    body = answer.json()
    assert body["model"] == "tiny" and body["usage"]["prompt_tokens"] == body["usage"]["total_tokens"] > CONTEXT
    packed = client().post("/v1/embeddings", json={"model": "gguf:tiny", "input": "abc", "encoding_format": "base64"})
    told = np.frombuffer(base64.b64decode(packed.json()["data"][0]["embedding"]), "<f4")
    np.testing.assert_allclose(told, found[0], atol=2e-3)
    query = {"model": "tiny", "input": "abc", "input_type": "query", "dimensions": WIDTH}
    np.testing.assert_allclose(rows(client().post("/v1/embeddings", json=query))[0], found[0], atol=2e-3)
    assert client().post("/v1/embeddings", json={**query, "dimensions": WIDTH + 1}).status_code == 400


def test_a_file_ranks_through_the_served_api(desk: Engine) -> None:
    texts = ["a bee", "a bee in a hive", "x" * 5000, "a bee"] + ["more"] * 20  # more than one batch
    body = {"model": "ranker", "query": "where is the bee?", "documents": texts, "return_documents": True}
    for route in ("/v1/rerank", "/v1/reranking"):
        answer = client("student").post(route, json=body)
        assert answer.status_code == 200, answer.text
        results = answer.json()["results"]
        assert sorted(row["index"] for row in results) == list(range(len(texts)))
        told = [row["relevance_score"] for row in results]
        assert told == sorted(told, reverse=True) and len({round(score, 4) for score in told}) >= 2
        assert all(row["document"] == {"text": texts[row["index"]]} for row in results)
    scores = {row["index"]: row["relevance_score"] for row in results}
    assert scores[0] == pytest.approx(scores[3], abs=1e-3)
    best = client().post("/v1/rerank", json={"query": "?", "documents": texts, "top_n": 3}).json()  # the only one here
    assert best["model"] == "gguf:ranker" and len(best["results"]) == 3
    assert client().post("/v1/rerank", json={**body, "model": "tiny"}).status_code == 400
    assert client().post("/v1/rerank", json={**body, "model": "nobody"}).status_code == 404


@pytest.mark.model
def test_a_model_that_writes_embeds_by_its_mean_for_the_teacher_who_names_its_file(desk: Engine) -> None:
    path = {"model": f"gguf:{bundled_gguf()}", "input": ["The bakery opens at 7.", "Bread.", "The bakery opens at 7."]}
    found = rows(client().post("/v1/embeddings", json=path))
    assert found.shape == (3, 576) and float(found[0] @ found[2]) > 0.99 > float(found[0] @ found[1])
    assert client("student").post("/v1/embeddings", json=path).status_code == 403


@pytest.mark.parametrize("model", ["gguf:/etc/passwd", "gguf:/dev/zero", "gguf:~/x.gguf", "gguf:absent"])
def test_a_path_is_not_a_students_to_name(desk: Engine, model: str) -> None:
    for route, body in (("embeddings", {"input": "x"}), ("rerank", {"query": "x", "documents": ["y"]})):
        assert client("student").post(f"/v1/{route}", json={"model": model, **body}).status_code == 403
        assert client().post(f"/v1/{route}", json={"model": model, **body}).status_code == 404
    with pytest.raises(AccessDenied):
        admit_choice(model, desk, "student")


def test_files_of_other_programs_are_not_a_students_to_see_or_load(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "user" / ".lmstudio" / "models" / "me" / "it"
    folder.mkdir(parents=True)
    monkeypatch.setattr(Path, "home", lambda: tmp_path / "user")
    (folder / "theirs.gguf").write_bytes(gguf())
    write_tiny_bert(folder / "embeds.gguf")
    write_tiny_bert(folder / "ranks.gguf", pooling=RANK)
    engine = Engine(Settings(home=tmp_path / "home", model="echo", prepare=False), serve=True)
    monkeypatch.setattr(host, "engine", lambda: engine)
    try:
        cards = {card.files[0].path.stem: card for card in engine.catalog.cards() if card.source == "lmstudio"}
        assert set(cards) == {"theirs", "embeds", "ranks"}
        hidden = {card.id for card in cards.values()}
        for role, seen in (("teacher", hidden), ("student", set())):
            listed = {row["id"] for row in client(role).get("/v1/models").json()["data"]}
            assert listed & hidden == seen
            assert {card.id for card in engine.models(role)} & hidden == seen & {cards["theirs"].id}
        for act in (
            lambda: engine.model(cards["theirs"].id, role="student"),
            lambda: embedder(f"gguf:{cards['embeds'].id}", engine, role="student"),
            lambda: reranker(f"gguf:{cards['ranks'].id}", engine, role="student"),
            lambda: admit_choice(f"gguf:{cards['embeds'].id}", engine, "student"),
        ):
            with pytest.raises(AccessDenied):
                act()
        asked = {"model": cards["embeds"].id, "input": "x"}
        assert client("student").post("/v1/embeddings", json=asked).status_code == 403
        engine.configurations.put(cards["theirs"].id, Configuration.from_dict({"load": {"context": 512}}))
        assert cards["theirs"].id in {card.id for card in engine.models("student")}  # the teacher knows it now
    finally:
        engine.close()
