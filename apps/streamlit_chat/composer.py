"""Everything under the messages, in the page's bottom: window, role, prompts, and the input with its attachments."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from apps.streamlit_chat.files import Upload, pending, say
from apps.streamlit_chat.gauge import gauge
from apps.streamlit_chat.library import OPEN, commands
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
                pending(pane)
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
            st.button(ui.t("chat_compose.library"), icon=":material/bookmarks:", help=ui.t("chat_compose.library_help"),
                      on_click=panes[0].set, args=(OPEN, ""), key="chat.prompts")  # fmt: skip
            if any(pane.writing for pane in panes):
                st.button(ui.t("chat.stop"), icon=":material/stop_circle:", on_click=_stop, args=(panes,),
                          type="primary", key="chat.stop")  # fmt: skip
    _prefill(panes[0])
    st.chat_input(_hint(panes[0]), key="chat.input", submit_mode="disable", accept_file="multiple", max_upload_size=50,
                  on_submit=_sent, args=(panes,))  # fmt: skip


def _hint(pane: Pane) -> str:
    role = st.session_state.get("chat.role", "user")
    if pane.conversation.settings.mode == "raw":
        return pane.ui.t("chat_compose.raw")
    return pane.ui.t("chat.input" if role == "user" else f"chat_compose.as_{role}")


def _stop(panes: Sequence[Pane]) -> None:
    for pane in panes:
        if writing := pane.chat.writing:
            writing.stop()


def _prefill(pane: Pane) -> None:
    """What could not be sent stays in the input; a link may fill it, but never sends."""
    link = st.query_params.pop("prompt", None) if "prompt" in st.query_params else None
    draft = link or (pane.chat.draft if pane.writing is None else None)  # the run after the answer's end shows it
    if draft and draft != pane.get("prefilled"):
        st.session_state["chat.input"] = draft
    pane.set("prefilled", draft)


def _sent(panes: Sequence[Pane]) -> None:
    given = st.session_state["chat.input"]
    if commands(panes[0].ui, given.text):
        panes[0].set(OPEN, given.text)
    else:
        send(panes, given.text, tuple(Upload(file.name, file.getvalue()) for file in given.files))


def send(panes: Sequence[Pane], text: str, files: Sequence[Upload] = ()) -> None:
    """Send a message to the chats that are chosen, in the role that is chosen."""
    target, role = st.session_state.get("chat.target", "both"), st.session_state.get("chat.role", "user")
    for pane in panes:
        if len(panes) == 1 or target in ("both", pane.side):
            say(pane, text, role, files)
