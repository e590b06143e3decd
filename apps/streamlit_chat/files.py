"""A message on its way out: with its files, whole where they fit, else by the person's choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import plain
from engine.attachments import attach, fit
from engine.conversation import Attachment
from engine.errors import PromptTooLong
from engine.types import Role


@dataclass(frozen=True)
class Upload:
    """One file as it came."""

    name: str
    data: bytes


@dataclass(frozen=True)
class Pending:
    """A message that waits for a choice, since its files do not fit."""

    text: str
    role: Role
    files: tuple[Attachment, ...]
    needed: int | None
    room: int | None


def say(pane: Pane, text: str, role: Role, uploads: Sequence[Upload] = ()) -> None:
    """Send it; where its files do not fit, ask first. What could not be sent stays in the input."""

    def act() -> None:
        choice = pane.choice()
        files: tuple[Attachment, ...] = pane.chat.draft_attachments
        if uploads or files:
            model = pane.ui.open(choice.model)
            files = (*files, *(attach(model, one.name, one.data) for one in uploads))
            try:
                files = fit(model, pane.conversation, text, files, choice.params)
            except PromptTooLong as error:
                pane.set("pending", Pending(text, role, files, error.prompt_tokens, error.window))
                return
        pane.chat.say(text, choice, role=role, attachments=files)

    pane.set("pending", None)
    pane.attempt(act)
    if pane.get("failure"):
        pane.chat.draft = text


def pending(pane: Pane) -> None:
    """The choice that a message with files waits for: cut them, visibly, or do not send."""
    _kept(pane)
    waiting: Pending | None = pane.get("pending")
    if waiting is None:
        return
    ui = pane.ui
    names = ", ".join(file.name for file in waiting.files)
    told = ui.t("chat_compose.too_big", needed=waiting.needed, room=waiting.room)
    st.warning(f"{plain(names)}  \n{told}", icon=":material/attach_file:")
    with st.container(horizontal=True):
        st.button(ui.t("chat_compose.too_big_truncate"), type="primary", on_click=_cut, args=(pane, waiting),
                  key=pane.key("cut"))  # fmt: skip
        st.button(ui.t("chat_compose.too_big_cancel"), on_click=_dropped, args=(pane, waiting), key=pane.key("uncut"))
        st.button(ui.t("chat_compose.too_big_documents"), disabled=True, help=ui.t("chat_compose.too_big_rag"),
                  key=pane.key("documents"))  # fmt: skip


def _kept(pane: Pane) -> None:
    """The files of a message that could not be sent: they go with the next one, unless they are taken away."""
    files = pane.chat.draft_attachments
    if not files or pane.chat.writing is not None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(f":material/attach_file: {plain(', '.join(file.name for file in files))}", width="content")
        st.button("✕", type="tertiary", help=pane.ui.t("chat_compose.detach"), on_click=_detached, args=(pane,),
                  key=pane.key("detach"))  # fmt: skip


def _detached(pane: Pane) -> None:
    pane.chat.draft_attachments = ()


def _cut(pane: Pane, waiting: Pending) -> None:
    def act() -> None:
        choice = pane.choice()
        model = pane.ui.open(choice.model)
        files = fit(model, pane.conversation, waiting.text, waiting.files, choice.params, "truncate")
        pane.chat.say(waiting.text, choice, role=waiting.role, attachments=files)

    pane.set("pending", None)
    pane.attempt(act)


def _dropped(pane: Pane, waiting: Pending) -> None:
    pane.set("pending", None)
    pane.chat.draft = waiting.text
