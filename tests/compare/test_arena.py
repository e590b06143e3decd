"""Blind pairs and votes: swapped sides, one vote a pair, what is revealed to whom, the board, files of FastChat."""

from __future__ import annotations

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.compare import fastchat
from engine.compare.arena import Arena, Vote, clean_tag
from engine.compare.blind import Blind, may_open
from engine.compare.selfnaming import names_itself
from engine.engine import Engine
from engine.errors import AccessDenied, BadFile, BadInput, NotFound, NotSupported
from engine.people import People
from engine.person import LOCAL
from engine.settings import Settings
from engine.store import Store
from engine.values import Values

MODELS = ("ant-1", "bee-1", "cat-1")


class Clock:
    now = 1_790_000_000.0

    def __call__(self) -> float:
        self.now += 1
        return self.now


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    opened = Store(f"sqlite:///{tmp_path / 'store.sqlite3'}")
    yield opened
    opened.close()


@pytest.fixture
def arena(store: Store) -> Arena:
    return Arena(store, Values(store), lambda: MODELS, clock=Clock(), chance=random.Random(1))


def pair(arena: Arena, owner: str = "local", tag: str = "", texts: tuple[str, str] = ("one", "two")) -> str:
    return arena.keep(owner, "Why?", arena.draw(), texts, tag=tag)


def test_sides_are_swapped_and_every_pair_gets_its_turn(arena: Arena) -> None:
    seen: Counter[tuple[str, str]] = Counter()
    for _ in range(300):
        models = arena.draw()
        seen[models] += 1
        arena.keep("local", "Why?", models, ("one", "two"))
    assert len(seen) == 6 and all(count >= 30 for count in seen.values())
    together = Counter(frozenset(models) for models in seen.elements())
    assert set(together.values()) == {100}


def test_a_pair_is_voted_on_once(arena: Arena) -> None:
    token = pair(arena)
    vote = arena.vote("local", token, "left")
    assert vote.counted and {vote.left, vote.right} <= set(MODELS) and vote.answers == ("one", "two")
    assert arena.vote("local", token, "left") == vote  # a browser that asks again
    with pytest.raises(BadInput) as error:
        arena.vote("local", token, "right")
    assert error.value.details["reason"] == "voted"
    with pytest.raises(BadInput):
        arena.vote("local", pair(arena), "sideways")
    assert arena.board().ratings.votes == 1


def test_nobody_votes_on_or_reads_anothers_pair(arena: Arena, store: Store) -> None:
    mine, other = (People(store).join(name, "student").id for name in ("Ada", "Bob"))
    token = pair(arena, mine)
    with pytest.raises(NotFound):
        arena.vote(other, token, "left")
    arena.vote(mine, token, "left")
    assert [one.question for one in arena.mine(mine)] == ["Why?"] and arena.mine(other) == ()
    told = json.dumps(arena.board().to_dict())
    assert mine not in told and "Why?" not in told
    for line in fastchat.lines(arena.all(), texts=False):
        assert mine not in line and "Why?" not in line and "one" not in json.loads(line)["states"][0]["messages"][1]
    People(store).wipe_class()
    assert arena.all() == () and arena.board().ratings.votes == 0


