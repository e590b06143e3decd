"""The panel at the right: what one column's model has read for its last answer, and the code that asks it again."""

from __future__ import annotations

from functools import partial
from typing import Any

import streamlit as st

from apps import host
from apps.streamlit_chat.drawer import own_address, views
from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import guard, show_error
from apps.ui.compare import LETTERS
from apps.ui.trace_panel import KEY_VARIABLE, panel
from engine.compare.snippet import chain_snippet
from engine.errors import NotFound, NotSupported
from engine.trace import Trace


def drawer(desk: Desk) -> None:
    """Open it where it was asked for; it stays open until it is closed."""
    wanted = desk.get("drawer")
    if wanted is None or not desk.views or desk.running:
        return
    place, first = wanted
    key, icon = ("chain", "link") if first == "chain" else ("trace_of", "visibility")
    title = desk.ui.t(f"compare.{key}", letter=LETTERS[place])
    show = st.dialog(title, width="medium", position="right", icon=f":material/{icon}:",
                     on_dismiss=partial(desk.set, "drawer", None))(_draw)  # fmt: skip
    show(desk, place, first)


def _draw(desk: Desk, number: int, first: str) -> None:
    with guard(desk.ui):
        if first == "chain":
            _chain(desk, number)
            return
        found = _panel(desk, number)
        if found is None:
            return
        _, shown, trace = found
        if trace is None:
            st.caption(desk.ui.t("compare.trace_gone"))
        views(desk.ui, shown, trace, first, desk.key(f"tabs.{number}.{first}"))


def _chain(desk: Desk, number: int) -> None:
    """The column as the course writes it with LangChain, with what was said before."""
    assert desk.run is not None
    *before, last = desk.run.turns
    said = [(turn.question, result.text) for turn in before if (result := turn.views[number].result) and result.text]
    key = KEY_VARIABLE if host.options().guarded else None
    view = last.views[number]
    try:
        text = chain_snippet(view.side, last.question, card=view.card, history=said, address=own_address(),
                             key_variable=key)  # fmt: skip
    except NotSupported:
        st.info(desk.ui.t("compare.chain_none"))
        return
    st.caption(desk.ui.t("compare.chain_help"))
    st.code(text, language="python", wrap_lines=True)


def _panel(desk: Desk, number: int) -> Any:
    """The panel of a column's last answer; made once, since it asks the model's server. None where none was asked."""
    assert desk.run is not None
    view, asked, known = desk.views[number], desk.run.asked(number), desk.get("panel")
    if asked is None:
        if view.error is not None:
            show_error(desk.ui, view.error)
        return None
    if known is None or known[0] is not asked[1]:
        trace = _trace(desk, view.result.trace_id if view.result else None)
        key = KEY_VARIABLE if host.options().guarded else None
        known = (asked[1], panel(*asked, trace, address=own_address(), key_variable=key), trace)
        desk.set("panel", known)
    return known


def _trace(desk: Desk, trace_id: str | None) -> Trace | None:
    try:
        return desk.ui.engine.traces.get(trace_id or "", desk.ui.person.id)
    except NotFound:  # the log keeps the most recent ones
        return None
