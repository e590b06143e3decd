"""The panel at the right: what the model has read for one answer, from the messages to the code that asks again."""

from __future__ import annotations

import json
from functools import partial

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import guard
from apps.streamlit_turn import code
from engine.conversation import Node
from engine.errors import NotFound, NotSupported

TABS = ("prompt", "tokens", "request", "response", "code")


def drawer(pane: Pane) -> None:
    """Open it where a message asked for it; it stays open until it is closed."""
    wanted = pane.get("drawer")
    if wanted is None or wanted[0] not in pane.conversation.nodes:
        return
    ui, node = pane.ui, pane.conversation.node(wanted[0])
    show = st.dialog(ui.t("chat_trace.title"), width="large", position="right", icon=":material/visibility:",
                     on_dismiss=partial(pane.set, "drawer", None))(_draw)  # fmt: skip
    show(pane, node, wanted[1])


def _draw(pane: Pane, node: Node, first: str) -> None:
    ui = pane.ui
    names = {ui.t(f"chat_trace.{name}"): name for name in TABS}
    default = ui.t(f"chat_trace.{first}")
    tabs = st.tabs(list(names), default=default, on_change="rerun", key=pane.key(f"tabs.{node.id}.{first}"))
    for tab, name in zip(tabs, TABS, strict=True):
        if tab.open:
            with tab, guard(ui):
                _VIEWS[name](pane, node)


def _prompt(pane: Pane, node: Node) -> None:
    ui = pane.ui
    model_id, request = pane.chat.request_of(node.id)
    try:
        rendered = ui.open(model_id).render(request)
    except NotSupported:
        counted = (node.usage or {}).get("prompt_tokens")
        told = ui.t("chat.trace_counted", count=counted) if counted is not None else ""
        st.caption(f"{ui.t('chat.trace_unavailable')} {told}")
        return
    st.caption(ui.t("chat.trace_help", count=len(rendered.tokens)))
    st.code(rendered.prompt, language=None, wrap_lines=True)


def _tokens(pane: Pane, node: Node) -> None:
    _prompt(pane, node)


def _request(pane: Pane, node: Node) -> None:
    _part(pane, node, "request")


def _response(pane: Pane, node: Node) -> None:
    _part(pane, node, "response")


def _part(pane: Pane, node: Node, part: str) -> None:
    ui = pane.ui
    try:
        trace = ui.engine.traces.get(node.trace_id or "", ui.person.id)
    except NotFound:
        st.caption(ui.t("chat_trace.gone"))
        return
    st.caption(ui.t(f"chat_trace.{part}_help"))
    st.code(json.dumps(getattr(trace, part), indent=2, ensure_ascii=False), language="json", wrap_lines=True)


def _code(pane: Pane, node: Node) -> None:
    model_id, request = pane.chat.request_of(node.id)
    code(pane.ui, model_id, request)


_VIEWS = {"prompt": _prompt, "tokens": _tokens, "request": _request, "response": _response, "code": _code}
