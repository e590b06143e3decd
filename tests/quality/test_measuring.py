"""Measurements as jobs: what is handed to them, and that a result is kept once."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import BadInput, BadParameter, NotSupported, UnknownModel
from engine.models.bundled import bundled_file
from engine.models.quantize import part_of
from engine.quality import measuring
from engine.quality.results import Results
from engine.quality.speed import Plan
from engine.settings import Settings
from tests.patience import JOB_S

TINY = Plan(prompts=(8,), generated=(), repetitions=1)


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Settings(home=tmp_path, prepare=False, threads=1))
    yield engine
    engine.close()


@pytest.mark.model
def test_a_run_of_the_bench_is_a_job_and_is_kept_once(opened: Engine) -> None:
    job = measuring.submit_speed(opened, "local", TINY)
    assert measuring.keep(opened, job) is None  # not done yet
    job = opened.jobs.wait(job.id, JOB_S)
    assert job.state == "done" and job.result["rows"][0]["test"] == "pp8"
    kept = measuring.keep(opened, job)
    assert kept is not None and measuring.keep(opened, opened.jobs.get(job.id)) == kept
    results = Results(opened.library, "local")
    assert results.list() == (kept,) and results.get("speed", kept.name) == job.result
    assert kept.title == bundled_file().stem
    assert measuring.keep(opened, replace(job, task="engine.x:y")) is None


def test_what_jobs_are_handed(opened: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    sent = []
    monkeypatch.setattr(type(opened.jobs), "submit", lambda _, *given: sent.append(given))
    measuring.submit_perplexity(opened, "local", "text", stride=8)
    measuring.submit_divergence(opened, "local", "text", "smollm2-135m-instruct", "smollm2-135m-instruct")
    measuring.submit_quantizations(opened, "local", "text", ["Q2_K"])
    path, made = str(bundled_file()), opened.settings.models_dir / "SmolLM2-135M-Instruct.Q2_K.gguf"
    assert [measuring.TASKS[given[1]] for given in sent] == ["perplexity", "divergence", "quantizations"]
    assert sent[0][2] == {"path": path, "text": "text", "window": 512, "stride": 8, "threads": 1}
    assert sent[1][2] == {"base": path, "other": path, "text": "text", "window": 512, "threads": 1}
    assert sent[2][2]["targets"] == {"Q2_K": str(made)} and sent[2][4] == (part_of(made),)


def test_neither_paths_nor_long_texts(opened: Engine) -> None:
    with pytest.raises(UnknownModel):
        measuring.submit_speed(opened, "local", TINY, str(bundled_file()))
    with pytest.raises(NotSupported):
        measuring.submit_speed(opened, "local", TINY, "echo")
    with pytest.raises(BadInput):
        measuring.submit_perplexity(opened, "local", "x" * (measuring.TEXT_MAX + 1))
    with pytest.raises(BadParameter):
        measuring.submit_quantizations(opened, "local", "x", [])
    with pytest.raises(BadParameter):
        measuring.submit_quantizations(opened, "local", "x", ["Q99"])
