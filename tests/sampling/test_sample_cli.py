"""The verb `sample`: a local model seen from inside, and one that only tells its likeliest tokens."""

from __future__ import annotations

import json

import pytest

from engine.cli import main

STAGES = ["raw", "penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc", "temperature"]


def run(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(["sample", *arguments])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


@pytest.mark.model
def test_stages_per_step(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ATELIER_PREPARE", "0")
    monkeypatch.setenv("ATELIER_WINDOW", "256")
    code, out, err = run(
        capsys, "The capital of France is", "--steps", "2", "--json", "--temperature", "0", "--seed", "1", "--top", "3"
    )
    found = json.loads(out)
    assert (code, err, found["seed"], found["top_n_only"]) == (0, "", 1, False)
    assert "llama-cpp-python" in found["runtime"] and len(found["ids"]) == 5
    first, second = found["steps"]
    assert [stage["name"] for stage in first["stages"]] == STAGES
    assert (first["text"], first["stages"][0]["survivors"], first["stages"][-1]["survivors"]) == (" Paris", 49152, 1)
    assert len(first["stages"][0]["top"]) == 3 and first["stages"][0]["top"][0]["text"] == "␣Paris"
    assert first["dart"]["begin"] == 0 and second["step"] == 1


def test_a_model_that_tells_its_likeliest(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = run(capsys, "hi", "--model", "echo", "--steps", "2", "--json", "--order", "huggingface")
    found = json.loads(out)
    assert (code, found["top_n_only"], found["ids"]) == (0, True, None)
    assert [stage["name"] for stage in found["steps"][0]["stages"]][:3] == ["raw", "penalties", "temperature"]
    assert found["steps"][0]["told"] == pytest.approx(1.0) and found["steps"][0]["wrote"]
    code, out, _ = run(capsys, "hi", "--model", "echo")
    assert code == 0 and out.startswith("token 0: ") and "top-N only" in out


@pytest.mark.parametrize("arguments", [("hi", "--steps", "0"), ("hi", "--model", "echo", "--grammar", "arithmetic")])
def test_what_cannot_be_done(capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]) -> None:
    code, out, err = run(capsys, *arguments)
    assert (code, out) == (2, "") and err.split(":")[0] in ("bad_input", "not_supported")
