"""The results of an evaluation: a table with intervals, one measure as a plot, differences in words, the files."""

from __future__ import annotations

import time
from collections.abc import Mapping

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import plain, show_error, table
from apps.ui.evaluation import (
    Results,
    answer_head,
    answer_rows,
    answers_told,
    chart,
    chart_text,
    differences,
    head,
    key_of,
    plotted,
    results_csv,
    results_json,
    rows,
)
from engine.errors import error_from
from engine.jobs import Job
from engine.rag.evaluation import MEASURES


def measured(desk: Desk, done: Mapping[str, Job]) -> None:
    """The evaluation that was chosen, the latest at first."""
    t, words = desk.ui.t, desk.ui.words
    chosen = next(iter(done))
    if len(done) > 1:
        chosen = st.selectbox(t("documents_eval.earlier"), list(done), format_func=lambda key: _told(desk, done[key]),
                              key=desk.key("eval.shown"))  # fmt: skip
    results = done[chosen].result
    st.caption(words.n("documents_eval.questions", results["questions"]))
    table(head(words), rows(results, words))
    st.caption(t("documents_eval.intervals"))
    known = plotted(results)
    measure = st.selectbox(t("documents_eval.plot"), known, key=desk.key("eval.measure"),
                           format_func=lambda name: t(f"documents_eval.measure.{key_of(name)}"))  # fmt: skip
    if measure is not None:
        st.altair_chart(chart(results, measure, words), height=80 + 36 * len(results["configurations"]),
                        alt=chart_text(results, measure, words))  # fmt: skip
    if measure in MEASURES:
        for told in differences(results, measure, words):
            st.markdown(f"- {plain(told)}")
    _answers(desk, results)
    with st.container(horizontal=True):
        for name, text, kind in (("csv", results_csv(results), "text/csv"),
                                 ("json", results_json(results), "application/json")):  # fmt: skip
            st.download_button(name.upper(), text, f"evaluation.{name}", kind, icon=":material/download:",
                               type="tertiary", on_click="ignore", key=desk.key(f"eval.{name}"))  # fmt: skip


def _answers(desk: Desk, results: Results) -> None:
    """How well a model answered, where one was asked; what ended it too early."""
    words = desk.ui.words
    told, rows_ = answers_told(results, words), answer_rows(results, words)
    if told is None:
        return
    if rows_:
        table(answer_head(words), rows_)
        st.caption(plain(told))
    if error := results["answers"].get("error"):
        show_error(desk.ui, error_from(error))


def _told(desk: Desk, job: Job) -> str:
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
    count = desk.ui.words.n("documents_eval.count", len(job.result["configurations"]))
    return " · ".join((when, desk.ui.words.n("documents_eval.questions", job.result["questions"]), count))
