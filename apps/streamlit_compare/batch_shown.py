"""What came of a batch: models, answers with filters, a table by question, a picture, files."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import plain, table
from apps.ui import batch
from apps.ui.batch import Opened
from engine.compare.batch_results import FILTERS, Filter, Line, filtered, pivot


def shown(desk: Desk, one: Opened) -> None:
    """Everything of the batch in sight."""
    if not one.lines:
        return
    t, words = desk.ui.t, desk.ui.words
    st.markdown(f"**{t('compare_batch.by_model')}**")
    table(batch.models_head(words), batch.models_rows(one.lines, words))
    _answers(desk, one)
    _measured(desk, one)
    with st.container(horizontal=True):
        for form, mime in batch.FILES.items():
            st.download_button(form.upper(), lambda form=form: batch.file(form, one.lines), f"batch.{form}", mime,
                               type="tertiary", icon=":material/download:", on_click="ignore",
                               key=desk.key(f"batch.save.{form}"))  # fmt: skip


def _answers(desk: Desk, one: Opened) -> None:
    """The grid, of all answers or of those that differ or failed."""
    t, words = desk.ui.t, desk.ui.words
    with st.container(horizontal=True, vertical_alignment="bottom"):
        which = st.segmented_control(t("compare_batch.filter"), FILTERS, default="all", required=True,
                                     format_func=lambda name: t(f"compare_batch.filters.{name}"),
                                     key=desk.key("batch.filter"), persist_state="session")  # fmt: skip
        model = st.selectbox(t("compare_batch.only"), [None, *one.saved.batch.models], key=desk.key("batch.only"),
                             format_func=lambda name: name or t("compare_batch.all_models"), width=260)  # fmt: skip
    lines = filtered(one.lines, _filter(which), model)
    if not lines:
        st.caption(t("compare_batch.nothing"))
        return
    table(batch.answers_head(words), batch.answers_rows(lines, words))
    _cut(desk, lines)


def _filter(which: str | None) -> Filter:
    return next((one for one in FILTERS if one == which), "all")


def _cut(desk: Desk, lines: tuple[Line, ...]) -> None:
    if len(lines) > batch.SHOWN:
        st.caption(desk.ui.t("compare_batch.shown", shown=batch.SHOWN, count=len(lines)))


def _measured(desk: Desk, one: Opened) -> None:
    """A measure by question and model, and as a picture."""
    t, words = desk.ui.t, desk.ui.words
    known = batch.measures(words)
    said = st.selectbox(t("compare_batch.measure_chooser"), list(known), key=desk.key("batch.measure"), width=260,
                        persist_state="session")  # fmt: skip
    measure = known[said or next(iter(known))]
    drawn = batch.chart(one.lines, measure, words)
    if drawn is not None:
        st.altair_chart(drawn, height=80 + 40 * len(one.saved.batch.models),
                        alt=batch.chart_text(one.lines, measure, words))  # fmt: skip
    with st.expander(plain(t("compare_batch.pivot"))):
        found = pivot(one.lines, measure)
        table(batch.pivot_head(found, words), batch.pivot_rows(found, measure, words))
