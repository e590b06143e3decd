"""The steps of the page, one under the other: all in sight, the current one open."""

from __future__ import annotations

from collections.abc import Callable

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_kit import guard

Draw = Callable[[Desk], None]
# Answer and verses stand beside each other; a page that calls set_page_config would be drawn narrow first
WIDE = """<style>.stMainBlockContainer{max-width:76rem}</style>"""


def wide() -> None:
    """Give the page more room than a text needs."""
    st.html(WIDE)


def step(desk: Desk, name: str, draw: Draw, told: str = "", following: str | None = None) -> None:
    """One step: its name, what it holds in a few words while it is closed, its controls while it is open."""
    ui, is_open = desk.ui, desk.step == name
    with st.container(border=True):
        with st.container(horizontal=True, vertical_alignment="center"):
            icon = ":material/expand_more:" if is_open else ":material/chevron_right:"
            st.button(f"**{ui.t(f'comptine.step_{name}')}**", icon=icon, type="tertiary", key=desk.key(f"open.{name}"),
                      on_click=desk.set, args=("step", name))  # fmt: skip
            if not is_open and told:
                st.caption(told, width="content")
        if not is_open:
            return
        with guard(ui):
            draw(desk)
        if following:
            st.button(ui.t("comptine.next"), icon=":material/arrow_downward:", key=desk.key("next"),
                      on_click=desk.set, args=("step", following))  # fmt: skip
