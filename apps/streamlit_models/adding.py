"""How models come here: downloaded, imported, quantized, converted; the teacher's. What takes long becomes a job."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_kit import guard, plain
from apps.streamlit_models.desk import Desk
from apps.streamlit_models.downloading import download
from apps.streamlit_models.importing import imported
from apps.streamlit_models.making import convert, quantize
from apps.ui import models as shown

WAYS: Mapping[str, Callable[[Desk], None]] = {
    "download": download,
    "import": imported,
    "quantize": quantize,
    "convert": convert,
}


def adding(desk: Desk) -> None:
    """One way at a time; above it what there is room for."""
    t = desk.ui.t
    if not desk.teacher:
        st.caption(t("models_add.teacher"))
        return
    way = st.segmented_control(
        t("models_add.way"),
        list(WAYS),
        default="download",
        required=True,
        key=desk.key("way"),
        format_func=lambda name: t(f"models_add.{name}"),
        label_visibility="collapsed",
    )
    for line in shown.room_lines(shown.room(desk.ui.engine, desk.cards.values()), desk.ui.words):
        st.caption(plain(line))
    with guard(desk.ui):
        WAYS[way or "download"](desk)
