"""The text whose continuation is looked at, and how the model reads it; three examples where there is none."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_sampling.desk import Desk
from apps.ui.sampling import EXAMPLES, WAYS

LONGEST = 60_000  # characters; what is too long for the window is refused with the numbers


def prompt(desk: Desk) -> None:
    """The text: folded once something is explored."""
    t, exploration = desk.ui.t, desk.exploration
    if exploration is None:
        _form(desk)
        with st.container(horizontal=True):
            for name in EXAMPLES:
                text = t(f"sampling.example.{name}")
                st.button(text, icon=":material/play_arrow:", key=desk.key(f"example.{name}"), on_click=_example,
                          args=(desk, text), help=t("sampling.example_help"))  # fmt: skip
    else:
        with st.expander(t("sampling.new"), icon=":material/edit:"):
            _form(desk)


def _form(desk: Desk) -> None:
    t = desk.ui.t
    st.text_area(t("sampling.prompt"), key=_text(desk), height=90, max_chars=LONGEST)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.segmented_control(
            t("sampling.way"), WAYS, key=desk.bound("way", desk.values["way"]), on_change=desk.changed, args=("way",),
            format_func=lambda name: t(f"sampling.{name}"), required=True, help=t("sampling.way_help"),
        )  # fmt: skip
        st.button(t("sampling.look"), type="primary", icon=":material/search:", on_click=_look, args=(desk,),
                  key=desk.key("look"))  # fmt: skip


def _text(desk: Desk) -> str:
    """The key of the text's field; it holds what was typed also when it was not drawn for a while."""
    key = desk.key("text")
    if key not in st.session_state:  # what a person is typing is never written over
        st.session_state[key] = desk.get("typed", "")
    desk.set("typed", st.session_state[key])
    return key


def _example(desk: Desk, text: str) -> None:
    st.session_state[desk.key("text")] = text
    _look(desk)


def _look(desk: Desk) -> None:
    text = str(st.session_state[desk.key("text")])
    desk.set("typed", text)
    if text.strip():
        desk.want("look", text=text, way=desk.values["way"])
