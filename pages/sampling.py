"""Sampling: how the next token is chosen, stage by stage, and what other settings would do. Layout only."""

from __future__ import annotations

from apps import streamlit_kit as kit
from apps.streamlit_comptine.steps import wide
from apps.streamlit_sampling.desk import Desk
from apps.streamlit_sampling.outside import outside
from apps.streamlit_sampling.prompt import prompt
from apps.streamlit_sampling.tabs import tabs
from apps.streamlit_sampling.under import notions
from apps.streamlit_sampling.working import working
from apps.streamlit_sampling.written import session

ui = kit.page("sampling")
wide()
desk = Desk(ui)
with kit.guard(ui):
    if desk.inside:
        working(desk)
        prompt(desk)
        tabs(desk)
        session(desk)
    else:
        outside(desk)
    notions(desk)
desk.write_address()
