"""What came out: a table, a picture, its card and its files, the same way in every tab."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_components import coloured_strip
from apps.streamlit_kit import guard, plain, table
from apps.streamlit_quality.desk import Desk
from apps.ui import quality, quality_charts, quality_tables
from apps.ui.quality import Result, label
from engine.quality.results import Kept, Kind


def shown(desk: Desk, kind: Kind) -> None:
    """The result that was chosen, the latest at first."""
    t, known = desk.ui.t, desk.kept(kind)
    if not known:
        st.caption(t("quality.none"))
        return
    name = next(iter(known))
    if len(known) > 1:
        newest = name  # a new result comes into sight: another default is another widget
        name = st.selectbox(t("quality.earlier"), list(known), format_func=lambda one: label(known[one]),
                            key=desk.key(f"shown.{kind}.{newest}"))  # fmt: skip
    with guard(desk.ui):
        result = desk.result(kind, name)
        DRAWN[kind](desk, result, {other: one for other, one in known.items() if other != name})
        _below(desk, kind, result)


def _text(desk: Desk, result: Result, _: Mapping[str, Kept]) -> None:
    words = desk.ui.words
    table((words.t("quality.name"), words.t("quality.value"), words.t("quality.meaning")),
          quality.text_rows(result, words))  # fmt: skip
    for note in quality.text_notes(result, words):
        st.caption(plain(note))
    data = quality.strip_data(result, words)
    if data is not None:
        coloured_strip(data, desk.key("strip"))


def _kinds(desk: Desk, result: Result, _: Mapping[str, Kept]) -> None:
    t, words = desk.ui.t, desk.ui.words
    table(quality_tables.kinds_head(words), quality_tables.kinds_rows(result, words))
    st.caption(t("quality_kinds.help"))
    measure = st.segmented_control(t("quality_kinds.measure"), quality_charts.MEASURES, default="perplexity",
                                   required=True, key=desk.key("measure"),
                                   format_func=lambda one: t(f"quality_kinds.measures.{one}"))  # fmt: skip
    wanted = measure or "perplexity"
    st.altair_chart(quality_charts.scatter(result, wanted, words),
                    alt=quality_charts.scatter_text(result, wanted, words))  # fmt: skip


def _speed(desk: Desk, result: Result, others: Mapping[str, Kept]) -> None:
    t, words = desk.ui.t, desk.ui.words
    table(quality_tables.speed_head(words), quality_tables.speed_rows(result, words))
    st.caption(t("quality_speed.help"))
    st.altair_chart(quality_charts.speed_chart(result, words), height=80 + 36 * len(result["rows"]),
                    alt=quality_charts.speed_text(result, words))  # fmt: skip
    before = _other(desk, "speed", others, "quality_speed")
    if before is not None:
        table(quality_tables.ratio_head(words), quality_tables.ratio_rows(before, result, words))


def _questions(desk: Desk, result: Result, others: Mapping[str, Kept]) -> None:
    t, words = desk.ui.t, desk.ui.words
    table(quality_tables.marks_head(words), quality_tables.marks_rows(result, words))
    for note in quality_tables.marks_notes(result, words):
        st.caption(plain(note))
    with st.expander(t("quality_questions.details")):
        table(quality_tables.items_head(words), quality_tables.items_rows(result, words))
    before = _other(desk, "evaluation", others, "quality_questions")
    for line in quality_tables.compared_lines(result, before, words) if before is not None else ():
        st.markdown(f"- {plain(line)}")


def _other(desk: Desk, kind: Kind, others: Mapping[str, Kept], words: str) -> Result | None:
    """The result to compare with, once one is chosen."""
    if not others:
        return None
    help_ = desk.ui.t("quality_speed.compare_help") if kind == "speed" else None
    name = st.selectbox(desk.ui.t(f"{words}.compare"), list(others), None, key=desk.key(f"before.{kind}"), help=help_,
                        format_func=lambda one: label(others[one]))  # fmt: skip
    return None if name is None else desk.result(kind, name)


DRAWN: Mapping[Kind, Callable[[Desk, Result, Mapping[str, Kept]], None]] = {
    "perplexity": _text,
    "quantizations": _kinds,
    "speed": _speed,
    "evaluation": _questions,
}


def _below(desk: Desk, kind: Kind, result: Result) -> None:
    """The card in a line, the files, the whole card folded."""
    t = desk.ui.t
    st.caption(plain(quality.card_line(result, desk.ui.words)))
    with st.container(horizontal=True):
        for form, mime in (("json", "application/json"), ("csv", "text/csv")):
            st.download_button(form.upper(), quality.file(kind, form, result), f"{kind}.{form}", mime, type="tertiary",
                               icon=":material/download:", on_click="ignore",
                               key=desk.key(f"save.{kind}.{form}"))  # fmt: skip
    with st.expander(t("quality.card")):
        st.caption(t("quality.runtime_help"))
        st.code(quality.cards_json(result), language="json", wrap_lines=True)