def test_eight_threads_vote_on_one_pair(arena: Arena) -> None:
    token, told, together = pair(arena), [], threading.Barrier(8)

    def vote(winner: str) -> None:
        together.wait()
        try:
            told.append(arena.vote("local", token, winner).winner)
        except BadInput:
            told.append(None)

    threads = [threading.Thread(target=vote, args=(("left", "right")[i % 2],)) for i in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(told) == 8 and len(set(told) - {None}) == 1 and told.count(None) == 4
    assert arena.board().ratings.votes == 1


def test_an_answer_that_names_its_model_does_not_count(arena: Arena) -> None:
    token = arena.keep("local", "Who?", ("smollm2-135m-instruct", "echo"), ("I am SmolLM.", "Who?"))
    vote = arena.vote("local", token, "right")
    assert not vote.counted and vote.problem == "names_itself"
    board = arena.board()
    assert (board.ratings.votes, board.uncounted) == (0, 1)


@pytest.mark.parametrize(
    ("text", "names", "named"),
    [
        ("I am SmolLM2, a small model.", ["smollm2-135m-instruct"], True),
        ("As Smol\u200bLM I cannot.", ["smollm2-135m-instruct"], True),
        ("Je suis Claude, créé par Anthropic.", [], True),
        ("I'm a large language model, trained by Google.", [], True),
        ("Je suis un modèle de langage développé par Mistral.", [], True),
        ("My name is ChatGPT!", [], True),
        ("I was created by Open AI? I was made by OpenAI.", [], True),
        ("Android is made by Google.", ["smollm2-135m-instruct"], False),
        ("I am sure that Google knows.", [], False),
        ("A llama is an animal of the Andes.", ["openai/gpt-4o"], False),
        ("A llama is an animal of the Andes.", ["groq/llama-3.3-70b-versatile"], True),
        ("This instruct mode is small.", ["smollm2-135m-instruct"], False),
        ("An echo in the hills.", ["echo"], True),
        ("A short answer.", ["smollm2-135m-instruct@short", "SmolLM2 135M Instruct (short)"], False),
        ("gpt 4o says hello", ["openai/gpt-4o"], True),
        ("Nice.", [], False),
        ("i am " * 20_000, ["a" * 200], False),
    ],
)
def test_names_itself(text: str, names: list[str], named: bool) -> None:
    assert names_itself(text, names) is named


def test_the_board_is_per_tag(arena: Arena) -> None:
    for tag in ("Code ", "code", "  le   Français\n"):
        arena.vote("local", pair(arena, tag=tag), "tie")
    board = arena.board()
    assert board.tags == (("code", 2), ("le français", 1)) and board.ratings.votes == 3
    assert arena.board("CODE").ratings.votes == 2 and arena.board("nothing").ratings.votes == 0
    assert board is arena.board()  # counted once, however many look
    assert clean_tag("\x00a" * 100) == clean_tag("\x00a" * 100)[:40]


def test_who_vies_is_the_teachers_choice(arena: Arena, store: Store) -> None:
    assert arena.models() == MODELS
    assert arena.choose(["x", "y", "x", " "]) == ("x", "y")
    assert set(arena.draw()) == {"x", "y"}
    for wrong in (["x"], [str(i) for i in range(21)]):
        with pytest.raises(BadInput):
            arena.choose(wrong)
    for refused in (lambda: arena.choose(["x", "y"], role="student"), lambda: arena.clear(role="student")):
        with pytest.raises(AccessDenied):
            refused()
    assert arena.choose([]) == MODELS
    with pytest.raises(BadInput):
        Arena(store, Values(store)).draw()
    pair(arena)
    assert arena.clear() == 1


def test_pairs_that_nobody_votes_on_go_after_a_day(store: Store) -> None:
    clock = Clock()
    arena = Arena(store, Values(store), lambda: MODELS, clock=clock)
    other = People(store).join("Ada", "student").id
    tokens = {owner: pair(arena, owner) for owner in ("local", other)}
    clock.now += 25 * 3600
    pair(arena)
    for owner, token in tokens.items():
        with pytest.raises(NotFound):
            arena.vote(owner, token, "left")


def drawn(arena: Arena, times: int, down: str = "", flagged: str = "") -> Counter[str]:
    """How often each model is drawn; `down` never answers, answers of `flagged` name it."""
    seen: Counter[str] = Counter()
    for _ in range(times):
        models = arena.draw()
        seen.update(models)
        failed = {down: ("unreachable", True)} if down in models else {}
        arena.turns.ended("local", models, failed)
        if not failed:
            arena.keep("local", "Why?", models, ("I am ant-1" if flagged in models else "one", "two"))
    return seen


def test_a_model_that_is_down_takes_no_turns_of_the_others(arena: Arena) -> None:
    seen = drawn(arena, 60, down="ant-1")  # the clock goes some seconds a draw
    assert seen["ant-1"] <= 5 and abs(seen["bee-1"] - seen["cat-1"]) <= 5
    (trouble,) = arena.turns.troubles()
    assert (trouble.model, trouble.reason) == ("ant-1", "unreachable")
    arena.turns.ended("local", ("ant-1", "bee-1"), {})
    assert arena.turns.troubles() == ()
    assert drawn(arena, 12)["ant-1"] == 12  # it answers again, and catches up


def test_a_model_that_names_itself_takes_its_own_turns_only(arena: Arena) -> None:
    assert set(drawn(arena, 60, flagged="ant-1").values()) == {40}


def test_what_fails_for_one_person_rests_for_them_alone(arena: Arena) -> None:
    arena.turns.ended("ada", ("ant-1", "bee-1"), {"ant-1": ("unauthorized", False)})
    assert all("ant-1" not in arena.draw("ada") for _ in range(10)) and arena.turns.troubles() == ()
    assert any("ant-1" in arena.draw("bob") for _ in range(30))
    assert {*arena.draw("bob", lambda model: model != "cat-1")} == {"ant-1", "bee-1"}
    with pytest.raises(BadInput):
        arena.draw("bob", lambda model: model == "cat-1")
    arena.turns.ended("ada", ("ant-1", "bee-1"), {"bee-1": ("unreachable", True)})
    assert len(set(arena.draw("ada"))) == 2  # all but one rest: nobody is left without a pair


def test_votes_from_elsewhere_take_nobodys_place(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.compare.arena.ROWS_MAX", 3)
    rows = [{"tstamp": number + 1, "model_a": "a", "model_b": "b", "winner": "tie"} for number in range(1200)]
    brought = fastchat.read("\n".join(map(json.dumps, rows)).encode(), "f")
    assert arena.add("local", brought) == 1200 and arena.add("local", brought) == 0
    for _ in range(3):
        arena.vote("local", pair(arena), "left")
    with pytest.raises(BadInput):
        pair(arena)


def test_a_board_of_many_votes_is_not_counted_at_each(arena: Arena, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.compare.arena.MANY", 2)
    monkeypatch.setattr("engine.compare.arena.BOARD_EVERY_S", 1e9)
    seen = []
    for _ in range(4):
        arena.vote("local", pair(arena), "left")
        seen.append(arena.board().ratings.votes)
    assert seen == [1, 1, 1, 1]  # the second vote makes two
    monkeypatch.setattr("engine.compare.arena.BOARD_EVERY_S", 0.0)
    assert arena.board().ratings.votes == 4


def test_any_text_goes_out_and_comes_back(arena: Arena) -> None:
    odd = "one\u2028two\u0085three\x1cfour \ud800"
    arena.vote("local", arena.keep("local", odd, ("ant-1", "bee-1"), (odd, "b")), "left")
    data = "".join(fastchat.lines(arena.all(), texts=True)).encode()
    (vote,) = fastchat.read(data.replace(b"\n", b"\r\n"), "f")
    assert vote.question == vote.answers[0] == odd.replace("\ud800", "?")
    row = {"tstamp": 1, "type": "tievote", "models": ["", ""], "states":
           [{"model_name": one, "messages": [["u", "\udfff"], ["a", "\ud800x"]]} for one in ("a", "b")]}  # fmt: skip
    (vote,) = fastchat.read(json.dumps(row).encode(), "f")
    assert (vote.question, vote.answers) == ("?", ("?x", "?x"))


def test_files_go_out_and_come_back(arena: Arena, store: Store, tmp_path: Path) -> None:
    for winner, tag in (("left", "code"), ("right", ""), ("tie", ""), ("both_bad", "")):
        arena.vote("local", pair(arena, tag=tag), winner)
    arena.vote("local", arena.keep("local", "é \ud800", ("gpt-1", "bee-1"), ("I am GPT-1", "no")), "left")
    lines = list(fastchat.lines(arena.all(), texts=True))
    told = json.loads(lines[0])
    assert told["type"] == "leftvote" and told["models"] == ["", ""] and told["judge"] == "arena_user_0"
    assert [state["messages"] for state in told["states"]] == [
        [["user", "Why?"], ["assistant", "one"]],
        [["user", "Why?"], ["assistant", "two"]],
    ]
    assert "ip" not in told
    data = "".join(lines).encode("utf-8", "surrogatepass").replace(b"\xed\xa0\x80", b"?")
    assert arena.add("local", fastchat.read(data, "votes.jsonl")) == 0  # they are known here
    before, count = arena.board().ratings, arena.clear()
    assert count == 5 and arena.add("local", fastchat.read(data, "votes.jsonl")) == 5
    assert arena.board().ratings == before and arena.board().uncounted == 1
    assert arena.board().tags == (("code", 1),)


def test_files_of_fastchat_itself_are_read() -> None:
    state = {
        "messages": [["USER", "Hi"], ["ASSISTANT", "Hello"]],
        "offset": 0,
        "conv_id": "c1",
        "model_name": "vicuna-7b",
    }
    other = {**state, "messages": [["USER", "Hi"], ["ASSISTANT", "I am Vicuna"]], "model_name": "koala-13b"}
    rows = [
        {
            "tstamp": 1.7e9,
            "type": "rightvote",
            "models": ["", ""],
            "states": [state, {**state, "model_name": "koala-13b"}],
        },
        {"tstamp": 1.7e9, "type": "leftvote", "models": ["", ""], "states": [state, other], "ip": "10.1.2.3"},
        {"tstamp": 1.7e9, "type": "tievote", "models": ["vicuna-7b", "koala-13b"], "states": [state, other]},
        {"tstamp": 1.7e9, "type": "chat", "models": ["a"], "states": []},
        {
            "tstamp": 1.7e9,
            "model_a": "a",
            "model_b": "b",
            "winner": "tie (bothbad)",
            "anony": True,
            "judge": "arena_user_1",
        },
    ]
    votes = fastchat.read("\n".join(map(json.dumps, rows)).encode(), "log.json")
    assert [(vote.winner, vote.problem) for vote in votes] == [
        ("right", None),
        ("left", "names_itself"),
        ("tie", "not_blind"),
        ("both_bad", None),
    ]
    assert (votes[0].left, votes[0].right, votes[0].question) == ("vicuna-7b", "koala-13b", "Hi")
    assert len({vote.id for vote in votes}) == 4


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\xff\xfe",
        b"{}",
        b"[1]",
        b"not json",
        b"[" * 100_000,
        b'{"type": "leftvote"}',
        b'{"type": "leftvote", "tstamp": NaN, "models": ["a", "b"]}',
        b'{"type": "leftvote", "tstamp": 1, "models": ["a"]}',
        b'{"type": "leftvote", "tstamp": 1, "models": ["", ""], "states": [{}, {}]}',
        b'{"type": "leftvote", "tstamp": 1, "models": ["", ""], "states": [1, 2]}',
        b'{"type": ["leftvote"], "tstamp": 1}',
        b'{"type": "leftvote", "tstamp": 1, "models": ["a\\u0000b", "b"]}',
        b'{"tstamp": 1, "winner": "model_a", "model_a": "a", "model_b": 7}',
        b"\n" * (fastchat.LINES_MAX + 1),
        b'{"type": "leftvote", "models": ["a", "b"], "tstamp": 1' + b"0" * 400 + b"}",
    ],
)
def test_hostile_files_are_refused(data: bytes) -> None:
    with pytest.raises(BadFile):
        fastchat.read(data, "votes.jsonl")


def test_a_far_time_or_a_long_text_is_bounded() -> None:
    row = {"tstamp": 1, "type": "tievote", "models": ["a" * 999, "b"],
           "states": [{"messages": [["u", "q" * 99_999], ["a", "x"]]}, {"messages": []}]}  # fmt: skip
    (vote,) = fastchat.read(json.dumps(row).encode(), "f")
    assert len(vote.left) == fastchat.NAME_MAX and len(vote.question) == fastchat.TEXT_MAX
    assert vote.problem == "not_blind" and vote.tag == ""


def test_a_pair_under_way_shows_no_name(tmp_path: Path) -> None:
    engine = Engine(Settings(home=tmp_path, model="echo"), serve=True)
    try:
        engine.arena.choose(["echo", "no-such-model"])
        failed = Blind(engine, LOCAL, "How are you?")
        assert failed.wait(60) and failed.look().failed and failed.look().token is None
        assert failed.look().reason == "unknown_model"
        assert [one.model for one in engine.arena.turns.troubles()] == ["no-such-model"]
        student = replace(LOCAL, role="student")
        assert may_open(engine, student, "echo") and not may_open(engine, student, "openai/gpt-5")
        with pytest.raises(NotSupported):
            failed.vote("left")
        engine.arena._values.set("local", "compare.arena", ["echo", "Echo"])  # one model twice, under two spellings
        blind = Blind(engine, LOCAL, "How are you?", tag="Small talk")
        looks = list(blind.looks(0.01))
        assert looks[-1].token and not looks[-1].running and looks[-1].left == looks[-1].right == "How are you?"
        assert blind.look() == looks[-1]  # kept once
        vote = blind.vote("tie")
        assert {vote.left, vote.right} == {"echo", "Echo"} and vote.tag == "small talk" and vote.counted
        assert replace(vote, answers=("", "")) == replace(engine.arena.mine("local")[0], answers=("", ""))
        assert isinstance(vote, Vote)
    finally:
        engine.close()
