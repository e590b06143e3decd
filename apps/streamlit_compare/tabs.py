"""The tabs of the page: those that are built, in the order of `apps.ui.compare`; only the one in sight is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_compare import arena, batch, pictures, prices, side_by_side
from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import guard
from apps.ui.compare import TABS, Tab

SHOWN: Mapping[Tab, Callable[[Desk], None]] = {
    "side": side_by_side.show,
    "vote": arena.show,
    "batch": batch.show,
    "prices": prices.show,
    "images": pictures.show,
}


def tabs(desk: Desk) -> None:
    """A tab each; one that can be asked in takes the page's input."""
    built = [name for name in TABS if name in SHOWN]
    labels = [desk.ui.t(f"compare.tab.{name}") for name in built]
    for tab, name in zip(st.tabs(labels, on_change="rerun", key=desk.key("tabs")), built, strict=True):
        if tab.open:
            with tab, guard(desk.ui):
                SHOWN[name](desk)
