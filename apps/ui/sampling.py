"""The waterfall of samplers for both interfaces: what is shown of a moment, in words and as JSON. Knows no framework.

What a model may write goes in as data and comes out as text nodes; nothing here is ever read as HTML.
"""

from __future__ import annotations

import csv
import functools
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from apps.ui import strips
from apps.ui.address import Address
from apps.ui.i18n import Words
from engine.output import Output, OutputKind
from engine.params import Params
from engine.sampling.chain import HUGGING_FACE_ORDER, Stage
from engine.sampling.draw import chi_square
from engine.sampling.moments import Comparison, Moment, Recipe, Sample
from engine.sampling.picture import TOP, Part, Row, Waterfall, svg, waterfall
from engine.sampling.samplers import Ids
from engine.sampling.top_n import TopN

_FOLDER = Path(__file__).parent / "components"
SEED = 42  # of whoever gave none: the page must show the same dart twice
ORDERS = ("llama", "huggingface")
WAYS = ("raw", "chat")
EXAMPLES = ("capital", "story", "count")
# What the page's own controls start with: how the text is read, the order, the form, then the second setting
START: Mapping[str, Any] = {
    "way": "raw", "order": "llama", "kind": "text", "source": "", "order2": "huggingface", "temperature2": 0.7,
    "top_k2": 40, "top_p2": 0.95, "min_p2": 0.05, "samples": 3, "tokens": 8,
}  # fmt: skip
KINDS = (
    "raw", "grammar", "bias", "penalties", "dry", "top_n_sigma", "top_k", "typ_p", "top_p", "min_p", "xtc",
    "temperature", "mirostat",
)  # fmt: skip
# What each exercise begins with; an order is ORDERS', the other names are parameters
EXERCISES: Mapping[str, Mapping[str, Any]] = {
    "order": {"temperature": 1.5, "top_p": 0.6, "top_k": 0, "min_p": 0.0},
    "temperature": {"temperature": 0.0},
    "top_k": {"top_k": 1},
    "top_p": {"top_p": 0.9, "top_k": 0, "min_p": 0.0},
    "min_p": {"temperature": 2.0, "min_p": 0.1, "top_k": 0, "top_p": 1.0},
    "typ_p": {"typical_p": 0.2},
    "top_n_sigma": {"top_n_sigma": 1.0, "top_k": 0, "top_p": 1.0, "min_p": 0.0, "temperature": 1.0},
    "xtc": {"xtc_probability": 1.0, "xtc_threshold": 0.1},
    "penalties": {"repeat_penalty": 1.5},
    "dry": {"dry_multiplier": 1.0},
    "grammar": {},
    "mirostat": {"mirostat": 2, "mirostat_tau": 2.0},
    "seed": {"temperature": 1.5},
}
STAGE_COLUMNS = ("stage", "left", "mass", "entropy", "first", "gone")
ODD = 0.01  # a p-value that chance alone seldom has
GONE = 6  # eliminated tokens that a table names

Shown = Callable[[int], str]


def _one_of(known: tuple[str, ...]) -> Callable[[str], str]:
    def read(text: str) -> str:
        return known[known.index(text)]  # ValueError where it is none of them

    return read


ADDRESS: Address = {"order": ("order", _one_of(ORDERS)), "way": ("way", _one_of(WAYS))}  # no text travels
TEMPERATURES, TOP_PS = (0.0, 0.7, 1.5), (0.5, 0.9, 1.0)  # of the grid


@functools.cache
def script() -> str:
    """JavaScript with the function `waterfallView(root, data, report)`."""
    return strips.script() + (_FOLDER / "waterfall.js").read_text(encoding="utf-8")


@functools.cache
def style() -> str:
    """CSS for an element of class `strips` and the waterfall in it."""
    return strips.style() + (_FOLDER / "waterfall.css").read_text(encoding="utf-8")


def recipe_of(params: Params, order: str = "llama", kind: OutputKind = "text", source: str = "") -> Recipe:
    """How a token is chosen: `order` one of ORDERS. Without a seed, SEED."""
    seeded = params if params["seed"] is not None else params.replace(seed=SEED)
    form = Output(kind, source) if source.strip() else Output()
    return Recipe(seeded, HUGGING_FACE_ORDER if order == "huggingface" else None, form)


def picture(now: Moment, shown: Shown, top: int = TOP) -> Waterfall:
    """The rows and columns of a moment; `shown` gives a token's text."""
    return waterfall(now.stages, shown, top, now.dart)


