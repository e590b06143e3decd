"""The panel at the right: what the model has read for the run, from the messages to the code that asks again."""

from __future__ import annotations

from functools import partial

import streamlit as st

from apps import host
from apps.streamlit_chat.drawer import own_address, views
from apps.streamlit_comptine.desk import Desk
from apps.streamlit_kit import guard
from apps.ui.trace_panel import KEY_VARIABLE, TracePanel, panel
from engine.comptine.running import prepare
from engine.errors import NotFound
from engine.trace import Trace


def drawer(desk: Desk) -> None:
    """Open it where it was asked for; it stays open until it is closed."""
    wanted = desk.get("drawer")
    if wanted is None or desk.result is None:
        return
    show = st.dialog(desk.ui.t("chat_trace.title"), width="medium", position="right", icon=":material/visibility:",
                     on_dismiss=partial(desk.set, "drawer", None))(_draw)  # fmt: skip
    show(desk, wanted)


def _draw(desk: Desk, first: str) -> None:
    with guard(desk.ui):
        shown, trace = _panel(desk)
        if trace is None:
            st.caption(desk.ui.t("comptine.trace_gone"))
        views(desk.ui, shown, trace, first, desk.key(f"tabs.{first}"))


def _panel(desk: Desk) -> tuple[TracePanel, Trace | None]:
    """The panel of the run; made once, since it asks the model's server."""
    run, known = desk.run, desk.get("panel")
    assert run is not None and run.result is not None
    if known is None or known[0] is not run:
        trace = _trace(desk, run.result.trace_id)
        made = prepare(run.model, run.cell)
        messages = () if made.raw is not None else made.prompt.messages
        request = run.model.request(messages, made.params(), raw=made.raw)
        key = KEY_VARIABLE if host.options().guarded else None
        known = (run, panel(run.model, request, trace, address=own_address(), key_variable=key), trace)
        desk.set("panel", known)
    return known[1], known[2]


def _trace(desk: Desk, trace_id: str | None) -> Trace | None:
    try:
        return desk.ui.engine.traces.get(trace_id or "", desk.ui.person.id)
    except NotFound:  # the log keeps the most recent ones
        return None
