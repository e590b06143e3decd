"""Models: registry, orchestration, interface; what is here, what runs, and how it is reached. Layout only."""

from __future__ import annotations

from apps import streamlit_kit as kit
from apps.streamlit_comptine.steps import wide
from apps.streamlit_models.desk import Desk
from apps.streamlit_models.picture import drawn
from apps.streamlit_models.tabs import going, tabs

ui = kit.page("models")
wide()
desk = Desk(ui)
with kit.guard(ui):
    drawn(desk)
    going(desk)
    tabs(desk)
