"""The queue of heavy work: whose turn it is, how far it is, how it ends. With real children and a real store."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.errors import BadInput, NotFound
from engine.joblog import JobLog
from engine.jobs import JobQueue
from engine.people import People
from engine.settings import Settings
from engine.store import Store
from tests.patience import JOB_S, SOON_S
from tests.test_child import gone

TASKS = "tests.standins.tasks:"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path)


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = Store(settings.url)
    yield store
    store.close()


@pytest.fixture
def queue(store: Store, settings: Settings) -> Iterator[JobQueue]:
    queue = JobQueue(JobLog(store), settings)
    yield queue
    queue.close()


def until(condition: object, seconds: float = JOB_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_a_job_is_done_and_its_result_kept(queue: JobQueue, store: Store, settings: Settings) -> None:
    job = queue.submit("local", TASKS + "count", {"to": 3}, "Counting")
    assert (job.owner, job.title, job.state, job.eta) == ("local", "Counting", "queued", None)
    ended = queue.wait(job.id, JOB_S)
    assert ended.state == "done"
    assert ended.result == {"counted": 3, "text": "é\n\u2028"}
    assert ended.started and ended.finished and ended.finished >= ended.started >= ended.created
    assert queue.list("local") == (ended,)
    again = JobQueue(JobLog(store), settings)
    assert again.get(job.id) == ended
    assert not list((settings.home / "jobs").glob("*.json"))


def test_a_secret_reaches_the_child_and_is_written_nowhere(queue: JobQueue, settings: Settings) -> None:
    job = queue.submit("local", TASKS + "length", {"other": "seen"}, secrets={"key": "sk-hidden-1234"})
    assert queue.wait(job.id, JOB_S).result == len("sk-hidden-1234")
    kept = [path for path in settings.home.rglob("*") if path.is_file() and b"sk-hidden" in path.read_bytes()]
    assert kept == []


def test_progress_and_the_time_left_are_told(queue: JobQueue) -> None:
    job = queue.submit("local", TASKS + "count", {"to": 1000, "pause": 0.2})
    until(lambda: (queue.get(job.id).done or 0) >= 5)
    now = queue.get(job.id)
    assert (now.state, now.total) == ("running", 1000)
    assert now.eta is not None
    assert now.eta > 5  # of more than two minutes
    queue.cancel(job.id)


def test_nobody_sees_or_ends_another_persons_job(queue: JobQueue, store: Store, settings: Settings) -> None:
    people = People(store)
    ada, bob = (people.join(name, "student") for name in ("Ada", "Bob"))
    job = queue.submit(ada.id, TASKS + "sleep", {})
    for look in (queue.get, queue.cancel):
        with pytest.raises(NotFound):
            look(job.id, bob.id)
    assert queue.list(bob.id) == ()
    assert [seen.id for seen in queue.list()] == [job.id]  # the teacher
    assert queue.cancel(job.id, ada.id).state == "cancelled"


def test_cancel_ends_every_process_and_removes_scratch_at_once(queue: JobQueue, tmp_path: Path) -> None:
    scratch = tmp_path / "scratch"
    job = queue.submit("local", TASKS + "sleep", {"scratch": str(scratch)}, scratch=[scratch])
    until(lambda: queue.get(job.id).done)
    grandchild = int(scratch.read_text(encoding="utf-8"))
    assert queue.cancel(job.id).state == "cancelled"
    assert queue.wait(job.id, SOON_S).state == "cancelled"
    assert gone(grandchild, SOON_S)
    assert not scratch.exists()


def test_a_waiting_job_can_be_cancelled_and_never_runs(queue: JobQueue, tmp_path: Path) -> None:
    first = queue.submit("local", TASKS + "sleep", {})
    second = queue.submit("local", TASKS + "mark", {"path": str(tmp_path / "ran"), "word": "x"})
    until(lambda: queue.get(first.id).state == "running")
    assert queue.cancel(second.id).state == "cancelled"
    queue.cancel(first.id)
    third = queue.submit("local", TASKS + "talk", {})
    assert queue.wait(third.id, JOB_S).state == "done"
    assert not (tmp_path / "ran").exists()
    assert queue.cancel(third.id).state == "done"  # too late


@pytest.mark.parametrize(
    ("task", "code", "word"),
    [("refuse", "prompt_too_long", "300"), ("crash", "job_failed", "ZeroDivisionError"), ("die", "job_failed", "-9")],
)
def test_a_job_that_fails_says_why_and_the_next_one_runs(queue: JobQueue, task: str, code: str, word: str) -> None:
    job = queue.submit("local", TASKS + task, {})
    after = queue.submit("local", TASKS + "talk", {})
    failed = queue.wait(job.id, JOB_S)
    assert failed.state == "failed"
    assert failed.error is not None
    assert failed.error["code"] == code
    assert word in str(failed.error)
    assert queue.wait(after.id, JOB_S).result == "said"


def test_only_tasks_are_taken(queue: JobQueue) -> None:
    with pytest.raises(BadInput):
        queue.submit("local", "not a task", {})
    assert queue.list() == ()


def test_persons_take_turns(queue: JobQueue, store: Store, settings: Settings, tmp_path: Path) -> None:
    people = People(store)
    ada, bob = (people.join(name, "student").id for name in ("Ada", "Bob"))
    path = str(tmp_path / "order")
    block = queue.submit("local", TASKS + "sleep", {})
    until(lambda: queue.get(block.id).state == "running")
    jobs = [queue.submit(ada, TASKS + "mark", {"path": path, "word": f"ada{n}"}) for n in range(3)]
    jobs.append(queue.submit(bob, TASKS + "mark", {"path": path, "word": "bob0"}))
    queue.cancel(block.id)
    for job in jobs:
        assert queue.wait(job.id, JOB_S).state == "done"
    assert Path(path).read_text(encoding="utf-8").split() == ["ada0", "bob0", "ada1", "ada2"]


def test_one_at_a_time_over_all_processes(queue: JobQueue, store: Store, settings: Settings, tmp_path: Path) -> None:
    other = JobQueue(JobLog(store), replace_home(settings), at_once=1)
    folder = tmp_path / "running"
    folder.mkdir()
    jobs = [(q, q.submit("local", TASKS + "overlap", {"folder": str(folder)})) for q in (queue, other)]
    assert [q.wait(job.id, JOB_S).result for q, job in jobs] == [1, 1]
    other.close()


def replace_home(settings: Settings) -> Settings:
    """The same data folder, as another process would have it."""
    return Settings(home=settings.home)


def test_two_at_once_where_that_is_wanted_but_one_per_person(store: Store, settings: Settings, tmp_path: Path) -> None:
    queue = JobQueue(JobLog(store), settings, at_once=2)
    people = People(store)
    ada, bob = (people.join(name, "student").id for name in ("Ada", "Bob"))
    folder = tmp_path / "running"
    folder.mkdir()
    jobs = [queue.submit(owner, TASKS + "overlap", {"folder": str(folder), "others": 1}) for owner in (ada, bob)]
    assert max(queue.wait(job.id, JOB_S).result for job in jobs) == 2
    alone = [queue.submit(ada, TASKS + "overlap", {"folder": str(folder)}) for _ in range(2)]
    assert [queue.wait(job.id, JOB_S).result for job in alone] == [1, 1]
    queue.close()


def test_what_a_dead_process_left_open_is_interrupted_and_cleaned(store: Store, settings: Settings) -> None:
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    rows = JobLog(store)
    scratch = settings.home / "half"
    scratch.touch()
    notes = settings.home / "jobs"
    notes.mkdir()
    dead, alive = rows.add("local", TASKS + "sleep", {}), rows.add("local", TASKS + "sleep", {})
    rows.change(dead.id, state="running")
    me = {"pid": os.getpid(), "started": psutil.Process().create_time(), "scratch": []}
    (notes / f"{dead.id}.json").write_text(json.dumps({**me, "pid": ended.pid, "scratch": [str(scratch)]}))
    (notes / f"{alive.id}.json").write_text(json.dumps(me))
    queue = JobQueue(rows, settings)
    interrupted = queue.get(dead.id)
    assert interrupted.state == "failed"
    assert interrupted.error is not None
    assert interrupted.error["details"]["reason"] == "interrupted"
    assert queue.get(alive.id).state == "queued"
    assert not scratch.exists()
    assert not (notes / f"{dead.id}.json").exists()


def test_closing_ends_what_runs_as_interrupted(store: Store, settings: Settings, tmp_path: Path) -> None:
    queue = JobQueue(JobLog(store), settings)
    path = tmp_path / "pid"
    running = queue.submit("local", TASKS + "sleep", {"scratch": str(path)})
    waiting = queue.submit("local", TASKS + "sleep", {})
    until(lambda: queue.get(running.id).done)
    queue.close()
    assert gone(int(path.read_text(encoding="utf-8")), SOON_S)
    for job in (running, waiting):
        ended = queue.get(job.id)
        assert (ended.state, ended.error and ended.error["details"]["reason"]) == ("failed", "interrupted")


def test_the_jobs_of_a_person_who_is_wiped_end(queue: JobQueue, store: Store, settings: Settings) -> None:
    people = People(store)
    ada = people.join("Ada", "student")
    job = queue.submit(ada.id, TASKS + "count", {"to": 1000, "pause": 0.05})
    until(lambda: queue.get(job.id).done)
    people.wipe_class()
    with pytest.raises(NotFound):
        queue.wait(job.id, SOON_S)


def test_what_waits_for_the_network_does_not_wait_for_the_cores(queue: JobQueue) -> None:
    long = queue.submit("local", TASKS + "count", {"to": 10_000, "pause": 1.0})
    until(lambda: queue.get(long.id).state == "running")
    short = queue.submit("local", TASKS + "count", {"to": 1}, lane="network")
    assert queue.wait(short.id, JOB_S).state == "done"
    assert queue.get(long.id).state == "running"
    queue.cancel(long.id)
