"""Quality: how well a model foresees a text, what quantization costs it, how fast it is, what it knows. Layout only."""

from __future__ import annotations

import streamlit as st

from apps import streamlit_kit as kit
from apps.streamlit_comptine.steps import wide
from apps.streamlit_quality.desk import Desk
from apps.streamlit_quality.forms import named
from apps.streamlit_quality.tabs import going, tabs

ui = kit.page("quality")
wide()
desk = Desk(ui)
with kit.guard(ui):
    st.caption(kit.plain(named(ui)))
    going(desk)
    tabs(desk)
