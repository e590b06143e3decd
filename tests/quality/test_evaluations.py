"""Small evaluations: what is read, how it is judged, by hand; answers of the echo model, choices of the real one."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.engine import Engine
from engine.errors import BadFile, BadInput, BadParameter, NotSupported
from engine.quality.evaluating import evaluate, fingerprint
from engine.quality.evaluations import (
    DETAILS_MAX,
    by_answer,
    by_likelihood,
    choice_in,
    compare,
    details,
    question,
    read_result,
    summary,
)
from engine.quality.likelihood import common, continuations, window_for
from engine.quality.questions import OWN, Item, gold_of, items_of, read_items
from engine.settings import Settings
from engine.tasks import Progress


def line(**fields: object) -> bytes:
    return json.dumps(fields, ensure_ascii=False).encode()


ABC = ["Lyon", "Paris", "Rome"]


# --- reading


def test_our_own_sets_are_parallel() -> None:
    sets = [items_of(language) for language in OWN]
    french, english = ([(item.id, item.kind, item.gold, len(item.choices)) for item in one] for one in sets)
    assert french == english
    assert all(item.language == language for language, one in zip(OWN, sets, strict=True) for item in one)
    assert len({item.id for item in sets[0]}) == len(sets[0]) >= 18


@pytest.mark.parametrize(
    ("data", "gold", "pairs"),
    [
        (line(question="Capital?", choices=ABC, answer=1), 1, ("Question: Capital?\nAnswer:", " Paris")),
        (line(question="Capital?", choices=ABC, answer="b"), 1, ("Question: Capital?\nAnswer:", " Paris")),
        (line(question="Où ?", choices=ABC, answer="Paris", language="fr"), 1,
         ("Question : Où ?\nRéponse :", " Paris")),
        (line(id="x", question="?", choices={"text": ABC, "label": ["1", "2", "3"]}, answerKey="2"), 1,
         ("Question: ?\nAnswer:", " Paris")),
        (line(question_stem="?", choices={"text": ABC, "label": ["A", "B", "C"]}, answerKey="B"), 1,
         ("Question: ?\nAnswer:", " Paris")),
        (line(ctx="He went to", endings=ABC, label="1"), 1, ("He went to", " Paris")),
        (line(query="He went to ", choices=ABC, gold=1), 1, ("He went to", " Paris")),
        (line(goal="Open it", sol1="push", sol2="pull", label=1), 1, ("Question: Open it\nAnswer:", " pull")),
        (line(doc_id=4, doc={}, target="1", arguments=[["He went to", " Lyon"], ["He went to", " Paris"]]), 1,
         ("He went to", " Paris")),
        (line(doc_id=4, doc={}, target=1, arguments={"gen_args_0": {"arg_0": "c", "arg_1": " a"},
                                                      "gen_args_1": {"arg_0": "d", "arg_1": " b"}}), 1, ("d", " b")),
        (line(question="2+2?", answer="Two twos.\n#### 4"), None, ("Question: 2+2?\nAnswer:", " 4")),
        (line(question="2+2?", answers=["4", "four"]), None, ("Question: 2+2?\nAnswer:", " four")),
        (line(doc_id=0, doc={}, target="end", arguments=[["The very", " end"]]), None, ("The very", " end")),
        (line(doc={}, target="4", arguments=[["2+2?", {"until": ["\n"]}]]), None, ("2+2?", " 4")),
    ],
)  # fmt: skip
def test_lines_of_lm_evaluation(data: bytes, gold: int | None, pairs: tuple[str, str]) -> None:
    (item,) = read_items("x.jsonl", data)
    assert item.gold == gold and item.pairs[-1 if gold is None else gold] == pairs
    assert item.kind == ("exact" if gold is None else "choice") and bool(item.answers) is (gold is None)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "no_items"),
        (b"\xff", "not_utf8"),
        (b"{", "json"),
        (b"[" * 100_000, "json"),
        (b"5", "format"),
        (line(text="no question"), "format"),
        (line(question="?", choices=["one"], answer=0), "format"),
        (line(question="?", choices=["a", " "], answer=0), "format"),
        (line(question="?", choices=ABC, answer=3), "format"),
        (line(question="?", choices=ABC, answer=-1), "format"),
        (line(question="?", choices=ABC, answer="9" * 5000), "format"),
        (line(question="?", choices=ABC, answer="²"), "format"),
        (line(question="?", choices={"text": ABC, "label": ["1"]}, answerKey="1"), "format"),
        (line(question="?", answers=[]), "format"),
        (line(question="?", answer="####"), "format"),
        (line(question="x" * 20_001, answer="4"), "format"),
        (line(target="7", arguments=[["a", " b"], ["a", " c"]]), "format"),
        (line(target="0", arguments=[["a"]]), "format"),
        (line(target="0", arguments={"x": {"arg_0": 5, "arg_1": " b"}}), "format"),
        (b'{"target": "0", "arguments": [["\\ud800", " b"], ["a", " c"]]}', "format"),
        (b"\n".join([line(question="?", answer="4")] * 2001), "too_many"),
        (b" " * (16 * 2**20 + 1), "too_large"),
    ],
    ids=lambda value: str(value)[:12],  # not 16 MiB of it
)
def test_a_hostile_file_is_refused_in_one_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as caught:
        read_items("x.jsonl", data)
    assert caught.value.details["reason"] == reason and len(str(caught.value)) < 300


def test_a_line_is_named(tmp_path: Path) -> None:
    path = tmp_path / "x.jsonl"
    path.write_bytes(b"\n" + line(question="a\u2028b", answer="4") + b"\n" + line(question="?"))
    with pytest.raises(BadFile, match="line 3"):
        items_of(str(path))
    with pytest.raises(BadFile):
        items_of(str(tmp_path / "none.jsonl"))
    assert gold_of("2", ["0", "1", "2"]) == 2 and gold_of("2", ["2", "1", "0"]) == 0


# --- judged by hand


def item_of(**fields: object) -> Item:
    return read_items("x", line(**fields))[0]


CITY = item_of(question="Capital?", choices=["Rome", "Constantinople"], answer=1)
FREE = item_of(question="2+2?", answers=["4", "four"])


def test_likelihoods_by_hand() -> None:
    nats = [{"nats": 4.0, "tokens": 1, "greedy": True}, {"nats": 7.0, "tokens": 3, "greedy": False}]
    # sums −4 and −7; a character −4/4 = −1 and −7/14 = −0.5; e^−7 / (e^−4 + e^−7) = 1 / (1 + e³)
    assert by_likelihood(CITY, nats) == {
        "acc": 0.0,
        "acc_norm": 1.0,
        "p_right": pytest.approx(1 / (1 + math.e**3), abs=1e-6),
    }
    assert by_likelihood(FREE, [{"nats": 1, "greedy": False}, {"nats": 2, "greedy": True}]) == {"greedy_match": 1.0}


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("B", 1), ("b", 1), ("(c)", 2), ("**B**", 1), ("B. Paris", 1), ("B: Paris", 1), ("C) no", 2), ("A\nbecause", 0),
        ("The answer is B.", 1), ("La réponse est : C", 2), ("Answer: (A)", 0), ("Paris", 1),
        ("It is paris, surely.", 1), ("La réponse a été donnée", None),
        ("A city in Italy", None), ("Lyon or Paris", None), ("Parisian", None), ("", None), ("Z", None), ("K", None),
        ("I think that it is Rome.", 2),
    ],
)  # fmt: skip
def test_which_choice_an_answer_names(text: str, found: int | None) -> None:
    assert choice_in(text, ABC) == found


def test_answers_by_hand() -> None:
    assert by_answer(FREE, "\n Four!\nBecause…") == {"exact_match": 1.0, "contains": 1.0}
    assert by_answer(FREE, "It makes 4.") == {"exact_match": 0.0, "contains": 1.0}
    assert by_answer(FREE, "forty-four? 44") == {"exact_match": 0.0, "contains": 1.0}  # the word is there
    assert by_answer(FREE, "44") == {"exact_match": 0.0, "contains": 0.0}
    assert by_answer(CITY, "B") == {"chosen_right": 1.0, "unread": 0.0}
    assert by_answer(CITY, "hm") == {"chosen_right": 0.0, "unread": 1.0}
    assert question(CITY).splitlines()[1:3] == ["A. Rome", "B. Constantinople"] and question(FREE).startswith("2+2?\n")


def test_a_summary_and_a_comparison() -> None:
    items = [CITY, CITY, FREE]
    told = summary(items, [{"acc": 1.0, "p_right": 0.25}, {"acc": 0.0, "p_right": 0.75}, {"greedy_match": 1.0}])
    assert told["chance"] == 0.5 and told["values"]["acc"] == [1.0, 0.0, None]
    assert (told["metrics"]["acc"]["value"], told["metrics"]["acc"]["n"]) == (0.5, 2)
    assert told["metrics"]["acc"]["low"] == pytest.approx(0.0945, abs=1e-3)  # Wilson's, 1 of 2
    assert told["metrics"]["p_right"]["value"] == 0.5
    better = summary(items, [{"acc": 1.0}, {"acc": 1.0}, {"greedy_match": 0.0}])
    first, second = ({"model": "m", "items_sha256": "s", **one} for one in (better, told))
    found = compare(first, second)
    assert list(found) == ["acc", "greedy_match"]
    assert (found["acc"].wins, found["acc"].losses, found["acc"].difference.value) == (1, 0, 0.5)
    kept = read_result("r.json", json.dumps(second).encode())
    assert compare(first, kept) == found
    with pytest.raises(BadInput):
        compare(first, {**second, "items_sha256": "other"})
    for wrong in (b"", b"[]", b'{"model": "m", "items_sha256": "s", "values": {"acc": [2]}}', b" " * (16 * 2**20 + 1)):
        with pytest.raises(BadFile):
            read_result("r.json", wrong)
    many = [CITY] * (DETAILS_MAX + 1)
    assert len(details(many, [{}] * len(many), ["x" * 1000] * len(many))) == DETAILS_MAX


class Spelling:
    """A Reader whose tokens are letters, and for which "b" always has probability 1/2, every other letter 1/8."""

    letters = "abcd "
    bos = None
    trained_window = 64
    at_once = 2

    def tokens(self, text: str) -> list[int]:
        return [self.letters.index(letter) for letter in text]

    def read(self, windows: Sequence[Sequence[int]], first: int) -> Iterator[tuple[int, int, Any]]:
        row = np.log(np.array([1 / 8, 1 / 2, 1 / 8, 1 / 8, 1 / 8], dtype=np.float32))
        for number, window in enumerate(windows):
            half = max(first, (first + len(window) - 1) // 2)  # in two parts, as a long window comes
            for begin, end in ((first, half), (half, len(window) - 1)):
                if end > begin:
                    yield number, begin, np.tile(row, (end - begin, 1))


def test_continuations_by_hand() -> None:
    item = Item("1", "a", (("aaa", "bb"), ("aaa", "bc"), ("a", " abbb")), ("x", "y", "z"), 0)
    found = continuations(Spelling(), item, 64)  # type: ignore[arg-type]
    assert found is not None
    assert [one["tokens"] for one in found] == [2, 2, 5] and [one["greedy"] for one in found] == [True, False, False]
    assert [one["nats"] for one in found] == pytest.approx([math.log(4), math.log(16), math.log(8 * 8 * 8)], rel=1e-5)
    assert continuations(Spelling(), item, 5) is None  # type: ignore[arg-type]
    assert (common([1, 2, 3], [1, 2, 4, 5]), common([1, 2], [1, 2]), common([], [1, 2])) == (2, 1, 0)
    assert window_for([item]) == 64 and window_for([Item("1", "", (("é" * 100, "b"),))]) == 203


# --- whole evaluations


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Engine]:
    engine = Engine(Settings(home=tmp_path, prepare=False, threads=1))
    yield engine
    engine.close()


def test_any_model_is_judged_by_its_answers(opened: Engine) -> None:
    steps = list(evaluate(opened, "fr", opened.model("echo"), methods=("answer",), limit=14, max_tokens=400))
    found = steps[-1]
    assert isinstance(found, dict) and all(isinstance(step, Progress) for step in steps[:-1])
    assert found["metrics"]["unread"]["value"] == 1.0  # it repeats every choice
    assert found["metrics"]["chosen_right"]["n"] == 12 and found["metrics"]["exact_match"]["n"] == 2
    assert found["items_sha256"] == fingerprint(items_of("fr")[:14]) and found["answer_card"]["backend"] == "echo"
    assert json.loads(json.dumps(found)) == found and found["items"][0]["text"].startswith("Quelle est la capitale")


def test_what_cannot_be_asked_is_refused(opened: Engine) -> None:
    model = opened.model("echo")
    with pytest.raises(NotSupported):
        list(evaluate(opened, "fr", model))
    with pytest.raises(BadParameter):
        list(evaluate(opened, "fr", model, methods=()))
    with pytest.raises(BadParameter):
        list(evaluate(opened, "fr", model, methods=("answer",), limit=0))
    with pytest.raises(BadFile):
        list(evaluate(opened, "no/file", model, methods=("answer",)))


@pytest.mark.model
def test_the_real_model_knows_that_paris_is_likelier_than_lyon(opened: Engine) -> None:
    *steps, found = evaluate(opened, "en", opened.model(), methods=("likelihood",), limit=2)
    assert isinstance(found, dict) and isinstance(steps[-1], Progress) and (steps[-1].done, steps[-1].total) == (2, 2)
    assert found["values"]["acc"][0] == 1.0 and found["metrics"]["p_right"]["n"] == 2
    assert found["card"]["quantization"] == "Q4_1" and found["left_out"] == []


def test_a_closed_evaluation_leaves_no_job(opened: Engine) -> None:
    steps = evaluate(opened, "en", opened.model(), methods=("likelihood",))
    next(iter(steps))
    steps.close()  # type: ignore[attr-defined]
    assert [job.state for job in opened.jobs.list()] == ["cancelled"]