def waterfall_data(now: Moment, shown: Shown, words: Words, *, choosable: bool = True) -> dict[str, Any]:
    """The JSON of the waterfall; `choosable` False makes it a picture only."""
    drawn = picture(now, shown)
    return {
        "name": words.t("sampling.name"),
        "words": {"token": words.t("sampling.token")},
        "columns": [_column(stage, words) for stage in drawn.stages],
        "rows": [*(_row(drawn, row, words, choosable) for row in drawn.rows), _row(drawn, drawn.others, words, False)],
        "segment": _segment(drawn, now, shown, words),
    }


def chosen_of(told: Any, words: int) -> int | None:
    """The token that a browser reports, if the vocabulary of `words` tokens has it: a browser may say anything."""
    token = told.get("token") if isinstance(told, Mapping) else None
    fine = isinstance(token, int) and not isinstance(token, bool) and 0 <= token < words
    return token if fine else None


def head_lines(stage: Stage, words: Words) -> list[str]:
    """What stands above a column: its name, survivors, mass kept, entropy."""
    lines = [words.t(f"sampling.kind.{stage.step.kind}"), words.t("sampling.left", count=stage.survivors)]
    lines.append(words.t("sampling.kept", share=percent(stage.mass_kept, words)))
    return [*lines, words.t("sampling.bits", bits=stage.entropy_bits)]


def percent(share: float, words: Words) -> str:
    """A probability as people read it, three digits; the smallest ones do not read as nothing."""
    return strips.percent(share, words)


def picture_svg(now: Moment, shown: Shown, words: Words) -> str:
    """The waterfall as an SVG document, with the words of that language."""
    drawn = picture(now, shown)
    heads = [head_lines(stage, words) for stage in drawn.stages]
    others = _others(drawn.others, words)
    return svg(drawn, heads, others, lambda share: percent(share, words), dart_told(now, shown, words))


def dart_told(now: Moment, shown: Shown, words: Words) -> str:
    """Which token the seed hits, and why."""
    hit = now.dart
    if hit is None:
        return words.t("sampling.nothing_left")
    return words.t("sampling.dart", u=hit.u, step=now.step + 1, begin=hit.begin, end=hit.end, text=shown(hit.token))


def allowed_told(now: Moment, words: Words) -> str | None:
    """What the imposed form costs here; None without one."""
    mass = now.allowed_mass
    if mass is None:
        return None
    return words.t("sampling.allowed", share=percent(mass, words), rest=percent(1 - mass, words))


def stage_rows(now: Moment, shown: Shown, words: Words) -> list[tuple[str, ...]]:
    """The stages as a table, in the order of STAGE_COLUMNS: the text alternative."""
    return [
        (
            words.t(f"sampling.kind.{stage.step.kind}"), words.number(stage.survivors),
            percent(stage.mass_kept, words), words.t("sampling.bits", bits=stage.entropy_bits),
            percent(stage.p_max, words), " · ".join(shown(int(token)) for token in stage.eliminated[:GONE]),
        )
        for stage in active(now.stages)
    ]  # fmt: skip


def active(stages: Sequence[Stage]) -> tuple[Stage, ...]:
    """The stages that have a column: the model's own, and those that may change anything."""
    return (stages[0], *(stage for stage in stages[1:] if stage.step.active))


def rows_csv(now: Moment, shown: Shown) -> str:
    """The bars as a file: a line for each token and stage."""
    text, drawn = io.StringIO(), picture(now, shown)
    writer = csv.writer(text)
    writer.writerow(("token", "text", "stage", "probability", "left"))
    for row in (*drawn.rows, drawn.others):
        for stage, share, left in zip(drawn.stages, row.shares, row.left, strict=True):
            writer.writerow(("" if row.token is None else row.token, row.text, stage.step.kind, share, int(left)))
    return text.getvalue()


def continuations_csv(samples: Sequence[Sample], text: Callable[[Sequence[int]], str]) -> str:
    """The continuations of a grid as a file; `text` spells tokens."""
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(("temperature", "top_p", "seed", "text"))
    writer.writerows((one.temperature, one.top_p, one.seed, text(one.ids)) for one in samples)
    return written.getvalue()


def draw_rows(counts: Ids, last: Stage, shown: Shown, top: int = TOP) -> list[dict[str, Any]]:
    """How often the likeliest tokens were drawn, and how often theory expects it: {token, text, seen, expected}."""
    n = int(counts.sum())
    best = sorted(last.order[last.probabilities[last.order] > 0], key=lambda token: -last.probabilities[token])[:top]
    return [
        {"token": int(token), "text": shown(int(token)), "seen": int(counts[token]),
         "expected": float(n * last.probabilities[token])}
        for token in best
    ]  # fmt: skip


