"""A GGUF reranker through the runtime: a tiny BERT with a head of random weights, in a real llama.cpp worker."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, NotFound
from engine.rag.rerank import reranker, rerankers
from engine.settings import Settings
from tests.rag.tiny_bert import RANK, write_tiny_bert


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    with closing(Engine(Settings(home=tmp_path_factory.mktemp("home")))) as engine:
        yield engine


def test_every_text_gets_its_own_score_in_the_order_given(engine: Engine, tmp_path: Path) -> None:
    path = write_tiny_bert(tmp_path / "ranker.gguf", pooling=RANK)
    found = reranker(f"gguf:{path}", engine)
    texts = ["a bee", "a bee in a hive", "x" * 5000, "a bee"]  # the third is cut to the window
    scores = found.scores("where is the bee?", texts)
    assert len(scores) == 4 and len({round(score, 4) for score in scores}) >= 2
    assert scores[0] == pytest.approx(scores[3], abs=1e-3)
    turned = found.scores("where is the bee?", texts[::-1])
    assert turned == pytest.approx(scores[::-1], abs=1e-3)
    assert found.scores("where?", []) == []


def test_what_is_no_reranker_is_refused(engine: Engine, tmp_path: Path) -> None:
    with pytest.raises(NotFound):
        reranker("gguf:nowhere", engine)
    with pytest.raises(AccessDenied):
        reranker(f"gguf:{tmp_path / 'x.gguf'}", engine, role="student")
    with pytest.raises(BadInput) as raised:
        reranker(f"gguf:{write_tiny_bert(tmp_path / 'embedder.gguf')}", engine)
    assert raised.value.details["reason"] == "no_reranker"
    assert rerankers(engine) == ()
