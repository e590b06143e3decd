"""A collection on a plane as a chart: one point per chunk, files by colour and shape, the question among them.

Knows no widget and no framework.
"""

from __future__ import annotations

import csv
import io
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from apps.ui.evaluation import number_locale, values
from apps.ui.i18n import Words
from apps.ui.theme import SERIES
from engine.rag.map import Plane
from engine.rag.values import Chunk

if TYPE_CHECKING:
    import altair as alt

POINTS_MAX = 3000  # that a browser draws at ease
BEGINNING = 120  # characters of a chunk in its tooltip
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
Rows = list[dict[str, Any]]


def points(plane: Plane, ids: Sequence[str], chunks: Mapping[str, Chunk], found: Collection[str], words: Words) -> Rows:
    """One row per chunk, at most POINTS_MAX evenly taken with those `found` among them; the files with most chunks have
    a name of their own, the others are together.
    """
    step = max(1, -(-len(ids) // POINTS_MAX))
    most = {name for name, _ in Counter(chunk.name for chunk in chunks.values()).most_common(len(SERIES) - 1)}
    rows: Rows = []
    for place, key in enumerate(ids):
        chunk = chunks.get(key)
        if chunk is not None and (place % step == 0 or key in found):
            shown = " ".join(chunk.text.split())[:BEGINNING]
            name = chunk.name if chunk.name in most else words.t("documents_map.others")
            x, y = map(float, plane.points[place])
            rows.append({"x": x, "y": y, "file": name, "name": chunk.name, "number": chunk.number + 1, "text": shown,
                         "found": key in found})  # fmt: skip
    return rows


def scatter(rows: Rows, plane: Plane, words: Words) -> Any:
    """The points; those that a question found are ringed, the question itself is a star."""
    import altair as alt

    axis = [words.t("documents_map.axis", number=number, share=100 * share)
            for number, share in enumerate(plane.explained, 1)]  # fmt: skip
    x, y = alt.X("x:Q", title=axis[0], axis=_quiet()), alt.Y("y:Q", title=axis[1], axis=_quiet())
    title = words.t("documents.column.name")
    tips = [alt.Tooltip("name:N", title=title), alt.Tooltip("number:Q", title=words.t("documents_map.number")),
            alt.Tooltip("text:N", title=words.t("documents_map.text"))]  # fmt: skip
    base = alt.Chart(values(rows)).encode(x=x, y=y, tooltip=tips)
    names = list(dict.fromkeys(row["file"] for row in rows))
    colours = alt.Scale(domain=names, range=list(SERIES[: len(names)]))
    shapes = alt.Scale(domain=names, range=list(SHAPES[: len(names)]))
    dots = base.mark_point(filled=True, size=60, opacity=0.75).encode(
        color=alt.Color("file:N", scale=colours, title=title), shape=alt.Shape("file:N", scale=shapes, title=title)
    )
    rings = base.transform_filter("datum.found").mark_point(size=220, strokeWidth=2, color="#D55E00")
    layers = [dots, rings]
    if plane.query is not None:
        here = [{"x": float(plane.query[0]), "y": float(plane.query[1]), "text": "★"}]
        star = alt.Chart(values(here)).mark_text(fontSize=26, color="#D55E00").encode(x=x, y=y, text="text:N")
        layers.append(star)
    return alt.layer(*layers).configure(locale=number_locale(words)).interactive()


def _quiet() -> alt.Axis:
    import altair as alt

    return alt.Axis(labels=False, ticks=False, grid=False)


def points_csv(rows: Rows) -> str:
    """The points as a file."""
    text = io.StringIO()
    writer = csv.DictWriter(text, ("name", "number", "x", "y", "found"), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()
