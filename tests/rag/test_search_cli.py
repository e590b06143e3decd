"""`rag search` and `rag evaluate` on the terminal: their words, their exact JSON, their errors."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.engine import Engine
from engine.rag.evaluating import evaluate
from engine.rag.evaluation import Configuration
from engine.rag.sources import pasted
from engine.tasks import Progress
from tests.standins.rag import EMBEDDER, SMALL, Hashed, fill

Out = tuple[int, str, str]
TEXTS = {"Gares": "Le train part à midi de la gare de Nice.", "Four": "Le pain cuit dans un four très chaud."}
CSV = "question,answer,document,context,kind\n" + "".join(
    f"{question},{answer},{name},{TEXTS[name] if name else ''},{kind}\n"
    for question, answer, name, kind in (
        ("Quand part le train de Nice ?", "à midi", "Gares", "answerable"),
        ("Où cuit le pain ?", "dans un four", "Four", "answerable"),
        ("Combien coûte le train ?", "", "Gares", "unanswerable"),
        ("Qui a peint la Joconde ?", "", "", "off_topic"),
    )
)
METRICS = ["recall@1", "recall@3", "recall@5", "recall@10", "mrr", "ndcg@10", "refused_answerable",
           "refused_unanswerable", "refused_off_topic"]  # fmt: skip


class Here:
    """The task in this process."""

    def __init__(self, task: str, args: dict[str, Any]) -> None:
        assert task == "engine.rag.evaluating:evaluate"
        self.args, self.result = args, {}

    def __iter__(self) -> Iterator[Progress]:
        self.result = yield from evaluate(**self.args)


@pytest.fixture(autouse=True)
def cheap(monkeypatch: pytest.MonkeyPatch) -> None:
    """An embedder that costs nothing, and no child."""
    monkeypatch.setattr("engine.rag.embedders.embedder", lambda *_, **__: Hashed())
    monkeypatch.setattr("engine.rag.embedders.default_embedder", lambda: EMBEDDER)
    monkeypatch.setattr("engine.tasks.TaskRun", Here)


@pytest.fixture
def questions(tmp_path: Path) -> str:
    file = tmp_path / "questions.csv"
    file.write_text(CSV, encoding="utf-8")
    return str(file)


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> Out:
    """Exit code, stdout and stderr."""
    code = main(["rag", *arguments])
    return (code, *capsys.readouterr())


def test_search_tells_passages_with_all_their_scores(capsys: pytest.CaptureFixture[str]) -> None:
    with closing(Engine()) as engine:
        collection = engine.collections.create("local", "Cours", EMBEDDER, SMALL)
        fill(engine.collections, collection, *(pasted(*one) for one in TEXTS.items()))
    asked = ("search", "Quand part le train ?", "--collection", "Cours", "-k", "1")
    code, out, _ = run(capsys, *asked, "--json")
    told = json.loads(out)
    assert code == 0
    assert list(told) == ["query", "passages", "below_threshold", "most_evidence", "retrieval", "seconds"]
    (passage,) = told["passages"]
    assert list(passage) == ["chunk", "scores", "ranks", "neighbours", "collection"]
    assert list(passage["chunk"]) == [
        "id",
        "file",
        "name",
        "number",
        "text",
        "start",
        "end",
        "tokens",
        "page",
        "heading",
    ]
    assert passage["chunk"]["text"] == TEXTS["Gares"]
    assert set(passage["scores"]) == set(passage["ranks"]) == {"vector", "text", "fused", "evidence"}
    assert set(told["seconds"]) == {"embed", "vector", "text", "fuse", "neighbours"}
    code, out, _ = run(capsys, *asked)
    assert code == 0 and out.startswith("[1] Gares") and TEXTS["Gares"] in out
    code, out, _ = run(capsys, *asked, "--threshold", "1.1")
    assert code == 0 and out.startswith("0 passages, 2 below the threshold")


def test_evaluate_tells_metrics_with_their_intervals(capsys: pytest.CaptureFixture[str], questions: str) -> None:
    code, out, _ = run(capsys, "evaluate", questions, "--json")
    told = json.loads(out)
    assert code == 0
    assert list(told) == ["metrics", "intervals", "questions", "chunks", "configurations", "first_minus", "table"]
    assert list(told["metrics"]) == METRICS == list(told["intervals"])
    assert told["metrics"]["recall@3"] == 1.0 and (told["questions"], told["chunks"]) == (4, 2)
    assert set(told["intervals"]["mrr"]) >= {"value", "low", "high", "n"}
    (only,) = told["configurations"]
    assert list(only) == ["configuration", "chunks", "metrics", "intervals", "milliseconds"]
    assert only["configuration"]["splitting"]["headings"] is True


def test_evaluate_compares_in_pairs(capsys: pytest.CaptureFixture[str], questions: str) -> None:
    code, out, _ = run(capsys, "evaluate", questions, "--compare", "--hit", "answer")
    lines = out.splitlines()
    assert code == 0 and lines[0] == "4 questions, 2 chunks"
    assert [line for line in lines if not line.startswith(" ")][1:] == ["default", "vector", "text", "rrf", "anchor"]
    assert sum("default − text:" in line for line in lines) == 6


@pytest.mark.parametrize(
    ("name", "data", "code"),
    [
        ("a.json", b'{"data": []}', "bad_file"),
        ("a.json", b"{", "bad_file"),
        ("a.csv", b"question\n\xff\n", "bad_file"),
        ("a.csv", b"question,document\nQui ?,a.md\n", "bad_input"),
        ("none.csv", None, "bad_file"),
    ],
)
def test_what_cannot_be_measured(
    name: str, data: bytes | None, code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    if data is not None:
        (tmp_path / name).write_bytes(data)
    found, out, err = run(capsys, "evaluate", str(tmp_path / name))
    assert (found, out) == (2, "") and err.startswith(code)


def test_evaluate_has_a_model_answer(capsys: pytest.CaptureFixture[str], questions: str) -> None:
    asked = ("evaluate", questions, "--no-threshold", "--answers", "4", "--model", "echo", "--max-tokens", "20")
    code, out, _ = run(capsys, *asked, "--json")
    told = json.loads(out)
    assert code == 0 and list(told)[-1] == "answers"
    answers = told["answers"]
    assert list(answers) == ["metrics", "intervals", "answers"]
    assert list(answers["metrics"])[:2] == ["f1", "exact"] and 0 <= answers["metrics"]["f1"] <= 1
    assert [one["kind"] for one in answers["answers"]] == ["answerable", "answerable", "unanswerable", "off_topic"]
    assert list(answers["answers"][0]) == [
        "question", "kind", "text", "f1", "exact", "cited_right", "found_cited", "refused"
    ]  # fmt: skip
    with closing(Engine()) as engine:
        assert engine.collections.list("local") == ()
    code, out, _ = run(capsys, *asked)
    assert code == 0 and "4 answers\n  f1" in out


def test_a_task_has_a_model_answer_some_of_the_questions(questions: str) -> None:
    with closing(Engine()) as engine:
        home = str(engine.settings.home)

    def done(**more: Any) -> tuple[list[Progress], dict[str, Any]]:
        steps, work = (
            [],
            evaluate(home, questions, [Configuration("default", EMBEDDER).to_dict()], owner="local", **more),
        )
        while True:
            try:
                steps.append(next(work))
            except StopIteration as ended:
                return steps, ended.value

    steps, told = done(answers=2, model="echo")
    assert told["answers"]["model"] == "echo" and len(told["answers"]["answers"]) == 2 and "mrr" in told["metrics"]
    assert steps[-1].done == steps[-1].total
    _, told = done(answers=2, model="nope")  # what was found is told all the same
    assert told["answers"]["error"]["code"] == "unknown_model" and "mrr" in told["metrics"]
    assert "answers" not in done()[1]
