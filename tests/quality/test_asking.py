"""What people ask for on a page: rights and bounds, and a text and questions measured with the real weights."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import AccessDenied, BadFile, BadInput, BadParameter, NotFound, NotSupported, UnknownModel
from engine.models.bundled import bundled_file
from engine.person import LOCAL
from engine.quality import asking, examining, measuring, texts
from engine.quality.results import Results
from engine.settings import Settings
from engine.tasks import TaskRun
from tests.patience import JOB_S

SHORT = "The cat sat on the mat. Le chat dort."


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Settings(home=tmp_path, prepare=False, threads=1))
    yield engine
    engine.close()


@pytest.mark.model
def test_a_text_is_a_strip_and_where_it_is_long_enough_a_perplexity(opened: Engine) -> None:
    job = opened.jobs.wait(asking.ask_text(opened, LOCAL, SHORT).id, JOB_S)
    told = job.result
    assert "perplexity" not in told and told["tokens"] < 1024 and told["whole"]
    assert "".join(text for text, _, _ in told["strip"]) == SHORT
    assert sum(size for _, size, _ in told["strip"]) == len(SHORT.encode())
    assert told["own"]["perplexity"] > 1 and told["card"]["sha256"]
    assert asking.open_job(opened, LOCAL) is None
    asking.keep_all(opened, LOCAL)
    asking.keep_all(opened, LOCAL)
    ((name, (owner, kept)),) = asking.kept(opened, LOCAL, "perplexity").items()
    assert owner == LOCAL.id and kept.title.endswith(SHORT)
    assert asking.result(opened, LOCAL, "perplexity", name) == told
    work = TaskRun(texts.TASK, {"path": str(bundled_file()), "text": SHORT * 4, "window": 16})
    done = [step.done for step in work]
    assert done == sorted(done) and done[-1] == pytest.approx(8 * len(SHORT))
    assert work.result["perplexity"] > 1 and work.result["window"] == 16


@pytest.mark.model
def test_questions_are_one_job(opened: Engine) -> None:
    line = b'{"question": "Sky?", "choices": ["blue", "a spoon"], "answer": 0}'
    job = asking.ask_questions(opened, LOCAL, line, methods=["likelihood"], name="mine.jsonl")
    assert Path(job.args["source"]).read_bytes() == line
    job = opened.jobs.wait(job.id, JOB_S)
    assert job.state == "done", job.error
    assert job.result["source"] == "mine.jsonl" and job.result["metrics"]["acc"]["n"] == 1
    assert measuring.keep(opened, job) is not None
    echo = {**job.args, "methods": ["answer"], "model": "echo", "source": "fr", "limit": 2}
    work = TaskRun(examining.TASK, echo)
    assert [step.done for step in work][-1] == 2 and work.result["n"] == 2


def test_who_may_have_what(opened: Engine) -> None:
    zoe, teacher = opened.people.join("Zoé", "student"), opened.people.join("Mme Martin", "teacher")
    with pytest.raises(AccessDenied):
        asking.ask_quantizations(opened, zoe, SHORT, ["Q2_K"])
    Results(opened.library, teacher.id).keep("quantizations", "a table", {"rows": []})
    Results(opened.library, teacher.id).keep("speed", "a run", {"rows": []})
    (name,) = asking.kept(opened, zoe, "quantizations")
    assert asking.result(opened, zoe, "quantizations", name) == {"rows": []}
    assert not asking.kept(opened, zoe, "speed") and not asking.kept(opened, LOCAL, "quantizations")
    with pytest.raises(NotFound):
        asking.result(opened, zoe, "speed", name)


def test_how_much(opened: Engine) -> None:
    with pytest.raises(BadInput):
        asking.ask_text(opened, LOCAL, " ")
    with pytest.raises(BadInput):
        asking.ask_text(opened, LOCAL, "x" * (asking.TEXT_MAX + 1))
    with pytest.raises(UnknownModel):
        asking.ask_text(opened, LOCAL, SHORT, str(bundled_file()))
    with pytest.raises(NotSupported):
        asking.ask_text(opened, LOCAL, SHORT, "echo")
    with pytest.raises(BadParameter):
        asking.ask_speed(opened, LOCAL, {"prompts": [100_000]})
    with pytest.raises(BadInput):
        asking.ask_questions(opened, LOCAL, "/etc/passwd")
    with pytest.raises(BadFile):
        asking.ask_questions(opened, LOCAL, b"{")
