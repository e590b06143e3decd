"""A run file repeated: chosen, in the queue of heavy work, and whether the same text came."""

from __future__ import annotations

import json
from contextlib import closing
from typing import Any

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_kit import guard
from engine.comptine.replaying import replayed
from engine.errors import BadFile
from engine.tasks import Progress

MAX_MB = 5


def replay(desk: Desk) -> None:
    """The folded part; it needs no run before."""
    with st.expander(desk.ui.t("comptine.replay"), on_change="rerun", key=desk.key("replay")) as box:
        if box.open:
            with guard(desk.ui):
                _file(desk)


def _file(desk: Desk) -> None:
    """The file, the button, and what the last replay of that file gave."""
    t = desk.ui.t
    st.caption(t("comptine.replay_help"))
    file = st.file_uploader(t("comptine.save"), "json", key=desk.key("replay_file"), max_upload_size=MAX_MB)
    if file is None:
        return
    if st.button(t("comptine.replay"), icon=":material/replay:", key=desk.key("replay_go")):
        desk.set("replayed", (file.file_id, _run(desk, file.getvalue())))
        st.rerun()
    known, found = desk.get("replayed", (None, None))
    if found is not None and known == file.file_id:
        _told(desk, found)


def _run(desk: Desk, data: bytes) -> dict[str, Any]:
    """What came of it; a click elsewhere ends it. Raises EngineError."""
    ui, found = desk.ui, dict[str, Any]()
    place = st.empty()
    with place.container():
        st.button(ui.t("comptine.stop"), icon=":material/stop:", key=desk.key("replay_stop"))
        steps = closing(replayed(ui.engine, _read(data), ui.person))
        with st.spinner(ui.t("comptine.busy"), show_time=True), steps as told:
            for news in told:
                st.empty()  # where a click is noticed
                if not isinstance(news, Progress):
                    found = news
    place.empty()
    return found


def _told(desk: Desk, found: dict[str, Any]) -> None:
    t, names = desk.ui.t, ", ".join(found["differences"])
    st.markdown(f"**{t('comptine.replay_same' if found['same'] else 'comptine.replay_other')}**")
    st.caption(t("comptine.replay_changed", names=names) if names else t("comptine.replay_unchanged"))
    st.text(found["answer"])


def _read(data: bytes) -> dict[str, Any]:
    """Raises BadFile."""
    try:
        found = json.loads(data)
    except ValueError as error:
        raise BadFile("the run file is not JSON", path="", reason="json") from error
    if not isinstance(found, dict):
        raise BadFile("the run file is no object", path="", reason="format")
    return found
