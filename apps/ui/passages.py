"""Numbered passages with score bars, for both interfaces: their JSON, JavaScript and style. Knows neither framework.

What stands in a document goes in as data and comes out as text nodes; nothing here is ever read as HTML.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from apps.ui import strips
from apps.ui.documents import best_scores, score_rows, warnings
from apps.ui.i18n import Words
from engine.rag.grounding import Source

_FOLDER = Path(__file__).parent / "components"
TEXT_MAX = 6000  # characters of one passage; the opened document has the rest


@functools.cache
def script() -> str:
    """JavaScript with the function `passageView(root, data, report)`."""
    return strips.script() + (_FOLDER / "passages.js").read_text(encoding="utf-8")


@functools.cache
def style() -> str:
    """CSS for an element of class `strips` and the passages in it."""
    return strips.style() + (_FOLDER / "passages.css").read_text(encoding="utf-8")


def passage_data(sources: Sequence[Source], words: Words, *, name: str = "") -> dict[str, Any]:
    """The JSON of passages in their order; the bars of one score share one scale, its best passage's."""
    best = best_scores(source.passage for source in sources)
    return {
        "name": name or words.t("documents_ask.passages"),
        "words": {"open": words.t("documents_ask.open_help")},
        "passages": [
            {
                "number": source.number,
                "place": source.place,
                "heading": source.chunk.heading or "",
                "text": source.text[:TEXT_MAX].strip() + ("…" if len(source.text) > TEXT_MAX else ""),
                "warnings": list(warnings(source, words)),
                "scores": [asdict(row) for row in score_rows(source.passage, best, words)],
            }
            for source in sources
        ],
    }


def opened_of(told: Any, sources: Sequence[Source]) -> Source | None:
    """The passage that a browser says was clicked, if it is one of these: a browser may say anything."""
    place = told.get("opened") if isinstance(told, Mapping) else told
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(sources):
        return None
    return sources[place]
