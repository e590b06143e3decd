"""API keys: they open for their owner, end, count and never lie in the store."""

from __future__ import annotations

import hmac
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from engine.errors import BadInput, NotFound, QuotaSpent
from engine.keys import Keys, Spent
from engine.people import LOCAL, People, Person
from engine.store import Store
from tests.databases import KINDS, fresh_store

NOW = 1_790_000_000.0
DAY = 86400.0


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
def plain(tmp_path: Path) -> Iterator[Store]:
    """SQLite alone, for what the database does not matter to."""
    with fresh_store("sqlite", tmp_path) as opened:
        yield opened


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(store: Store, clock: Clock) -> Keys:
    return Keys(store, clock=clock)


def test_many_keys_of_one_person_open_for_their_owner_alone(keys: Keys, store: Store) -> None:
    people = People(store)
    one, two = people.join("a", "student"), people.join("b", "teacher")
    made = {keys.create(person, name)[1]: person for person in (one, two) for name in ("laptop", "open webui")}
    assert all(raw.startswith("ak-") and len(raw) == 3 + 12 + 1 + 43 for raw in made)
    for raw, person in made.items():
        found = keys.check(raw)
        assert found is not None and found[0] == person and found[1].owner == person.id
    assert sorted(key.name for key in keys.list(one.id)) == ["laptop", "open webui"]
    assert len(keys.list()) == 4


@pytest.mark.parametrize("change", [lambda k: k[:-1], lambda k: k + "x", lambda k: k[:-1] + "!", lambda k: k.upper()])
def test_a_key_must_be_exact(plain: Store, change: object) -> None:
    keys = Keys(plain)
    assert keys.check(change(keys.create(LOCAL)[1])) is None  # type: ignore[operator]


@pytest.mark.parametrize("bad", ["", "ak-", "ak--", "ak-x-y", "sk-1-2", "\ud800-\ud800-\0", "-" * 1000])
def test_nonsense_is_no_key(plain: Store, bad: str) -> None:
    assert Keys(plain).check(bad) is None


