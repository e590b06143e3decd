"""The bench: plan, rows with llama-bench's keys, a comparison with its interval, and the real model on tiny sizes."""

from __future__ import annotations

import json
import math

import pytest

from engine.errors import BadFile, BadInput, BadParameter, ModelFileCorrupt
from engine.models.bundled import bundled_file
from engine.quality.cards import differences
from engine.quality.ratios import compare, ratio, read_run, student
from engine.quality.speed import KEYS, Plan, case_name, row
from engine.quality.stopwatch import TASK, measure
from engine.tasks import TaskRun


def test_a_plan_is_llama_benchs_own_by_default_and_multiplies() -> None:
    assert [case.name for case in Plan().cases()] == ["pp512", "tg128"]
    many = Plan.from_dict({"prompts": [512, 64], "generated": [0], "depths": [0, 1024], "kv_types": ["f16", "q8_0"]})
    assert [(case.name, case.kv_type) for case in many.cases()] == [
        ("pp512", "f16"), ("pp64", "f16"), ("pp512 @ d1024", "f16"), ("pp64 @ d1024", "f16"),
        ("pp512", "q8_0"), ("pp64", "q8_0"), ("pp512 @ d1024", "q8_0"), ("pp64 @ d1024", "q8_0"),
    ]  # fmt: skip
    assert Plan.from_dict(many.to_dict()) == many
    assert Plan(batches=(64,)).cases()[0].n_ubatch == 64  # never larger than its batch
    assert case_name(16, 4, 8) == "pp16+tg4 @ d8"


@pytest.mark.parametrize(
    "wrong",
    [{"prompts": [-1]}, {"prompts": ["x"]}, {"threads": [0]}, {"repetitions": 0}, {"kv_types": ["q9"]}, {"weather": 1},
     {"prompts": [], "generated": []}, {"threads": list(range(1, 400))}, {"repetitions": True}],
)  # fmt: skip
def test_a_wrong_plan_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(BadParameter):
        Plan.from_dict(wrong)


def facts() -> dict[str, object]:
    return dict.fromkeys(KEYS, "as loaded") | {"model_sha256": "abc"}


def test_a_row_has_llama_benchs_figures() -> None:
    made = row(facts(), Plan(generated=()).cases()[0], [1_000_000_000, 2_000_000_000])  # 512 and 256 tokens/s
    assert tuple(made)[: len(KEYS)] == KEYS and made["test"] == "pp512" and made["type_k"] == "f16"
    assert (made["samples_ts"], made["avg_ts"], made["avg_ns"]) == ([512.0, 256.0], 384.0, 1_500_000_000)
    assert made["stddev_ts"] == pytest.approx(128 * math.sqrt(2))  # of a sample: n - 1
    assert made["stddev_ns"] == int(5e8 * math.sqrt(2))
    assert row(facts(), Plan().cases()[1], [5])["stddev_ts"] == 0.0


@pytest.mark.parametrize(("freedom", "value"), [(1, 12.706), (2, 4.303), (4.5, 2.659), (8, 2.306), (30, 2.042)])
def test_students_quantiles(freedom: float, value: float) -> None:
    assert student(0.975, freedom) == pytest.approx(value, abs=2e-3)  # every table has them


def test_a_ratio_and_its_interval_by_hand() -> None:
    # ln: 0, ln 4 and ln 2, ln 8; both have variance (ln 4)²/2, so s² = (ln 4)²/2 and ν = 2
    middle, low, high = ratio([1, 4], [2, 8])
    half = 4.3027 * math.log(4) / math.sqrt(2)
    assert middle == pytest.approx(2)
    assert low is not None and math.log(low) == pytest.approx(math.log(2) - half, abs=1e-3)
    assert high is not None and math.log(high) == pytest.approx(math.log(2) + half, abs=1e-3)
    assert ratio([2.0], [4.0]) == (pytest.approx(2), None, None)
    assert ratio([2.0, 2.0], [4.0, 4.0]) == (pytest.approx(2), pytest.approx(2), pytest.approx(2))
    there, back = ratio([1, 2, 3], [5, 6, 9]), ratio([5, 6, 9], [1, 2, 3])
    assert there == pytest.approx((1 / back[0], 1 / (back[2] or 0), 1 / (back[1] or 0)))


