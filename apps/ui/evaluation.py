"""An evaluation of retrieval: which configurations are compared, and what came out as rows, charts and files.

Knows no widget and no framework.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import product
from typing import TYPE_CHECKING, Any

from apps.ui.i18n import Words
from apps.ui.theme import OKABE_ITO
from engine.rag.evaluation import MEASURES, Configuration, standard
from engine.rag.retrieval import default
from engine.rag.values import Retrieval, Splitting

if TYPE_CHECKING:
    import altair as alt

Results = Mapping[str, Any]

WAYS = ("default", "vector", "text", "rrf", "anchor", "mine")  # as `standard` names them, and that of the controls
SHOWN = ("recall@1", "recall@5", "mrr", "ndcg@10")
REFUSED = ("refused_off_topic", "refused_unanswerable", "refused_answerable")
PLOTTED = (*MEASURES, *REFUSED)
COLUMNS = ("question", "answer", "document")
CONFIGURATIONS_MAX = 24
ANSWERS_MAX = 75
OVERLAP = 10  # per cent of the size, as in the default


def configurations(
    ways: Sequence[str], cuts: Sequence[Splitting], embedders: Sequence[str], mine: Retrieval
) -> tuple[Configuration, ...]:
    """Every way with every cutting and every embedder; "anchor" has its own cutting, and comes once per embedder."""
    found: dict[str, Configuration] = {}
    for embedder, way in product(embedders, ways):
        known = {one.name: one for one in standard(embedder)}
        known["mine"] = Configuration("mine", embedder, retrieval=_fitting(mine, embedder, embedders))
        for cut in cuts if way != "anchor" else (None,):
            name = " ".join(filter(None, (way, _cut_name(cut, cuts), embedder if len(embedders) > 1 else "")))
            found[name] = replace(known[way], name=name, splitting=cut)
    return tuple(found.values())


def _fitting(mine: Retrieval, embedder: str, embedders: Sequence[str]) -> Retrieval:
    """Another embedder has another scale: a threshold holds for one only. Files of a collection are not in a set."""
    threshold = mine.threshold if len(embedders) == 1 else default(embedder).threshold
    return replace(mine, threshold=threshold, files=())


def _cut_name(cut: Splitting | None, cuts: Sequence[Splitting]) -> str:
    return "" if cut is None or len(cuts) < 2 else f"{cut.kind} {cut.size}/{cut.overlap}"


def label(configuration: Mapping[str, Any], words: Words) -> str:
    """The name of a configuration in words."""
    way, _, rest = str(configuration["name"]).partition(" ")
    key = f"documents_eval.ways.{way}"
    return " · ".join(filter(None, (words.t(key) if words.has(key) else way, rest)))


def head(words: Words) -> tuple[str, ...]:
    """The titles of `rows`."""
    names = (*SHOWN, *REFUSED[:2])
    return (words.t("documents_eval.configuration"), words.t("documents.column.chunks"),
            *(words.t(f"documents_eval.measure.{key_of(name)}") for name in names), "p50", "p95")  # fmt: skip


def rows(results: Results, words: Words) -> list[tuple[str, ...]]:
    """One row per configuration: measures with their 95 % intervals, times of a search in ms."""
    found = []
    for one in results["configurations"]:
        cells = (_interval(one["intervals"].get(name), words) for name in (*SHOWN, *REFUSED[:2]))
        times = (words.t("documents_eval.ms", value=one["milliseconds"][name]) for name in ("p50", "p95"))
        found.append((label(one["configuration"], words), words.number(one["chunks"]), *cells, *times))
    return found


def _interval(value: Mapping[str, float] | None, words: Words) -> str:
    return "" if value is None else words.t("documents_eval.interval", **value)


def answer_head(words: Words) -> tuple[str, ...]:
    """The titles of `answer_rows`."""
    return words.t("documents_eval.judged"), words.t("documents_eval.mean"), words.t("documents_eval.n")


def answer_rows(results: Results, words: Words) -> list[tuple[str, ...]]:
    """One row per measure of a model's answers, with its 95 % interval and the number of answers that it is of; nothing
    where no model was asked.
    """
    told = results.get("answers", {}).get("intervals", {})
    return [
        (words.t(f"documents_eval.answers.{name}"), _interval(value, words), words.number(value["n"]))
        for name, value in told.items()
    ]


def answers_told(results: Results, words: Words) -> str | None:
    """Whose answers they are, and what they say; None where no model was asked."""
    judged = results.get("answers")
    if judged is None:
        return None
    told = words.n("documents_eval.answered", len(judged.get("answers", ())), model=judged["model"])
    return f"{told} {words.t('documents_eval.answers_help')}"


def differences(results: Results, measure: str, words: Words) -> tuple[str, ...]:
    """What the first configuration gains over each other one, in sentences."""
    known = {one["configuration"]["name"]: one["configuration"] for one in results["configurations"]}
    first = label(results["configurations"][0]["configuration"], words)
    found = []
    for name, compared in results["first_minus"].items():
        one = compared[measure]
        told = words.t("documents_eval.difference", first=first, second=label(known[name], words), wins=one["wins"],
                       losses=one["losses"], ties=one["ties"], value=one["difference"]["value"],
                       low=one["difference"]["low"], high=one["difference"]["high"])  # fmt: skip
        found.append(f"{told} {words.t('documents_eval.clear' if one['clear'] else 'documents_eval.unclear')}")
    return tuple(found)


def key_of(measure: str) -> str:
    """The measure's name in the catalogue."""
    return measure.replace("@", "_")


