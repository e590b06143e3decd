"""A message on its way out: with its files, whole where they fit; where not all would be sent, a person chooses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

import streamlit as st

from apps.streamlit_chat.grounded import grounded, take_in, taking_in
from apps.streamlit_chat.pane import Pane, Pending
from apps.streamlit_kit import plain
from apps.ui.window import Fate, struck
from engine.attachments import attach, fit
from engine.chat import Choice
from engine.conversation import Attachment
from engine.errors import NotSupported, PromptTooLong
from engine.types import Role
from engine.window import Plan


@dataclass(frozen=True)
class Upload:
    """One file as it came."""

    name: str
    data: bytes


def say(pane: Pane, text: str, role: Role, uploads: Sequence[Upload] = ()) -> None:
    """Send it; where not all of it fits, ask first. What could not be sent stays in the input."""

    def act() -> None:
        choice = pane.choice()
        files: tuple[Attachment, ...] = pane.chat.draft_attachments
        if uploads or files:
            model = pane.ui.open(choice.model)
            files = (*files, *(attach(model, one.name, one.data) for one in uploads))
            try:
                files = fit(model, pane.conversation, text, files, choice.params)
            except PromptTooLong as error:
                came = tuple((one.name, one.data) for one in uploads)
                pane.set("pending", Pending(text, role, files, error.prompt_tokens, error.window, uploads=came))
                return
        if role == "user" and (plan := _dropping(pane, text, choice, files)):
            pane.set("pending", Pending(text, role, files, plan=plan))
        else:
            pane.chat.say(text, choice, role=role, attachments=files)

    _try(pane, text, act)


def _try(pane: Pane, text: str, act: Callable[[], None]) -> None:
    pane.set("pending", None)
    pane.attempt(act)
    if pane.get("failure"):
        pane.chat.draft = text


def _dropping(pane: Pane, text: str, choice: Choice, files: tuple[Attachment, ...]) -> Plan | None:
    """What the window's policy would leave out because of this message, where the page does not show it yet."""
    shown = pane.plan()
    if pane.conversation.settings.policy == "stop" or not pane.counts or (isinstance(shown, Plan) and not shown.whole):
        return None
    try:
        plan = pane.chat.preview(text, choice, files)
    except (NotSupported, PromptTooLong):  # asking says so, with the numbers
        return None
    return None if plan.whole else plan


def pending(pane: Pane) -> None:
    """What a message waits for: to be cut, to be sent with less before it, or not to be sent."""
    grounded(pane)
    _kept(pane)
    waiting = pane.get("pending")
    if waiting is None:
        return
    if waiting.job is not None:
        taking_in(pane, waiting)
        return
    ui = pane.ui
    if waiting.plan is not None:
        _would_drop(pane, waiting, waiting.plan)
    else:
        names = ", ".join(file.name for file in waiting.files)
        told = ui.t("chat_compose.too_big", needed=waiting.needed, room=waiting.room)
        st.warning(f"{plain(names)}  \n{told}", icon=":material/attach_file:")
    with st.container(horizontal=True):
        label = "chat_window.send_anyway" if waiting.plan else "chat_compose.too_big_truncate"
        st.button(ui.t(label), type="primary", on_click=_send, args=(pane, waiting), key=pane.key("cut"))
        st.button(ui.t("chat_compose.too_big_cancel"), on_click=_dropped, args=(pane, waiting), key=pane.key("uncut"))
        if waiting.plan is None:
            st.button(ui.t("chat_compose.too_big_documents"), help=ui.t("chat_compose.too_big_rag"), on_click=take_in,
                      args=(pane, waiting), key=pane.key("documents"))  # fmt: skip


def _would_drop(pane: Pane, waiting: Pending, plan: Plan) -> None:
    words = pane.ui.words
    if plan.dropped:
        st.warning(words.n("chat_window.will_drop", len(plan.dropped)), icon=":material/content_cut:")
    if kept := plan.cut.get(pane.messages_before()):
        st.warning(words.t("chat_window.will_cut"), icon=":material/content_cut:")
        st.html(struck(waiting.text, Fate(kept)))


def _send(pane: Pane, waiting: Pending) -> None:
    def act() -> None:
        choice = pane.choice()
        files = waiting.files
        if waiting.plan is None:
            files = fit(pane.ui.open(choice.model), pane.conversation, waiting.text, files, choice.params, "truncate")
        pane.chat.say(waiting.text, choice, role=waiting.role, attachments=files)

    _try(pane, waiting.text, act)


def _dropped(pane: Pane, waiting: Pending) -> None:
    pane.set("pending", None)
    pane.chat.draft = waiting.text


def _kept(pane: Pane) -> None:
    """The files of a message that could not be sent: they go with the next one, unless they are taken away."""
    files = pane.chat.draft_attachments
    if not files or pane.chat.writing is not None:
        return
    with st.container(horizontal=True, vertical_alignment="center", key=pane.key("files.icons")):
        st.caption(f":material/attach_file: {plain(', '.join(file.name for file in files))}", width="content")
        label = pane.ui.t("chat_compose.detach")
        st.button(label, icon=":material/close:", type="tertiary", help=label, key=pane.key("detach"),
                  on_click=partial(setattr, pane.chat, "draft_attachments", ()))  # fmt: skip