def test_every_check_compares_as_much(plain: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = Keys(plain)
    _, raw = keys.create(LOCAL)
    compared: list[tuple[int, int]] = []
    real = hmac.compare_digest

    def watched(one: str, two: str) -> bool:
        compared.append((len(one), len(two)))
        return real(one, two)

    monkeypatch.setattr(hmac, "compare_digest", watched)
    for text in (raw, raw[:-1] + "-", "ak-000000000000-" + "x" * 43, "nonsense", raw[:16] + "\ud800" * 9):
        keys.check(text)
    assert compared == [(64, 64)] * 5


def test_a_key_that_was_ended_opens_nothing(keys: Keys) -> None:
    (key, raw), (other, still) = keys.create(LOCAL, "one"), keys.create(LOCAL, "two")
    assert keys.revoke(key.id) and not keys.revoke(key.id)
    assert keys.check(raw) is None and keys.check(still) is not None
    assert {one.name: one.state() for one in keys.list("local")} == {"one": "revoked", "two": "open"}
    assert not keys.revoke(other.id, "somebody") and keys.revoke(other.id, "local")


def test_a_key_expires(keys: Keys, clock: Clock) -> None:
    key, raw = keys.create(LOCAL, lifetime=timedelta(hours=1))
    clock.now = NOW + 3599
    assert keys.check(raw)
    clock.now = NOW + 3600
    assert keys.check(raw) is None and key.expires is not None and key.state(key.expires) == "expired"


def test_a_key_may_have_less_power_than_its_owner_and_never_more(plain: Store) -> None:
    keys, student = Keys(plain), People(plain).join("s", "student")
    opened = [keys.check(keys.create(who, role=role)[1]) for who, role in
              ((LOCAL, None), (LOCAL, "student"), (LOCAL, "teacher"), (student, "teacher"))]  # fmt: skip
    assert [found[0].role for found in opened if found] == ["teacher", "student", "teacher", "student"]


def test_a_key_with_less_power_than_its_owner_reads_nothing_private(plain: Store) -> None:
    keys, student = Keys(plain), People(plain).join("s", "student")
    whose = (LOCAL, None), (LOCAL, "student"), (LOCAL, "teacher"), (student, "student"), (student, None)
    opened = [keys.check(keys.create(who, role=role)[1]) for who, role in whose]
    assert [found[0].lent for found in opened if found] == [False, True, False, False, False]
    assert [found[0].reads for found in opened if found] == ["local", "", "local", student.id, student.id]


def test_requests_of_a_day_are_counted_and_bounded(keys: Keys, clock: Clock) -> None:
    key, raw = keys.create(LOCAL, requests_per_day=2)
    for _ in range(2):
        keys.charge(key)
    with pytest.raises(QuotaSpent) as failure:
        keys.charge(key)
    left = DAY - NOW % DAY
    assert failure.value.details == {"quota": "requests", "limit": 2, "spent": 2, "retry_after": int(left) + 1}
    assert (failure.value.http_status, failure.value.retryable) == (429, True)
    assert keys.spent() == {key.id: Spent(2, 0)}, "what was refused does not count"
    found = keys.check(raw)
    assert found and found[1].last_used is not None and found[1].last_used.timestamp() == NOW
    clock.now += left
    keys.charge(key)
    assert keys.spent() == {key.id: Spent(1, 0)}


def test_tokens_of_a_day_are_counted_and_bounded(keys: Keys) -> None:
    key, _ = keys.create(LOCAL, tokens_per_day=100)
    other, _ = keys.create(LOCAL)
    for tokens in (0, 60, 60):
        keys.charge(key)
        keys.add(key, tokens)
    with pytest.raises(QuotaSpent) as failure:
        keys.charge(key)
    assert (failure.value.details["quota"], failure.value.details["spent"]) == ("tokens", 120)
    keys.charge(other)
    assert keys.spent() == {key.id: Spent(3, 120), other.id: Spent(1, 0)}


def test_requests_at_once_do_not_pass_the_quota(keys: Keys) -> None:
    key, _ = keys.create(LOCAL, requests_per_day=5)

    def ask(_: int) -> bool:
        try:
            keys.charge(key)
        except QuotaSpent:
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(ask, range(24))) == 5


def test_the_store_never_holds_a_key(tmp_path: Path) -> None:
    store = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    keys = Keys(store)
    key, raw = keys.create(LOCAL, "x")
    keys.charge(key)
    secret = raw.split("-", 2)[2].encode()
    assert not [path for path in tmp_path.iterdir() if secret in path.read_bytes()]
    assert raw not in repr(keys.list()) and secret.decode() not in repr(keys.list())
    store.close()


def test_a_key_of_nobody(keys: Keys) -> None:
    with pytest.raises(NotFound):
        keys.create(Person("nobody", "x", "student"))


@pytest.mark.parametrize(
    "wrong",
    [{"name": "x" * 81}, {"name": "a\nb"}, {"requests_per_day": 0}, {"tokens_per_day": -1}, {"lifetime": timedelta()}],
)
def test_what_no_key_may_be(plain: Store, wrong: dict[str, object]) -> None:
    keys = Keys(plain)
    with pytest.raises(BadInput):
        keys.create(LOCAL, **wrong)  # type: ignore[arg-type]
    assert keys.list() == ()


def test_there_are_not_endlessly_many(plain: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.keys.OPEN_MAX", 3)
    keys = Keys(plain)
    made = [keys.create(LOCAL)[0] for _ in range(3)]
    with pytest.raises(BadInput):
        keys.create(LOCAL)
    keys.revoke(made[0].id)
    keys.create(LOCAL)


def test_a_wiped_persons_keys_are_gone(keys: Keys, store: Store) -> None:
    people = People(store)
    student = people.join("s", "student")
    key, raw = keys.create(student)
    keys.charge(key)
    people.wipe_class()
    assert keys.check(raw) is None and keys.list() == () and keys.spent() == {}
