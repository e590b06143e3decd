"""The verse strip of both interfaces: its JSON, its JavaScript and its style. Knows neither framework.

What a model wrote goes in as data and comes out as text nodes; nothing here is ever read as HTML.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from apps.ui import strips
from apps.ui.i18n import Words
from engine.comptine.cell import Cell
from engine.comptine.charts import STATE_SIGNS
from engine.comptine.score import Mark

_FOLDER = Path(__file__).parent / "components"
EXTRA = ("out_of_range", "invented", "duplicate")


@functools.cache
def script() -> str:
    """JavaScript with the function `verseStrip(root, data)`."""
    return strips.script() + (_FOLDER / "verses.js").read_text(encoding="utf-8")


@functools.cache
def style() -> str:
    """CSS for an element of class `strips` and the verses in it."""
    return strips.style() + (_FOLDER / "verses.css").read_text(encoding="utf-8")


def strip_data(marks: Iterable[Mark], cell: Cell, words: Words) -> dict[str, Any]:
    """The JSON of a strip: one entry for each verse asked for, then those that were named besides."""
    names = _names(cell)
    known = tuple(marks)
    return {
        "name": words.t("comptine.strip"),
        "words": {"extra": words.t("comptine.extra"), "hint": words.t("comptine.cell.hint")},
        "verses": [_entry(mark, names, words) for mark in known if mark.state not in EXTRA],
        "extra": [_entry(mark, names, words) for mark in known if mark.state in EXTRA],
    }


def _entry(mark: Mark, names: tuple[str, ...], words: Words) -> dict[str, Any]:
    expected = names[mark.verse - 1] if 1 <= mark.verse <= len(names) else ""
    kind = "none" if mark.said is None else "other" if expected and expected != mark.said else "same"
    label = words.t(
        f"comptine.cell.{kind}", n=str(mark.verse), state=words.t(f"comptine.state.{mark.state}"),
        said=mark.said, expected=expected,
    )  # fmt: skip
    return {"n": mark.verse, "state": mark.state, "said": mark.said, "expected": expected,
            "sign": STATE_SIGNS[mark.state], "label": label}  # fmt: skip


@functools.lru_cache(maxsize=64)
def _names(cell: Cell) -> tuple[str, ...]:
    return cell.rhyme().names
