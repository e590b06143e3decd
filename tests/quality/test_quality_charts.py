"""Charts of measurements: what they show, their words, and that they become SVG."""

from __future__ import annotations

import re
from typing import Any

from engine.comptine.charts import to_svg
from engine.quality.charts import evaluations, quantization_rows, ratios, speed_rows, speeds, trade_off
from engine.quality.ratios import compare
from engine.quality.speed import KEYS, Plan, row

FACTS = {**dict.fromkeys(KEYS, ""), "model_filename": "small.gguf", "model_sha256": ""}


def bench(scale: int, plan: Plan) -> list[dict[str, Any]]:
    return [row(FACTS, case, [10**9 // scale, 11 * 10**8 // scale]) for case in plan.cases()]


def table() -> dict[str, Any]:
    speed = {"pp128": {"avg_ts": 100.0, "stddev_ts": 1.0}, "tg32": {"avg_ts": 20.0, "stddev_ts": 1.0}}
    base = {"quantization": "Q8_0", "base": True, "size_bytes": 144_000_000, "bits_per_weight": 8.6, "speed": speed,
            "perplexity": 20.0, "perplexity_error": 0.5}  # fmt: skip
    small = {**base, "quantization": "Q2_K", "base": False, "size_bytes": 88_000_000, "mean_kld": 0.4,
             "mean_kld_error": 0.01, "same_top": 0.7}  # fmt: skip
    return {"rows": [base, small, {"quantization": "IQ1_S", "base": False, "error": {"code": "job_failed"}}]}


def words_of(svg: str) -> str:
    return " ".join(re.findall(r">([^<>]+)</text>", svg))


def test_the_table_of_quantizations() -> None:
    rows = quantization_rows(table())
    assert [(one["quantization"], one["megabytes"], one["mean_kld"]) for one in rows] == [
        ("Q8_0", 144.0, 0.0), ("Q2_K", 88.0, 0.4)]  # fmt: skip
    assert rows[1]["read"] == 100 and rows[1]["written"] == 20 and rows[0]["same_top"] == 1
    told = words_of(to_svg(trade_off(table(), {"megabytes": "Mo"})))
    assert all(word in told for word in ("Q8_0", "Q2_K", "Mo", "mean_kld")) and "IQ1_S" not in told
    assert "perplexity" in words_of(to_svg(trade_off(table(), cost="perplexity")))


def test_speeds_say_what_differs() -> None:
    rows = bench(1, Plan(kv_types=("f16", "q8_0")))
    assert {one["settings"] for one in speed_rows(rows, {"kv": "cache"})} == {"cache f16", "cache q8_0"}
    assert {one["settings"] for one in speed_rows(rows[:2])} == {"small.gguf"}
    assert "pp512" in words_of(to_svg(speeds(rows)))
    found = compare(bench(1, Plan()), bench(2, Plan()))
    assert "tg128, kv f16, threads 1" in words_of(to_svg(ratios(found)))


def test_an_evaluation_with_its_chance() -> None:
    metrics = {"acc": {"value": 0.5, "low": 0.3, "high": 0.7, "n": 12}}
    results = [{"model": name, "metrics": metrics, "chance": 0.25} for name in ("one", "two")]
    told = words_of(to_svg(evaluations(results, {"acc": "likeliest is right"})))
    assert all(word in told for word in ("one", "two", "likeliest is right", "share"))
