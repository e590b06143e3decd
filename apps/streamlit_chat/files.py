"""A message on its way out: with its files, whole where they fit, else by the person's choice."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from apps.streamlit_chat.pane import Pane
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
        if uploads:
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
    waiting: Pending | None = pane.get("pending")
    if waiting is None:
        return
    ui = pane.ui
    st.warning(f"{ui.t('chat_compose.too_big', needed=waiting.needed, room=waiting.room)} "
               f"{ui.t('chat_compose.too_big_rag')}")  # fmt: skip
    with st.container(horizontal=True):
        st.button(ui.t("chat_compose.too_big_truncate"), type="primary", on_click=_cut, args=(pane, waiting),
                  key=pane.key("cut"))  # fmt: skip
        st.button(ui.t("chat_compose.too_big_cancel"), on_click=_dropped, args=(pane, waiting), key=pane.key("uncut"))


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
