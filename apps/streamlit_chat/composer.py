"""Everything under the messages, in the page's bottom: window, role, prompts, and the input with its attachments."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from apps.streamlit_chat.gauge import gauge, policy
from apps.streamlit_chat.pane import Pane
from engine.types import Role

TARGETS = ("both", "left", "right")
ROLES: tuple[Role, ...] = ("user", "assistant", "system")


def composer(panes: Sequence[Pane]) -> None:
    """Draw it; what is sent goes to the chat at the left, or to those that are chosen."""
    ui = panes[0].ui
    with st.bottom:
        columns = st.columns(len(panes)) if len(panes) > 1 else [st.container()]
        for column, pane in zip(columns, panes, strict=True):
            with column:
                gauge(pane)
        with st.container(horizontal=True, gap="small", vertical_alignment="center", key="chat.bar"):
            st.selectbox(
                ui.t("chat_role.label"), ROLES, key="chat.role", label_visibility="collapsed", width=130,
                format_func=lambda role: ui.t(f"chat_role.{role}"), help=ui.t("chat_role.help"),
            )  # fmt: skip
            if len(panes) > 1:
                st.segmented_control(
                    ui.t("chat_two.target"), TARGETS, default="both", required=True, key="chat.target",
                    format_func=lambda name: ui.t(f"chat_two.{name}"), label_visibility="collapsed",
                )  # fmt: skip
            for pane in panes:
                policy(pane)
            _ways_out(panes)
    _prefill(panes[0])
    st.chat_input(_hint(panes[0]), key="chat.input", submit_mode="disable", on_submit=_sent, args=(panes,))


def _hint(pane: Pane) -> str:
    role = st.session_state.get("chat.role", "user")
    if pane.conversation.settings.mode == "raw":
        return pane.ui.t("chat_compose.raw")
    return pane.ui.t("chat.input" if role == "user" else f"chat_compose.as_{role}")


def _ways_out(panes: Sequence[Pane]) -> None:
    """Stop what is being written; else take back the last change."""
    ui = panes[0].ui
    if any(pane.chat.writing for pane in panes):
        st.button(ui.t("chat.stop"), icon=":material/stop_circle:", on_click=_stop, args=(panes,), type="primary",
                  key="chat.stop")  # fmt: skip
        return
    for name, sign in (("undo", ":material/undo:"), ("redo", ":material/redo:")):
        for pane in panes:
            if getattr(pane.chat, f"can_{name}"):
                st.button(sign, help=ui.t(f"chat_act.{name}_help"), type="tertiary", key=pane.key(name),
                          on_click=_step, args=(pane, name))  # fmt: skip


def _step(pane: Pane, name: str) -> None:
    pane.attempt(getattr(pane.chat, name))


def _stop(panes: Sequence[Pane]) -> None:
    for pane in panes:
        if writing := pane.chat.writing:
            writing.stop()


def _prefill(pane: Pane) -> None:
    """What could not be sent stays in the input; a link may fill it, but never sends."""
    if draft := pane.chat.draft or st.query_params.get("prompt"):
        st.session_state["chat.input"], pane.chat.draft = draft, None
        st.query_params.pop("prompt", None)


def _sent(panes: Sequence[Pane]) -> None:
    send(panes, st.session_state["chat.input"])


def send(panes: Sequence[Pane], text: str) -> None:
    """Send a message to the chats that are chosen, in the role that is chosen."""
    target, role = st.session_state.get("chat.target", "both"), st.session_state.get("chat.role", "user")
    for pane in panes:
        if len(panes) == 1 or target in ("both", pane.side):
            _say(pane, text, role)


def _say(pane: Pane, text: str, role: Role) -> None:
    pane.attempt(lambda: pane.chat.say(text, pane.choice(), role=role))
    if pane.get("failure"):
        pane.chat.draft = text
