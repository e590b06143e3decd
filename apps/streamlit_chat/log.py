"""All requests of this person as they come, folded; the latest on top, each whole when it is chosen."""

from __future__ import annotations

import json
import time

import streamlit as st

from apps.streamlit_kit import Ui, guard, plain
from engine.errors import NotFound
from engine.trace import TraceLine

EVERY_S = 2.0
LINES = 30
LISTED = 8


def log(ui: Ui) -> None:
    """Draw it; while it is open it looks every two seconds, by itself."""
    with st.expander(ui.t("chat_log.title"), icon=":material/receipt_long:", on_change="rerun", key="chat.log") as box:
        if box.open:
            st.caption(ui.t("chat_log.help"))
            st.fragment(_lines, run_every=EVERY_S)(ui)


def _lines(ui: Ui) -> None:
    with guard(ui):
        found = {line.id: line for line in ui.engine.traces.list(ui.person.id, LINES)}
        if not found:
            st.caption(ui.t("chat_log.none"))
            return
        rows = [_line(ui, line) for line in list(found.values())[:LISTED]]
        st.markdown("\n".join(f"- {plain(row)}" for row in rows))
        chosen = st.selectbox(
            ui.t("chat_log.whole"), list(found), index=None, format_func=lambda one: _line(ui, found[one]),
            placeholder=ui.t("chat_log.choose"), key="chat.log.one",
        )  # fmt: skip
        if chosen:
            _whole(ui, chosen)


def _line(ui: Ui, line: TraceLine) -> str:
    at = time.strftime("%H:%M:%S", time.localtime(line.started))
    outcome = ui.t(f"outcome.{line.outcome}") if ui.words.has(f"outcome.{line.outcome}") else line.outcome
    counts = [line.usage.get(name) for name in ("prompt_tokens", "completion_tokens")]
    tokens = " + ".join(ui.words.number(count) for count in counts)
    return f"{at} · {line.model} · {tokens} tokens · {ui.words.seconds(line.duration)} · {outcome}"


def _whole(ui: Ui, trace_id: str) -> None:
    """What went in and what came out."""
    try:
        trace = ui.engine.traces.get(trace_id, ui.person.id)
    except NotFound:
        st.caption(ui.t("chat_trace.gone"))
        return
    st.markdown(f"**{ui.t('trace.prompt' if trace.prompt else 'trace.request')}**")
    if trace.prompt:
        st.code(trace.prompt, language=None, wrap_lines=True)
    else:
        st.code(json.dumps(trace.request, indent=2, ensure_ascii=False), language="json", wrap_lines=True)
    st.markdown(f"**{ui.t('trace.response')}**")
    st.code(json.dumps(trace.response, indent=2, ensure_ascii=False), language="json", wrap_lines=True)
