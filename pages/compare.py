"""Compare: models side by side, blind votes, batches, prices, pictures. Layout only."""

from __future__ import annotations

from apps import streamlit_kit as kit
from apps.streamlit_compare.desk import Desk
from apps.streamlit_compare.tabs import tabs
from apps.streamlit_comptine.steps import wide

ui = kit.page("compare")
wide()
desk = Desk(ui)
with kit.guard(ui):
    tabs(desk)
