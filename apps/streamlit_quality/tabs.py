"""The four tabs: only the one in sight is drawn. Above them, the measurement that runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_kit import guard, plain
from apps.streamlit_quality import forms
from apps.streamlit_quality.desk import Desk
from apps.streamlit_quality.shown import shown
from apps.ui.quality import TABS, progress
from engine.jobs import OPEN
from engine.quality.results import Kind

LOOK_EVERY_S = 1.0
FORMS: Mapping[Kind, Callable[[Desk], None]] = {
    "perplexity": forms.text,
    "quantizations": forms.kinds,
    "speed": forms.speed,
    "evaluation": forms.questions,
}


def going(desk: Desk) -> None:
    """The measurement under way, with the button that ends it."""
    desk.collect()
    with st.container():  # always there: else the tabs below would move, and be made anew
        if desk.job is not None:
            st.fragment(_look, run_every=LOOK_EVERY_S)(desk, desk.job.id)
        desk.show_failure()


def _look(desk: Desk, job_id: str) -> None:
    """How far it is; the whole page anew at its end."""
    ui = desk.ui
    job = ui.engine.jobs.get(job_id, ui.person.id)
    if job.state not in OPEN:
        desk.ended(job)
        st.rerun()
    with guard(ui):
        told = progress(job, ui.words)
        st.progress(told.share or 0.0, plain(told.text))
        st.button(ui.t("quality.cancel"), icon=":material/stop:", key=desk.key("cancel"),
                  on_click=desk.cancel, args=(job.id,))  # fmt: skip


def tabs(desk: Desk) -> None:
    """Form, then what is kept."""
    labels = {desk.ui.t(f"quality.tab.{name}"): name for name in TABS}
    for tab, name in zip(st.tabs(list(labels), on_change="rerun", key=desk.key("tabs")), TABS, strict=True):
        if tab.open:
            with tab, guard(desk.ui):
                FORMS[name](desk)
                shown(desk, name)
