"""What is shown of the place where one stands: the waterfall, two settings, a grid. Only the tab in sight is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_kit import guard
from apps.streamlit_sampling.desk import Desk
from apps.streamlit_sampling.settings import settings
from apps.streamlit_sampling.shown import shown
from apps.streamlit_sampling.squares import squares
from apps.streamlit_sampling.steps import steps
from apps.streamlit_sampling.two import two
from apps.streamlit_sampling.under import under
from apps.streamlit_sampling.written import written

DRAWN: Mapping[str, Callable[[Desk], None]] = {"waterfall": shown, "two": two, "grid": squares}


def tabs(desk: Desk) -> None:
    """Settings and buttons, then what is known of the next token; nothing without a text."""
    if desk.exploration is None:
        return
    settings(desk)
    steps(desk)
    if desk.opened is None:
        with st.spinner(desk.ui.t("sampling.reading")):
            desk.open()
    _tabs(desk)
    with guard(desk.ui):
        written(desk)
        under(desk)


def _tabs(desk: Desk) -> None:
    t = desk.ui.t
    labels = [t(f"sampling.tab_{name}") for name in DRAWN]
    for tab, name in zip(st.tabs(labels, on_change="rerun", key=desk.key("tabs")), DRAWN, strict=True):
        if tab.open:
            with tab, guard(desk.ui):
                DRAWN[name](desk)