def plotted(results: Results) -> tuple[str, ...]:
    """The measures that these results have."""
    return tuple(name for name in PLOTTED if name in results["intervals"])


def chart(results: Results, measure: str, words: Words) -> Any:
    """One measure of every configuration as a point with its interval, in the order of the table."""
    import altair as alt

    data = [
        {"name": label(one["configuration"], words), **one["intervals"][measure]}
        for one in results["configurations"]
        if measure in one["intervals"]
    ]
    title = words.t(f"documents_eval.measure.{key_of(measure)}")
    names = alt.Y("name:N", sort=None, title=None, axis=alt.Axis(labelLimit=260))
    base = alt.Chart(values(data)).encode(y=names)
    scale = alt.Scale(domain=[0, 1])
    bars = base.mark_rule(color=OKABE_ITO["blue"], strokeWidth=2).encode(
        x=alt.X("low:Q", scale=scale, title=title), x2="high:Q"
    )
    points = base.mark_point(color=OKABE_ITO["blue"], filled=True, size=70).encode(
        x=alt.X("value:Q", scale=scale, title=title),
        tooltip=[alt.Tooltip("name:N", title=words.t("documents_eval.configuration")),
                 *(alt.Tooltip(f"{name}:Q", format=".3f") for name in ("value", "low", "high"))],
    )  # fmt: skip
    return alt.layer(bars, points).configure(locale=number_locale(words))


def values(data: Sequence[Mapping[str, Any]]) -> Any:
    """Rows as a chart's data, in the chart itself."""
    import altair as alt

    return alt.Data(values=list(data))  # type: ignore[no-untyped-call]


def number_locale(words: Words) -> alt.Locale:
    """Numbers of a chart as the reader writes them."""
    import altair as alt

    point, group = words.number(0.5, 1)[1], words.number(1000)[1]
    return alt.Locale(number=alt.NumberLocale(decimal=point, thousands=group, grouping=[3], currency=["", ""]))


def chart_text(results: Results, measure: str, words: Words) -> str:
    """The chart as a sentence."""
    parts = [
        f"{label(one['configuration'], words)} {_interval(one['intervals'].get(measure), words)}"
        for one in results["configurations"]
    ]
    return f"{words.t(f'documents_eval.measure.{key_of(measure)}')} · {' · '.join(parts)}"


def results_csv(results: Results) -> str:
    """One line per configuration and measure."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(("configuration", "chunks", "measure", "value", "low", "high", "n"))
    for one in results["configurations"]:
        for name, value in one["intervals"].items():
            cells = (value[part] for part in ("value", "low", "high", "n"))
            writer.writerow((one["configuration"]["name"], one["chunks"], name, *cells))
    return text.getvalue()


def results_json(results: Results) -> str:
    """All of it."""
    return json.dumps(results, ensure_ascii=False, indent=1)


def overlap(size: int) -> int:
    """The overlap of a cutting of that size in a sweep: that of the default, elsewhere the same share."""
    usual = Splitting()
    return usual.overlap if size == usual.size else round(size * OVERLAP / 100)


def written(text: str) -> list[dict[str, str]]:
    """Questions as they are written in a text field: question | answer | file, one a line."""
    lines = csv.reader(io.StringIO(text), delimiter="|", quoting=csv.QUOTE_NONE)
    return [dict(zip(COLUMNS, (cell.strip() for cell in line), strict=False)) for line in lines]


def questions_csv(lines: Iterable[Mapping[str, Any]]) -> bytes:
    """Questions that were written in the page as a file of questions; empty lines are left out."""
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, extrasaction="ignore")
    writer.writeheader()
    for line in lines:
        cells = {name: str(line.get(name) or "").strip() for name in COLUMNS}
        if cells["question"]:
            writer.writerow(cells)
    return text.getvalue().encode()
