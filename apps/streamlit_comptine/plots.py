"""What a sweep says: pictures with their data to download, effective context, table, two settings compared."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_kit import guard, table
from apps.ui import comptine
from apps.ui.i18n import Words
from engine.comptine import chart_data as data
from engine.comptine.cell import CellResult
from engine.comptine.charts import CHART_ROWS, CHARTS, to_png, to_svg
from engine.comptine.summary import RATES, by_curve, compare, summary

Results = Sequence[CellResult]
LIVE = ("heat_map", "accuracy")
TABLE = "table"
COLUMNS = ("verses", "prompt_tokens", "n", "strict", "normalized", "obedience")
RIBBONS = ("accuracy", "survival")  # what shows intervals


def live(desk: Desk, results: Results) -> None:
    """Heat map and curve of what is there so far."""
    if not any(result.score is not None for result in results):
        return
    for place, name in zip(st.columns(2), LIVE, strict=True):
        with place:
            _chart(desk, results, name, "live")


def plots(desk: Desk, results: Results, name: str) -> None:
    """One picture or the table, chosen; files; effective context; the comparison. `name` is that of the files."""
    if not results:
        return
    t = desk.ui.t
    views = (*CHARTS, TABLE)
    view = st.segmented_control(
        t("comptine_sweep.image"), views, default=views[0], required=True, key=desk.key("view"),
        format_func=lambda one: t(f"comptine_sweep.{one}"), label_visibility="collapsed",
    )  # fmt: skip
    view = view or views[0]
    with guard(desk.ui):
        if view == TABLE:
            _table(desk, results)
        else:
            about = t("glossary.interval.text") if view in RIBBONS else None
            st.caption(t(f"comptine_sweep.{view}_help"), help=about)
            _chart(desk, results, view, "chosen")
        _files(desk, results, view, name)
        _effective(desk, results)
        _compare(desk, results)


def _chart(desk: Desk, results: Results, name: str, where: str) -> None:
    words, t = desk.ui.words, desk.ui.t
    depth = name == "heat_map" and where == "chosen" and st.toggle(t("comptine_sweep.depth"), key=desk.key("depth"))
    made = drawn(results, name, words, depth=depth)
    st.altair_chart(made, alt=f"{t(f'comptine_sweep.{name}')}. {t(f'comptine_sweep.{name}_help')}", theme="streamlit",
                    width="stretch", key=desk.key(f"{where}.{name}"))  # fmt: skip


def drawn(results: Results, name: str, words: Words, *, depth: bool = False) -> Any:
    """The Altair chart of that name in the reader's language."""
    options: dict[str, Any] = {"depth": True} if depth else {}
    return CHARTS[name](results, comptine.chart_words(words), **options)


def _files(desk: Desk, results: Results, view: str, name: str) -> None:
    """The data and the picture in sight, made when they are asked for."""
    words = desk.ui.words
    rows = CHART_ROWS.get(view, data.table)
    files: dict[str, tuple[str, Callable[[], Any]]] = {
        "csv": ("text/csv", lambda: data.to_csv(rows(results))),
        "json": ("application/json", lambda: data.to_json(rows(results))),
    }
    if view in CHARTS:
        depth = bool(desk.get("depth")) and view == "heat_map"
        files |= {
            "svg": ("image/svg+xml", lambda: to_svg(drawn(results, view, words, depth=depth))),
            "png": ("image/png", lambda: to_png(drawn(results, view, words, depth=depth))),
        }
    with st.container(horizontal=True):
        for kind, (mime, make) in files.items():
            st.download_button(kind.upper(), make, f"comptine-{view}-{name}.{kind}", mime, type="tertiary",
                               icon=":material/download:", on_click="ignore", key=desk.key(f"file.{kind}"))  # fmt: skip


def _table(desk: Desk, results: Results) -> None:
    """One row per setting, with what differs between them first."""
    words, say = desk.ui.words, comptine.chart_words(desk.ui.words)
    names = (*(name for name in data.varying(results) if name not in COLUMNS), *COLUMNS)
    rows = summary(results)["rows"]
    st.caption(desk.ui.t("glossary.interval.name"), help=desk.ui.t("glossary.interval.text"))
    table((say.get(name, name) for name in names), ([_value(row[name], words, say) for name in names] for row in rows))


def _value(value: Any, words: Words, say: Mapping[str, str]) -> str:
    if isinstance(value, dict):
        return words.t("comptine_sweep.interval", **value)
    if value is None or isinstance(value, int | float):
        return words.number(value)
    return say.get(str(value), str(value))


def _effective(desk: Desk, results: Results) -> None:
    """By both definitions, with the sure lower bound, for each curve."""
    t, words = desk.ui.t, desk.ui.words
    st.markdown(f"**{t('comptine_sweep.effective')}**", help=t("glossary.effective_context.text"))
    for label, told in zip(labels(results, words), summary(results)["effective"], strict=True):
        known = {name: told[name] for name in ("relative", "absolute") if told[name]}
        lines = [
            t(f"comptine_sweep.{name}", tokens=_reach(found, "tokens", words),
              conservative=_reach(found, "conservative", words))
            for name, found in known.items()
        ]  # fmt: skip
        if label:
            st.caption(label)
        st.markdown("\n".join(f"- {line}" for line in lines) or t("comptine_sweep.no_effective"))


def _reach(found: Mapping[str, Any], part: str, words: Words) -> str:
    if found[part] is None:
        return words.t("comptine_sweep.below", tokens=found["shortest"])
    beyond = part == "tokens" and found["reached_end"]
    return words.t("comptine_sweep.beyond", tokens=found[part]) if beyond else words.number(found[part])


def labels(results: Results, words: Words) -> list[str]:
    """What tells each curve from the others; "" for the only one."""
    say, names = comptine.chart_words(words), data.varying(results)

    def named(row: Mapping[str, Any]) -> str:
        return " · ".join(f"{say.get(name, name)} {say.get(str(row[name]), str(row[name]))}" for name in names)

    return [named(data.factors_of(group[0])) for group in by_curve(results)]


def _compare(desk: Desk, results: Results) -> None:
    """Two settings on the same seeds."""
    t, words = desk.ui.t, desk.ui.words
    curves = dict(zip(labels(results, words), by_curve(results), strict=True))
    with st.expander(t("comptine_sweep.compare")):
        if len(curves) < 2:
            st.caption(t("comptine_sweep.compare_none"))
            return
        names = list(curves)
        first = st.selectbox(t("comptine_sweep.compare_first"), names, key=desk.key("compare.first"))
        second = st.selectbox(t("comptine_sweep.compare_second"), names, 1, key=desk.key("compare.second"))
        metric = st.selectbox(t("comptine_sweep.compare_metric"), (*RATES, "obedience"), key=desk.key("compare.metric"),
                              format_func=lambda name: t(f"comptine.metric_name.{name}"))  # fmt: skip
        if first == second:
            st.caption(t("comptine_sweep.compare_none"))
            return
        with guard(desk.ui):
            found = compare(curves[first], curves[second], metric)
            numbers = found.difference
            st.markdown(t("comptine_sweep.compare_text", value=numbers.value, low=numbers.low, high=numbers.high,
                          n=numbers.n, wins=found.wins, losses=found.losses, ties=found.ties))  # fmt: skip
            st.caption(t(f"comptine_sweep.compare_{'clear' if found.clear else 'unclear'}"))