def chi_told(counts: Ids, last: Stage, words: Words) -> str:
    """The χ² test in a sentence."""
    statistic, degrees, chance = chi_square(counts, last.probabilities)
    if not degrees:
        return words.t("sampling.chi_none")
    verdict = words.t("sampling.chi_fine" if chance >= ODD else "sampling.chi_odd")
    return words.t("sampling.chi", statistic=statistic, degrees=degrees, p=chance, verdict=verdict)


def compared_told(found: Comparison, words: Words) -> str:
    """Two settings in a sentence."""
    if found.distance == 0:
        return words.t("sampling.two_same")
    return words.t(
        "sampling.two_told", distance=percent(found.distance, words), both=found.both, one=found.only_one,
        other=found.only_other,
    )  # fmt: skip


def served_told(now: Moment, top: TopN, shown: Shown, words: Words) -> str:
    """How far the model's own numbers are from those of another runtime for the same place, at most."""
    raw = now.stages[0].probabilities
    gaps = [(abs(math.exp(one.logprob) - float(raw[one.id])), one.id) for one in top.candidates if one.id is not None]
    gap, token = max(gaps, default=(0.0, int(raw.argmax())))
    return words.t("sampling.served_told", runtime=top.runtime, gap=percent(gap, words), text=shown(token))


def _column(stage: Stage, words: Words) -> dict[str, Any]:
    title, *lines = head_lines(stage, words)
    told = [words.t(f"sampling.does.{stage.step.kind}")]
    told.append(words.t("sampling.bits_help", bits=stage.entropy_bits, nats=stage.entropy_nats))
    if stage.cut is not None:
        told.append(words.t("sampling.cut", share=percent(stage.cut, words)))
    return {"title": title, "lines": lines, "help": " ".join(told)}


def _row(drawn: Waterfall, row: Row, words: Words, choosable: bool) -> dict[str, Any]:
    hit = drawn.dart is not None and row.token == drawn.dart.token
    text = _others(row, words) if row.token is None else row.text
    cells = [_cell(drawn, row, text, at, words) for at in range(len(drawn.stages))]
    return {"id": row.token, "text": text, "label": _row_label(row, words), "hit": hit,
            "choosable": choosable and row.token is not None, "cells": cells}  # fmt: skip


def _row_label(row: Row, words: Words) -> str:
    if row.token is None:
        return words.t("sampling.row_others")
    return words.t("sampling.row_label" if row.left[-1] else "sampling.row_gone", text=row.text, id=row.token)


def _others(row: Row, words: Words) -> str:
    return words.t("sampling.others", count=row.count) if row.count > 0 else words.t("sampling.others_none")


def _cell(drawn: Waterfall, row: Row, text: str, at: int, words: Words) -> dict[str, Any]:
    share, left = row.shares[at], row.left[at]
    before = row.shares[at - 1] if at else None
    cut = drawn.stages[at].cut if row.token is not None and at else None
    told = percent(share, words)
    short = words.t("sampling.less", value=words.number(0.01, 2)) if 0 < share < 0.0001 else told
    known = {"text": text, "share": told, "before": told if before is None else percent(before, words)}
    return {
        "share": _wide(share, drawn.scale),
        "ghost": None if before is None else _wide(before, drawn.scale),
        "cut": None if cut is None else _wide(cut, drawn.scale),
        "left": left,
        "text": short if left else "✕",
        "label": words.t("sampling.cell" if left else "sampling.cell_gone", **known),
    }


def _wide(share: float, scale: float) -> float:
    return round(min(1.0, share / scale), 5)


def _segment(drawn: Waterfall, now: Moment, shown: Shown, words: Words) -> dict[str, Any] | None:
    hit = now.dart
    if hit is None:
        return None
    return {
        "label": words.t("sampling.segment", u=hit.u),
        "told": dart_told(now, shown, words),
        "place": round(hit.u, 6),
        "parts": [_part(part, hit.token, shown, words) for part in drawn.parts],
    }


def _part(part: Part, hit: int, shown: Shown, words: Words) -> dict[str, Any]:
    place = {"begin": part.begin, "end": part.end}
    if part.token is None:
        label = words.t("sampling.segment_others", count=part.count, **place)
        return {"text": "…", "label": label, "size": round(part.end - part.begin, 6), "hit": False, "other": True}
    text = shown(part.token)
    return {"text": text, "label": words.t("sampling.segment_part", text=text, **place),
            "size": round(part.end - part.begin, 6), "hit": part.token == hit, "other": False}  # fmt: skip
