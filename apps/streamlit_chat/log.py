"""All requests of this person as they come, folded; the latest on top."""

from __future__ import annotations

import time

import streamlit as st

from apps.streamlit_kit import Ui, guard, plain

EVERY_S = 2.0
LINES = 30


def log(ui: Ui) -> None:
    """Draw it; while it is open it looks every two seconds, by itself."""
    with st.expander(ui.t("chat_log.title"), icon=":material/receipt_long:", on_change="rerun", key="chat.log") as box:
        if box.open:
            st.caption(ui.t("chat_log.help"))
            st.fragment(_lines, run_every=EVERY_S)(ui)


def _lines(ui: Ui) -> None:
    with guard(ui):
        found = ui.engine.traces.list(ui.person.id, LINES)
        if not found:
            st.caption(ui.t("chat_log.none"))
        rows = []
        for line in found:
            at = time.strftime("%H:%M:%S", time.localtime(line.started))
            outcome = ui.t(f"outcome.{line.outcome}") if ui.words.has(f"outcome.{line.outcome}") else line.outcome
            rows.append(f"{at} · {line.model} · {outcome} · {ui.words.seconds(line.duration)}")
        st.markdown("\n".join(f"- {plain(row)}" for row in rows))
