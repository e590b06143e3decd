"""The verbs bench, quantize and evaluate: on the real model with tiny sizes, and what they refuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from engine.cli import main
from engine.models.bundled import bundled_file
from engine.models.gguf_header import read_header
from engine.quality.speed import KEYS, Plan, row

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The exit code, stdout and stderr of a command in this process; the model as it comes, one thread."""
    monkeypatch.setenv("ATELIER_PREPARE", "0")
    monkeypatch.setenv("ATELIER_THREADS", "1")

    def call(*arguments: str) -> tuple[int, str, str]:
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


@pytest.mark.model
def test_bench_prints_llama_benchs_rows_and_keeps_the_run(run: Run) -> None:
    code, out, err = run("bench", "-p", "8", "-n", "2", "-r", "2", "--json")
    rows = json.loads(out)
    assert (code, err) == (0, "")
    assert [one["test"] for one in rows] == ["pp8", "tg2"] and all(set(KEYS) <= set(one) for one in rows)
    assert rows[0]["card"]["sha256"] == rows[0]["model_sha256"] and rows[0]["n_threads"] == 1
    (kept,) = json.loads(run("bench", "--kept", "--json")[1])
    assert kept["title"] == bundled_file().name and kept["kind"] == "speed"
    code, out, _ = run("bench", "--compare", kept["name"], kept["created"], "--json")
    assert code == 0 and [one["ratio"] for one in json.loads(out)] == pytest.approx([1, 1])


def test_two_files_are_compared_without_a_model(run: Run, tmp_path: Path) -> None:
    facts = dict.fromkeys(KEYS, "") | {"model_sha256": ""}
    before, after = tmp_path / "before.json", tmp_path / "after.json"
    before.write_text(json.dumps([row(facts, case, [100, 101]) for case in Plan().cases()]))
    after.write_text(json.dumps([row(facts, case, [200, 201]) for case in Plan().cases()]))
    code, out, err = run("bench", "--compare", str(before), str(after))
    assert (code, err) == (0, "") and out.count("0.501 [0.4") == 2 and out.count("*") == 2


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        (("bench", "-p", "x"), "bad_input: whole numbers with commas, not 'x'"),
        (("bench", "-p", "0", "-n", "0"), "bad_parameter: 0 rows"),
        (("bench", "--kv-types", "q9"), "bad_parameter: kv_types='q9'"),
        (("bench", "--model", "echo"), "not_supported: echo is not a local model"),
        (("bench", "--compare", "nobody"), "not_found: no speed nobody"),
        (("bench", "--compare", "a", "b", "c"), "not_found: no speed a"),
        (("evaluate",), "bad_input: which FILE?"),
        (("evaluate", "no/such.jsonl", "-m", "echo"), "bad_file: no/such.jsonl cannot be read"),
        (("evaluate", "fr", "-m", "echo", "--method", "likelihood"), "not_supported: echo is not a local model"),
        (("evaluate", "fr", "-m", "echo", "--compare", "nobody"), "not_found: no evaluation nobody"),
        (("quantize",), "bad_input: which MODEL?"),
        (("quantize", "smollm2-135m-instruct", "Q8_0", "Q4_0"), "bad_input: one TYPE such as Q4_K_M"),
        (("quantize", "smollm2-135m-instruct", "Q9_9"), "bad_parameter: kind='Q9_9'"),
        (("quantize", "no/such.gguf", "Q8_0"), "bad_file: no/such.gguf is not there"),
        (("quantize", "smollm2-135m-instruct", "--table", "no/such.txt"), "bad_file: no/such.txt cannot be read"),
    ],
)
def test_what_is_wrong_is_said(run: Run, arguments: tuple[str, ...], error: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "") and err.startswith(error) and err.count("\n") == 1


@pytest.mark.model
def test_a_quantized_model_is_one_of_the_models(run: Run, isolation: Path) -> None:
    code, out, err = run("quantize", "smollm2-135m-instruct", "Q4_0", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "") and found["quantization"] == "Q4_0" and len(found["sha256"]) == 64
    assert read_header(isolation / "models" / "SmolLM2-135M-Instruct.Q4_0.gguf").quantization == "Q4_0"
    assert found["model"] in [one["id"] for one in json.loads(run("models", "--json")[1])["models"]]


def test_an_evaluation_is_kept_and_compared(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "items.jsonl"
    path.write_text('{"question": "Say Paris", "answer": "Paris"}\n{"question": "2+2?", "answer": "4"}\n')
    code, out, err = run("evaluate", str(path), "--model", "echo", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "") and found["metrics"]["contains"]["value"] == 0.5 and "acc" not in found["metrics"]
    (kept,) = json.loads(run("evaluate", "--kept", "--json")[1])
    assert kept["title"] == f"echo {path}"
    code, out, err = run("evaluate", str(path), "--model", "echo", "--compare", kept["name"])
    assert (code, err) == (0, "") and "echo: 2 items of" in out and "0 won, 0 lost, 2 tied" in out
