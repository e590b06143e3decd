"""Persons and their values: nobody is somebody else."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.backends.base import Request
from engine.errors import BadInput, NotFound, StoreFailed
from engine.joblog import JobLog
from engine.keys import Keys
from engine.params import Params
from engine.people import LOCAL, People, Person, clean_nickname
from engine.store import Store
from engine.trace import Traces
from engine.types import Message, Result, Stats, Usage
from engine.values import Values
from tests.databases import KINDS, fresh_store

NOW = 1_790_000_000.0


class Limits:
    trace_mb = 64
    trace_days = 30


class Clock:
    """A time that stands still until it is moved."""

    now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(params=KINDS)
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Store]:
    with fresh_store(request.param, tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def people(store: Store, clock: Clock) -> People:
    return People(store, clock=clock)


def test_same_nickname_two_persons(people: People) -> None:
    one, two = people.join("Léa", "student"), people.join("Léa", "student")
    assert one.id != two.id and len(one.id) == 22  # 128 bits
    assert people.get(one.id) == one and one.created == datetime.fromtimestamp(NOW, UTC)
    assert people.all() == (one, two) or people.all() == (two, one)


def test_the_local_person_is_there_from_the_start(people: People) -> None:
    assert people.get("local") == LOCAL
    assert people.all() == ()
    assert people.get("nobody") is None and people.get("\ud800\0") is None


@pytest.mark.parametrize("bad", ["", "   ", "x" * 41, "a\nb", "a\0b", "\u202eevil", "\ud800"])
def test_bad_nicknames(bad: str, people: People) -> None:
    with pytest.raises(BadInput):
        people.join(bad, "student")
    assert people.all() == ()


def test_good_nicknames() -> None:
    assert clean_nickname("  Zoé L. ") == "Zoé L."
    assert clean_nickname("<b>" + "x" * 37) == "<b>" + "x" * 37


def test_rename(people: People) -> None:
    person = people.join("a", "student")
    assert people.rename(person.id, "b").nickname == "b"
    with pytest.raises(NotFound):
        people.rename("nobody", "b")


def test_touch_writes_once_a_minute(people: People, clock: Clock) -> None:
    person = people.join("a", "student")

    def seen() -> float:
        found = people.get(person.id)
        assert found
        return found.last_seen.timestamp() - NOW

    for later, written in ((10, 10), (30, 10), (69, 10), (70, 70)):
        clock.now = NOW + later
        people.touch(person.id)
        assert seen() == written


def fill(store: Store, person: Person, mark: str) -> str:
    Values(store).set(person.id, "draft", mark)
    JobLog(store).add(person.id, "task", {"text": mark})
    Keys(store).create(person, mark)
    return record(store, person, mark)


def record(store: Store, person: Person, text: str) -> str:
    request = Request((Message("user", text),), Params(seed=1), owner=person.id)
    result = Result(text, "stop", Usage(), Stats(), "m")
    trace_id = Traces(store, Limits).record(request, None, result, backend="echo", model="m", body={"prompt": text})
    assert trace_id
    return trace_id


def test_wiping_the_class(people: People, store: Store) -> None:
    teacher, students = people.join("t", "teacher"), [people.join(f"s{n}", "student") for n in range(3)]
    for person in (teacher, LOCAL, *students):
        fill(store, person, f"private words of {person.nickname}.")
    assert people.wipe_class() == 3
    assert people.all() == (teacher,)
    for student in students:
        assert Values(store).all(student.id) == {} and JobLog(store).list(student.id) == ()
        assert Traces(store, Limits).list(student.id) == () and Keys(store).list(student.id) == ()
    assert len(Traces(store, Limits).list(teacher.id)) == len(Traces(store, Limits).list("local")) == 1
    if store.path:
        left = b"".join(path.read_bytes() for path in store.path.parent.iterdir())
        assert b"private words of t." in left and b"private words of s" not in left


def test_a_wiped_student_leaves_no_new_traces(people: People, store: Store) -> None:
    student = people.join("s", "student")
    people.wipe_class()
    with pytest.raises(StoreFailed):
        Values(store).set(student.id, "draft", "too late")


def test_values(store: Store) -> None:
    values = Values(store)
    values.set("local", "params", {"temperature": 0.2, "stop": ["\ud800\0"]})
    values.set("local", "params", {"temperature": 0.3})
    values.set("local", "model", "echo")
    assert values.get("local", "params") == {"temperature": 0.3}
    assert values.all("local") == {"model": "echo", "params": {"temperature": 0.3}}
    values.set("local", "model", None)
    assert values.get("local", "model", "default") == "default"
    assert values.get("local", "none") is None


def test_values_are_bounded(store: Store) -> None:
    values = Values(store)
    values.set("local", "full", "x" * (64 * 1024 - 2))
    for name, value in (("full", "x" * (64 * 1024 - 1)), ("n" * 201, 1)):
        with pytest.raises(BadInput):
            values.set("local", name, value)
    for number in range(499):
        values.set("local", f"n{number}", number)
    with pytest.raises(BadInput) as failure:
        values.set("local", "one more", 1)
    assert failure.value.details == {"what": "names", "size": 501, "limit": 500}
    values.set("local", "n0", "changing one is allowed")


OPERATIONS = st.lists(
    st.tuples(st.integers(0, 1), st.sampled_from(["trace", "value", "job", "drop"]), st.integers(0, 2)), max_size=20
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(operations=OPERATIONS)
def test_two_owners_see_their_own_alone(people: People, store: Store, operations: list[tuple[int, str, int]]) -> None:
    owners = [people.join("same", "student") for _ in range(2)]
    values, jobs, traces = Values(store), JobLog(store), Traces(store, Limits)
    kept: list[dict[str, int]] = [{}, {}]
    made: list[dict[str, list[str]]] = [{"trace": [], "job": []} for _ in owners]
    for who, what, number in operations:
        owner, name = owners[who], f"name{number}"
        if what == "trace":
            made[who]["trace"].append(record(store, owner, f"text of {who}"))
        elif what == "job":
            made[who]["job"].append(jobs.add(owner.id, f"task of {who}", {}).id)
        elif what == "value":
            values.set(owner.id, name, number + who * 10)
            kept[who][name] = number + who * 10
        else:
            values.drop(owner.id, name)
            kept[who].pop(name, None)
    for who, owner in enumerate(owners):
        assert values.all(owner.id) == kept[who]
        assert sorted(job.id for job in jobs.list(owner.id)) == sorted(made[who]["job"])
        assert [line.id for line in traces.tail(owner.id)] == made[who]["trace"]
        assert {traces.get(key, owner.id).response["text"] for key in made[who]["trace"]} <= {f"text of {who}"}
        for key in made[1 - who]["trace"]:
            with pytest.raises(NotFound):
                traces.get(key, owner.id)
        for key in made[1 - who]["job"]:
            with pytest.raises(NotFound):
                jobs.get(key, owner.id)
