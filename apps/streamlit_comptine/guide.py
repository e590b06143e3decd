"""The two ways in: the experiments of the course sheet one after the other, or measuring, with three examples."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_comptine.desk import FOLDED, Desk
from apps.streamlit_kit import plain
from engine.comptine.cell import Cell
from engine.comptine.guided import Step, steps

WAYS = ("sheet", "measured")
EXAMPLES = {
    "short": Cell(10, 1, 5, variant="names", seed=1),
    "long": Cell(30, 1, 10, variant="names", seed=1),
    "intruder": Cell(20, kind="intruder", variant="intruder", seed=1),
}


def guide(desk: Desk) -> None:
    """The chooser of the way, and what it offers; a click runs it, which folds it: what comes is further down."""
    t = desk.ui.t
    st.segmented_control(
        t("comptine.ways"), WAYS, key=desk.bound("way", desk.way),
        format_func=lambda name: t(f"comptine.way_{name}"), label_visibility="collapsed", on_change=_chosen,
        args=(desk,),
    )  # fmt: skip
    if desk.way == "sheet":
        _sheet(desk)
    elif desk.way == "measured":
        _measured(desk)


def _chosen(desk: Desk) -> None:
    if desk.touched("way"):
        desk.set("way", st.session_state[desk.key("box.way")] or FOLDED)


def _measured(desk: Desk) -> None:
    t = desk.ui.t
    st.caption(t("comptine.way_measured_help"))
    st.markdown(t("comptine.unmeasured"))
    with st.container(horizontal=True):
        for name, cell in EXAMPLES.items():
            _button(desk, cell, f"comptine.example.{name}")


def _sheet(desk: Desk) -> None:
    """The three experiments as tabs, in the sheet's order."""
    t, known = desk.ui.t, steps()
    st.caption(f"{t('comptine.way_sheet_help')} {t('comptine.origin')}")
    for tab, one in zip(st.tabs([t(f"comptine.step.{one.id}") for one in known]), known, strict=True):
        with tab:
            _experiment(desk, one)


def _experiment(desk: Desk, one: Step) -> None:
    t = desk.ui.t
    st.markdown(t(f"comptine.step.{one.id}_text"))
    with st.container(horizontal=True):
        for name, cell in one.readings.items():
            _button(desk, cell, f"comptine.reading.{name}", of=one.id)
    if one.observed or one.hypotheses:
        with st.expander(t("comptine.hypotheses")):
            st.caption(plain(t("comptine.observed", text=one.observed)))
            with st.container(horizontal=True):
                for name, cell in one.hypotheses.items():
                    _button(desk, cell, f"comptine.reading.{name}", of=one.id)


def _button(desk: Desk, cell: Cell, text: str, of: str = "") -> None:
    st.button(desk.ui.t(text), icon=":material/play_arrow:", on_click=_go, args=(desk, cell), disabled=desk.busy,
              key=desk.key(f"go.{of}.{text}"))  # fmt: skip


def _go(desk: Desk, cell: Cell) -> None:
    desk.show(cell)
    desk.start()
