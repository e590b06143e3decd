from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import TooManyRequests
from engine.runtime.admission import HEAVY, PATIENCE, Admission, Asked, Slot
from engine.runtime.prefixes import PrefixStore

LONG = 8  # tokens, in place of 256
HEAVY_TOKENS = HEAVY * LONG + 1


def prompt(start: int, length: int) -> tuple[int, ...]:
    return tuple(range(start, start + length))


def admission(slots: int = 4, **options: object) -> Admission:
    return Admission(slots, LONG, **options)  # type: ignore[arg-type]


def enter(door: Admission, *asked: Asked) -> list[Asked]:
    """Queue the requests; those that could start at once."""
    for one in asked:
        door.enter(one)
    return [start.asked for start in door.start()]


def test_short_requests_start_at_once_while_slots_are_free() -> None:
    door = admission(2)
    a, b, c = (Asked(prompt(n * 100, 3)) for n in range(3))
    assert enter(door, a, b, c) == [a, b]
    assert door.place(c) == 1
    door.leave(a)
    assert [start.asked for start in door.start()] == [c]


def test_one_long_prompt_is_read_at_a_time_and_short_ones_pass_it() -> None:
    door = admission(4)
    long, other, short = Asked(prompt(0, LONG + 1)), Asked(prompt(500, LONG + 1)), Asked(prompt(900, 2))
    assert enter(door, long, other, short) == [long, short]
    assert door.reader() is long
    door.has_read(long)
    assert [start.asked for start in door.start()] == [other]


def test_long_prompts_go_to_the_highest_slot_and_short_ones_below() -> None:
    door = admission(4)
    long, short = Asked(prompt(0, LONG + 1)), Asked(prompt(900, 2))
    enter(door, long, short)
    assert (long.slot, short.slot) == (3, 0)


def test_heavy_prompts_leave_a_slot_free() -> None:
    door = admission(2)
    first, second, short = Asked(prompt(0, HEAVY_TOKENS)), Asked(prompt(500, HEAVY_TOKENS)), Asked(prompt(900, 2))
    assert enter(door, first) == [first]
    door.has_read(first)
    assert enter(door, second, short) == [short]


def test_who_shares_the_prefix_waits_for_it_and_restores_it(tmp_path: Path) -> None:
    store = PrefixStore(tmp_path, 1000)
    door = admission(8, prefixes=store)
    rhyme = prompt(0, 20)
    first, second = Asked(rhyme), Asked((*rhyme[:18], 700, 701))
    assert enter(door, first, second) == [first]
    assert door.shares(second)
    store.add(rhyme, "state", 10)
    door.has_read(first)
    (start,) = door.start()
    assert start.asked is second
    # RESTORE_GAIN is 64 tokens, so that 18 are not worth a restore: they are read
    assert start.restore is None


def test_a_saved_state_is_restored_when_it_saves_enough(tmp_path: Path) -> None:
    store = PrefixStore(tmp_path, 1000)
    rhyme = prompt(0, 200)
    store.add(rhyme, "state", 10)
    door = admission(8, prefixes=store)
    door.enter(Asked((*rhyme, 900)))
    (start,) = door.start()
    assert start.restore is not None and start.restore.filename == "state"
    assert (start.cached, start.uncached) == (200, 1)


def test_a_conversation_comes_back_to_its_slot() -> None:
    door = admission(4)
    turn = Asked(prompt(0, 100))
    enter(door, turn, Asked(prompt(500, 2)))
    home = turn.slot
    door.has_read(turn)
    door.leave(turn, generated=10)
    following = Asked((*prompt(0, 100), *prompt(800, 15)))
    door.enter(following)
    (start,) = door.start()
    assert start.slot == home
    assert start.cached == 110  # the prompt, and the answer that the new prompt quotes


def test_a_slot_with_unknown_content_promises_nothing() -> None:
    slot = Slot(0, tokens=(1, 2, 3), generated=2)
    assert slot.cached((1, 2, 3, 4, 5, 6)) == 5
    assert slot.cached((1, 9)) == 1
    assert slot.cached((1, 2, 3)) == 3