def test_two_runs_are_compared_case_by_case() -> None:
    read, written = Plan().cases()
    before = [row(facts(), read, [100, 101, 102]), row(facts(), written, [100, 110, 120])]
    after = [row(facts(), written, [100, 110, 121]), row(facts(), read, [50, 51, 50])]
    slow, fast = compare(before, after)
    assert (slow.test, fast.test) == ("tg128", "pp512")
    assert fast.clear and fast.ratio == pytest.approx(2, rel=0.02) and not slow.clear
    assert fast.to_dict()["clear"] is True and fast.before == before[0]["avg_ts"]
    with pytest.raises(BadInput):
        compare(before[:1], after[:1])


def test_llama_benchs_own_file_is_read() -> None:
    rows = [row(facts(), case, [100, 90]) for case in Plan().cases()]
    bare = [{name: value for name, value in one.items() if name not in ("test", "model_sha256")} for one in rows]
    assert read_run("run.json", json.dumps(bare).encode()) == bare
    assert read_run("run.jsonl", "\n".join(map(json.dumps, bare)).encode()) == bare
    assert read_run("kept.json", json.dumps({"card": {}, "rows": bare}).encode()) == bare
    assert read_run("one.json", json.dumps(bare[0]).encode()) == bare[:1]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff", "json"),
        (b"nothing", "json"),
        (b"[" * 100_000, "json"),
        (b"[]", "format"),
        (b'{"rows": 5}', "format"),
        (b"[1, 2]", "format"),
        (b'[{"n_prompt": 1, "n_gen": 0, "samples_ts": []}]', "format"),
        (b'[{"n_prompt": 1, "n_gen": 0, "samples_ts": [NaN]}]', "format"),
        (b'[{"n_prompt": 1, "n_gen": 0, "samples_ts": [0]}]', "format"),
        (b'[{"n_prompt": 1, "n_gen": 0, "samples_ts": [1e999]}]', "format"),
        (b"[" + b"1," * 2000 + b"1]", "too_many"),
        (b" " * (8 * 2**20 + 1), "too_large"),
    ],
    ids=lambda value: str(value)[:12],  # not 16 MiB of it
)
def test_a_hostile_file_is_refused_in_one_sentence(data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as caught:
        read_run("run.json", data)
    assert caught.value.details["reason"] == reason and len(str(caught.value)) < 300


@pytest.mark.model
def test_the_real_model_on_tiny_sizes() -> None:
    plan = Plan(prompts=(16,), generated=(2,), depths=(0, 8), kv_types=("q8_0",), batches=(8,), repetitions=2)
    work = TaskRun(TASK, {"path": str(bundled_file()), "plan": plan.to_dict()})
    progress = list(work)
    assert progress[-1].done == progress[-1].total == 2 * 8 + 3 * (16 + 10 + 16 + 10)
    rows = work.result["rows"]
    assert [one["test"] for one in rows] == ["pp16", "tg2", "pp16 @ d8", "tg2 @ d8"]
    for one in rows:
        assert tuple(one)[: len(KEYS)] == KEYS
        assert one["avg_ts"] > 0 and len(one["samples_ns"]) == 2 and one["backends"]
        assert one["model_type"].startswith("llama") and one["model_n_params"] == 134_515_008
        assert one["model_sha256"] == work.result["card"]["sha256"]
    assert not differences(work.result["card"], work.result["card"])
    assert [one.ratio for one in compare(rows, rows)] == pytest.approx([1, 1, 1, 1])


def test_what_is_no_model_is_told_before_anything_is_loaded() -> None:
    with pytest.raises(ModelFileCorrupt):
        list(measure(__file__))
    with pytest.raises(BadParameter):
        list(measure(__file__, {"prompts": [-1]}))
