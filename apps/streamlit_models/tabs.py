"""The tabs of the page: only the one in sight is drawn. Above them, the work that runs and what came of the last."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_kit import guard, plain
from apps.streamlit_models.adding import adding
from apps.streamlit_models.desk import Desk
from apps.streamlit_models.endpoints import endpoints
from apps.streamlit_models.registry import registry
from apps.streamlit_models.running import running
from apps.streamlit_models.server import server
from apps.ui import models as shown
from engine.jobs import OPEN

LOOK_EVERY_S = 1.0
DRAWN: Mapping[shown.Tab, Callable[[Desk], None]] = {
    "models": registry,
    "add": adding,
    "running": running,
    "endpoints": endpoints,
    "server": server,
}


def going(desk: Desk) -> None:
    """The work under way, with the button that ends it."""
    with st.container():  # always there: else the tabs below would move, and be made anew
        job = desk.watched
        if job is not None and job.state in OPEN:
            desk.watch(job)
            st.fragment(_look, run_every=LOOK_EVERY_S)(desk, job.id)
        elif job is not None:
            desk.ended(job)
        desk.show_outcome()


def _look(desk: Desk, job_id: str) -> None:
    """How far it is; the whole page anew at its end."""
    ui = desk.ui
    job = ui.engine.jobs.get(job_id, ui.person.id)
    if job.state not in OPEN:
        desk.ended(job)
        st.rerun()
    with guard(ui):
        told = shown.job_progress(job, ui.words)
        st.progress(told.share or 0.0, plain(told.text))
        st.button(ui.t("models_add.cancel"), icon=":material/stop:", key=desk.key("cancel"),
                  on_click=lambda: ui.engine.jobs.cancel(job_id, ui.person.id))  # fmt: skip


def tabs(desk: Desk) -> None:
    """Registry, orchestration, interface, in the order of the picture."""
    names = shown.tabs(desk.ui.person.role)
    labels = [desk.ui.t(f"models_tab.{name}") for name in names]
    for tab, name in zip(st.tabs(labels, on_change="rerun", key=desk.key("tabs")), names, strict=True):
        if tab.open:
            with tab, guard(desk.ui):
                DRAWN[name](desk)
