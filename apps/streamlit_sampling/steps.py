"""The buttons that write the next token, ten of them, take one back, or draw many times."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_sampling.desk import Desk
from apps.streamlit_sampling.settings import order
from apps.streamlit_sampling.working import TOKENS


def steps(desk: Desk) -> None:
    """Four buttons, and the order beside them."""
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="center"):
        st.button(t("sampling.step"), icon=":material/play_arrow:", type="primary", on_click=_run, args=(desk, 1),
                  help=t("sampling.step_help"), key=desk.key("step"))  # fmt: skip
        st.button(t("sampling.run"), icon=":material/fast_forward:", on_click=_run, args=(desk, TOKENS),
                  help=t("sampling.run_help"), key=desk.key("run"))  # fmt: skip
        st.button(t("sampling.back"), icon=":material/undo:", on_click=_back, args=(desk,),
                  help=t("sampling.back_help"), key=desk.key("back"))  # fmt: skip
        st.button(t("sampling.draw"), icon=":material/casino:", on_click=_draw, args=(desk,),
                  help=t("sampling.draw_help"), key=desk.key("draw"))  # fmt: skip
        order(desk)


def _run(desk: Desk, tokens: int) -> None:
    desk.want("run", tokens=tokens, left=tokens)


def _back(desk: Desk) -> None:
    desk = desk.fresh
    desk.failed(None)
    if desk.exploration is not None:
        desk.keep(desk.exploration.back())


def _draw(desk: Desk) -> None:
    desk.set("drawn", None if desk.get("drawn") else True)
