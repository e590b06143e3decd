"""Orchestration: which models are loaded and how busy they are, who waits, heavy work, the runtime behind it all."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import guard, plain, table
from apps.streamlit_models.desk import Desk
from apps.streamlit_models.registry import unload
from apps.streamlit_models.slots import choosing
from apps.ui import models as shown
from engine.capacity import measure
from engine.jobs import OPEN
from engine.ps import Loaded, loaded

LOOK_EVERY_S = 2.0


def running(desk: Desk) -> None:
    """What changes by itself in a part of its own, drawn anew every two seconds."""
    st.fragment(_live, run_every=LOOK_EVERY_S)(desk)
    _unloading(desk)
    with st.expander(desk.ui.t("models_running.runtime"), icon=":material/memory:", on_change="rerun",
                     key=desk.key("runtime")) as box:  # fmt: skip
        if box.open:
            with guard(desk.ui):
                _runtime(desk)


def _live(desk: Desk) -> None:
    ui, words = desk.ui, desk.ui.words
    with guard(ui):
        found = loaded(ui.engine)
        if found:
            table(shown.loaded_head(words), shown.loaded_rows(found, words))
        else:
            st.caption(ui.t("models_running.none"))
        for one in found:
            st.caption(plain(f"{one.id}{ui.t('models_running.says')} {shown.carried(ui.engine, one.id, words)}"))
        if desk.teacher:
            _teachers(desk, found)


def _teachers(desk: Desk, found: tuple[Loaded, ...]) -> None:
    """Room on the machine, who waits for what, whose heavy work is open."""
    ui, words = desk.ui, desk.ui.words
    for line in shown.room_lines(shown.room(ui.engine, desk.cards.values()), words):
        st.caption(plain(line))
    names = {person.id: person.nickname for person in ui.engine.people.all()}
    waiting = shown.waiting_rows(ui.engine, found, names, words)
    jobs = shown.job_rows(ui.engine.jobs.list(None, OPEN), names, words)
    st.markdown(f"**{ui.t('models_running.who')}**")
    if waiting:
        table(shown.waiting_head(words), waiting)
    else:
        st.caption(ui.t("models_running.nobody"))
    st.markdown(f"**{ui.t('models_running.jobs')}**")
    if jobs:
        table(shown.job_head(words), jobs)
    else:
        st.caption(ui.t("models_running.no_jobs"))


def _unloading(desk: Desk) -> None:
    """Give the memory of one back, or see how many people it carries."""
    t, names = desk.ui.t, [one.id for one in loaded(desk.ui.engine)] if desk.teacher else []
    if names:
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(t("models_running.choose"), names, key=desk.key("running"), width=320)
            st.button(
                t("models_running.unload"),
                help=t("models.unload_help"),
                icon=":material/eject:",
                key=desk.key("running.unload"),
                on_click=desk.teach,
                args=(lambda now: unload(now, str(now.get("running"))),),
            )
            pressed = st.button(t("models_card.measure"), help=t("models_card.measure_help"), icon=":material/speed:",
                                key=desk.key("running.measure"))  # fmt: skip
        if pressed:
            with st.spinner(t("models_card.measuring")):
                desk.teach(_measure)
            st.rerun()


def _measure(desk: Desk) -> None:
    measure(desk.ui.engine, str(desk.get("running")))


def _runtime(desk: Desk) -> None:
    ui = desk.ui
    table((ui.t("models_card.fact"), ui.t("models_card.value")), shown.runtime_rows(ui.engine, ui.words))
    st.caption(ui.t("models_runtime.no_choice"))
    if desk.teacher:
        choosing(desk)
    runtime = ui.engine.loaded(ui.card.id)
    if desk.teacher and runtime is not None:
        st.markdown(f"**{ui.t('models_runtime.log')}**")
        st.code("\n".join(runtime.log()), language=None, height=240, wrap_lines=True)
