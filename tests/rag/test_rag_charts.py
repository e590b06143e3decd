"""The chart of an evaluation says what its result says, in the caller's words."""

from __future__ import annotations

from engine.rag.charts import chart_rows, comparison

INTERVAL = {"value": 0.8, "low": 0.7, "high": 0.9, "n": 45}
RESULT = {
    "configurations": [
        {"configuration": {"name": name}, "intervals": {"recall@5": INTERVAL, "mrr": INTERVAL}}
        for name in ("default", "vector")
    ]
}


def test_a_row_for_each_configuration_and_measure() -> None:
    rows = chart_rows(RESULT)
    assert [(row["configuration"], row["measure"]) for row in rows] == [
        ("default", "recall@5"), ("default", "mrr"), ("vector", "recall@5"), ("vector", "mrr"),
    ]  # fmt: skip
    assert rows[0]["low"] == 0.7


def test_the_chart_is_valid_and_speaks_the_callers_words() -> None:
    told = comparison(RESULT, {"default": "par défaut", "mrr": "rang réciproque"}).to_dict()
    shown = next(iter(told.get("datasets", {"": told["data"].get("values")}).values()))
    assert {row["configuration"] for row in shown} == {"par défaut", "vector"}
    assert {row["measure"] for row in shown} == {"recall@5", "rang réciproque"}