def test_people_take_turns() -> None:
    door = admission(1)
    running = Asked(prompt(0, 1), owner="x")
    enter(door, running)
    crowd = [Asked(prompt(n, 1), owner="greedy") for n in range(3)]
    modest = Asked(prompt(50, 1), owner="modest")
    enter(door, *crowd, modest)
    assert door.order()[:2] == [crowd[0], modest]


def test_background_work_comes_after_persons() -> None:
    door = admission(1)
    running = Asked(prompt(0, 1))
    enter(door, running)
    sweep, person = Asked(prompt(1, 1), owner="a", interactive=False), Asked(prompt(2, 1), owner="b")
    enter(door, sweep, person)
    assert door.order() == [person, sweep]


def test_a_person_has_at_most_so_many_at_once_but_the_one_on_loopback_has_no_cap() -> None:
    door = admission(4, per_person=1)
    a, b = Asked(prompt(0, 1), owner="p"), Asked(prompt(9, 1), owner="p")
    assert enter(door, a, b) == [a]
    mine = [Asked(prompt(n, 1)) for n in range(2)]
    assert enter(door, *mine) == mine


def test_a_full_queue_refuses() -> None:
    door = admission(1, limit=1)
    enter(door, Asked(prompt(0, 1)))
    door.enter(Asked(prompt(1, 1)))
    with pytest.raises(TooManyRequests) as refused:
        door.enter(Asked(prompt(2, 1)))
    assert refused.value.details == {"limit": 1}


def test_a_heavy_prompt_is_not_passed_for_ever() -> None:
    door = admission(2)
    enter(door, Asked(prompt(0, 2)))
    heavy = Asked(prompt(100, HEAVY_TOKENS), owner="heavy")
    door.enter(heavy)
    started = 0
    running: list[Asked] = []
    for number in range(100):
        door.enter(Asked(prompt(1000 + number, 1), owner=f"p{number}"))
        begun = [start.asked for start in door.start()]
        running += begun
        started += len(begun)
        if running:
            door.leave(running.pop(0), 1)
    assert started <= PATIENCE * 2 + 2 or heavy.slot is not None


requests = st.lists(
    st.tuples(st.integers(0, 3), st.integers(1, HEAVY_TOKENS + 5), st.sampled_from("abc"), st.booleans()),
    min_size=1,
    max_size=25,
)


@settings(max_examples=100)
@given(requests, st.integers(1, 9), st.sampled_from([None, 1, 2]), st.randoms(use_true_random=False))
def test_every_request_starts_once_and_no_slot_is_shared(asks, slots, cap, random) -> None:  # type: ignore[no-untyped-def]
    door = admission(slots, per_person=cap)
    waiting = [Asked(prompt(base * 1000, length), owner, live) for base, length, owner, live in asks]
    running: list[Asked] = []
    started: list[Asked] = []
    for _ in range(20 * len(asks)):
        if waiting and random.random() < 0.5:
            door.enter(waiting.pop())
        for start in door.start():
            running.append(start.asked)
            started.append(start.asked)
            assert 0 <= start.cached <= len(start.asked.tokens)
        occupied = [one.slot for one in running]
        assert len(set(occupied)) == len(occupied) <= slots
        assert sum(one.reading for one in running) <= 1
        if running and random.random() < 0.7:
            done = running.pop(random.randrange(len(running)))
            door.has_read(done)
            door.leave(done, random.choice([None, 0, 5]))
    while running or door.waiting or waiting:
        while waiting:
            door.enter(waiting.pop())
        for start in door.start():
            running.append(start.asked)
            started.append(start.asked)
        assert running, "somebody waits although nothing runs"
        done = running.pop(0)
        door.has_read(done)
        door.leave(done, 1)
    assert len(started) == len(set(map(id, started))) == len(asks)
