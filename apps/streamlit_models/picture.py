"""The picture on top: registry → orchestration → interface, each a click away from what it is here."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import plain
from apps.streamlit_models.desk import Desk
from apps.ui.models import Box, busy, picture
from engine.ps import loaded


def drawn(desk: Desk) -> None:
    """Three boxes in a row, under each other on a phone."""
    boxes = picture(desk.cards.values(), busy(loaded(desk.ui.engine)), len(desk.endpoints), desk.ui.words)
    with st.container(key=desk.key("picture")):
        for place, box in zip(st.columns(3, gap="small"), boxes, strict=True):
            with place, st.container(border=True, height="stretch", gap="xsmall"):
                _box(desk, box)


def _box(desk: Desk, box: Box) -> None:
    arrow = "" if box.goes == "server" else " →"
    st.markdown(f"**{plain(box.title)}**{arrow}", help=box.what)
    st.caption(plain(" · ".join(box.facts)))
    st.button(box.button, icon=":material/arrow_forward:", type="tertiary", key=desk.key(f"go.{box.key}"),
              on_click=desk.go, args=(box.goes,))  # fmt: skip
