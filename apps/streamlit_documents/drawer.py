"""The panel at the right: what the model has read for an answer, passages included, from messages to code."""

from __future__ import annotations

from functools import partial

import streamlit as st

from apps import host
from apps.streamlit_chat.drawer import own_address, views
from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import guard
from apps.ui.asking import Look
from apps.ui.trace_panel import KEY_VARIABLE, TracePanel, panel
from engine.errors import NotFound
from engine.trace import Trace
from engine.types import Message


def drawer(desk: Desk) -> None:
    """Open it where it was asked for; it stays open until it is closed."""
    wanted = desk.get("drawer")
    look = desk.answers.get(wanted[0]) if wanted is not None else None
    if wanted is None or look is None or look.result is None:
        return
    show = st.dialog(desk.ui.t("chat_trace.title"), width="medium", position="right", icon=":material/visibility:",
                     on_dismiss=partial(desk.set, "drawer", None))(_draw)  # fmt: skip
    show(desk, look, wanted[1])


def _draw(desk: Desk, look: Look, first: str) -> None:
    with guard(desk.ui):
        shown, trace = desk.kept("panel", id(look), lambda: _panel(desk, look))
        if trace is None:
            st.caption(desk.ui.t("documents_ask.trace_gone"))
        views(desk.ui, shown, trace, first, desk.key(f"tabs.{first}"))


def _panel(desk: Desk, look: Look) -> tuple[TracePanel, Trace | None]:
    """The panel of the answer; made once, since it asks the model's server."""
    trace = _trace(desk, look)
    sent = (trace.request or {}).get("messages") if trace is not None and "request" not in trace.cut else None
    messages = [Message(one["role"], one["content"]) for one in sent or ()] or [Message("user", look.question)]
    key = KEY_VARIABLE if host.options().guarded else None
    request = look.model.request(messages, desk.ui.params)
    return panel(look.model, request, trace, address=own_address(), key_variable=key), trace


def _trace(desk: Desk, look: Look) -> Trace | None:
    assert look.result is not None
    try:
        return desk.ui.engine.traces.get(look.result.trace_id or "", desk.owner)
    except NotFound:  # the log keeps the most recent ones
        return None
