"""Tables of quantizations, of speed and of questions, from the results that `engine.quality` keeps.

Knows no widget and no framework.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from apps.ui.i18n import Words
from apps.ui.present import error_text
from apps.ui.quality import Result, Row, rounded
from engine.errors import error_from


def kinds_head(words: Words) -> Row:
    """The titles of `kinds_rows`."""
    names = ("kind", "size", "bits", "reads", "writes", "perplexity", "kld", "same")
    return tuple(words.t(f"quality_kinds.column.{name}") for name in names)


def kinds_rows(result: Result, words: Words) -> list[Row]:
    """One row a number format, the source first; of what could not be made, the reason."""
    found = list[Row]()
    for row in result["rows"]:
        if "error" in row:
            said = error_text(error_from(row["error"]), words).what
            found.append((str(row["quantization"]), said, *("" for _ in range(6))))
            continue
        kld = "" if row["base"] else rounded_small(row["mean_kld"], row["mean_kld_error"], words)
        same = "" if row["base"] else words.t("tokens.percent", value=words.number(100 * row["same_top"], 1))
        perplexity = rounded(row["perplexity"], row["perplexity_error"], words)
        found.append((kind_of(row, words), words.size(row["size_bytes"]), words.number(row["bits_per_weight"], 2),
                      *(words.rate(rate) for rate in rates(row)), perplexity, kld, same))  # fmt: skip
    return found


def rounded_small(value: float, error: float, words: Words) -> str:
    """A value near 0 ± its error."""
    return words.t("quality_text.plus_minus", value=words.number(value, 4), error=words.number(error, 4))


def kind_of(row: Mapping[str, Any], words: Words) -> str:
    """The number format's name, with "source" where it is that."""
    name = row["quantization"] or "?"
    return words.t("quality_kinds.source", kind=name) if row["base"] else str(name)


def rates(row: Mapping[str, Any]) -> tuple[float | None, float | None]:
    """Tokens read and written per second."""
    found = {name[:2]: told["avg_ts"] for name, told in row["speed"].items()}
    return found.get("pp"), found.get("tg")


def speed_head(words: Words) -> Row:
    """The titles of `speed_rows`."""
    names = ("test", "threads", "kv", "batch", "rate", "runs")
    return tuple(words.t(f"quality_speed.column.{name}") for name in names)


def speed_rows(result: Result, words: Words) -> list[Row]:
    """One row a test, as llama-bench prints them."""
    return [
        (row["test"], words.number(row["n_threads"]), row["type_k"], words.number(row["n_batch"]),
         rate(row, words), words.number(len(row["samples_ts"])))
        for row in result["rows"]
    ]  # fmt: skip


def rate(row: Mapping[str, Any], words: Words) -> str:
    """Tokens per second ± standard deviation."""
    digits = 2 if row["avg_ts"] < 100 else 1
    value, error = words.number(row["avg_ts"], digits), words.number(row["stddev_ts"], digits)
    return words.t("quality_speed.rate", value=value, error=error)


def ratio_head(words: Words) -> Row:
    """The titles of `ratio_rows`."""
    return tuple(words.t(f"quality_speed.column.{name}") for name in ("test", "threads", "before", "after", "ratio"))


def ratio_rows(before: Result, after: Result, words: Words) -> list[Row]:
    """How many times as fast the second run is, test by test, with 95 % intervals. Raises BadInput, BadFile."""
    from engine.quality.ratios import compare

    rows = []
    for one in compare(before["rows"], after["rows"]):
        said = words.number(one.ratio, 2)
        if one.low is not None and one.high is not None:
            ends = {"low": words.number(one.low, 2), "high": words.number(one.high, 2)}
            said = words.t("quality_speed.between", value=said, **ends) + (" *" if one.clear else "")
        told = (words.number(value, 1) for value in (one.before, one.after))
        rows.append((one.test, words.number(one.n_threads), *told, said))
    return rows


def marks_head(words: Words) -> Row:
    """The titles of `marks_rows`."""
    return (words.t("quality.name"), words.t("quality.value"), words.t("quality_questions.column.n"),
            words.t("quality.meaning"))  # fmt: skip


def marks_rows(result: Result, words: Words) -> list[Row]:
    """One row a measure with its interval."""
    return [
        (words.t(f"quality_questions.measure.{name}"), words.t("quality_questions.interval", **_ends(one)),
         words.number(one["n"]), words.t(f"quality_questions.means.{name}"))
        for name, one in result["metrics"].items()
    ]  # fmt: skip


def _ends(one: Mapping[str, Any]) -> dict[str, float]:
    return {name: float(one[name]) for name in ("value", "low", "high")}


def marks_notes(result: Result, words: Words) -> list[str]:
    """Which questions, and what is to be known of the numbers."""
    t = words.t
    notes = [t("quality_questions.count", n=result["n"], source=result["source"], model=result["model"])]
    if result["chance"] is not None:
        notes.append(t("quality_questions.chance", value=100 * result["chance"]))
    if left := result.get("left_out"):
        notes.append(t("quality_questions.left_out", count=len(left)))
    return [*notes, t("quality_questions.intervals")]


def items_head(words: Words) -> Row:
    """The titles of `items_rows`."""
    return tuple(words.t(f"quality_questions.column.{name}") for name in ("question", "right", "said", "marks"))


def items_rows(result: Result, words: Words) -> list[Row]:
    """Question by question: what is right, what the model wrote, its marks."""
    return [
        (" ".join(one["question"].split()), one["right"], " ".join((one["text"] or "").split()),
         " · ".join(_mark(name, value, words) for name, value in one["marks"].items()))
        for one in result["items"]
    ]  # fmt: skip


def _mark(name: str, value: float, words: Words) -> str:
    sign = words.number(value, 2) if value not in (0, 1) else "✓" if value else "✕"
    return f"{sign} {words.t(f'quality_questions.measure.{name}')}"


def compared_lines(result: Result, before: Result, words: Words) -> list[str]:
    """What this evaluation has more than an earlier one, measure by measure. Raises BadInput for other questions."""
    from engine.quality.evaluations import compare

    return [
        words.t("quality_questions.compared", name=words.t(f"quality_questions.measure.{name}"), wins=one.wins,
                losses=one.losses, ties=one.ties, **_ends(one.difference.to_dict()))
        for name, one in compare(result, before).items()
    ]  # fmt: skip
