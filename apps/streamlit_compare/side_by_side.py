"""The tab Side by side: one question to all columns, their answers as they come, what they differ in, the report."""

from __future__ import annotations

import time

import streamlit as st

from apps.streamlit_compare.columns import Place, blank, columns, draw
from apps.streamlit_compare.desk import Desk
from apps.streamlit_compare.drawer import drawer
from apps.streamlit_compare.under import under
from apps.streamlit_kit import guard, plain
from apps.ui import compare
from apps.ui.compare_figures import figures
from engine.compare.side import QUESTION_MAX, SIDES_MAX

LOOK_EVERY_S = 0.1


def show(desk: Desk) -> None:
    """Question, columns, what stands under them; then the answers under way are drawn to their end."""
    _head(desk)
    places: dict[int, Place] = {}
    with guard(desk.ui):
        places = columns(desk)
        under(desk)
        drawer(desk)
    _prefill(desk)
    with st.bottom:
        st.chat_input(desk.ui.t("compare.input"), key=desk.key("input"), submit_mode="disable", max_chars=QUESTION_MAX,
                      on_submit=_sent, args=(desk,))  # fmt: skip
    desk.write_address()
    follow(desk, places)


def _prefill(desk: Desk) -> None:
    """What could not be sent stays in the input; a link may fill it, but never sends."""
    link = st.query_params.pop("prompt", None) if "prompt" in st.query_params else None
    draft = link or desk.get("draft")
    if draft:
        st.session_state[desk.key("input")] = draft
        desk.set("draft", None)


def _sent(desk: Desk) -> None:
    desk.ask(str(st.session_state[desk.key("input")] or ""))


def _head(desk: Desk) -> None:
    """The examples, or what was asked; what can be done with all columns at once."""
    t = desk.ui.t
    asked = desk.run is not None and desk.run.turns
    if asked:
        st.markdown(f"**{plain(compare.beginning(asked[-1].question))}**")
        st.caption("" if desk.fits else t("compare.new_columns"))
    else:
        st.markdown(t("compare.empty"))
        _examples(desk)
    with st.container(horizontal=True, key=desk.key("all")):
        st.button(t("compare.add"), icon=":material/add_column_right:", type="tertiary", help=t("compare.add_help"),
                  key=desk.key("add"), on_click=_add, args=(desk,),
                  disabled=desk.running or len(desk.settings) >= SIDES_MAX)  # fmt: skip
        if desk.running:
            st.button(t("compare.stop_all"), icon=":material/stop_circle:", type="primary", key=desk.key("stop"),
                      on_click=desk.stop)  # fmt: skip
        elif desk.run is not None:
            st.button(t("compare.restart"), icon=":material/restart_alt:", type="tertiary", on_click=desk.restart,
                      help=t("compare.restart_help"), key=desk.key("restart"))  # fmt: skip
    with st.container():
        desk.show_failure()
        blank(2)  # the alert and its details of the run before


def _add(desk: Desk) -> None:
    desk.hold(compare.added(desk.settings))


def _examples(desk: Desk) -> None:
    t = desk.ui.t
    with st.container(horizontal=True):
        for name in compare.examples(tuple(desk.recorded)):
            st.button(t(f"compare.example.{name}"), key=desk.key(f"example.{name}"), on_click=desk.example,
                      args=(name,))  # fmt: skip


def follow(desk: Desk, places: dict[int, Place]) -> None:
    """Draw the answers under way; once one has ended, the page anew with what stands under it."""
    if not places or desk.run is None:
        return
    while True:
        views = desk.run.views()
        rows = figures(views, desk.ui.words)
        for number, place in places.items():
            draw(desk, place, views[number], rows[number])
        if any(views[number].status == "done" for number in places):
            break
        time.sleep(LOOK_EVERY_S)
    st.rerun()
