"""A chat that is answered from documents: which they are, files too big for a message, the passages of an answer."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

import streamlit as st

from apps.streamlit_chat.pane import Pane, Pending
from apps.streamlit_kit import guard, plain
from apps.ui.documents import index_progress, named
from apps.ui.node import beginning
from apps.ui.node import passages as node_passages
from engine.conversation import Node
from engine.errors import error_from
from engine.jobs import OPEN
from engine.rag import sources
from engine.rag.chatting import taken_in

LOOK_EVERY_S = 1.0


def grounded(pane: Pane) -> None:
    """What the conversation is answered from, and the way back; nothing where it is grounded in nothing."""
    ui, ids = pane.ui, pane.conversation.settings.collections
    if not ids:
        return
    names = named(ui.engine.collections, ui.person.id, ids, ui.words)
    with st.container(horizontal=True, vertical_alignment="center", key=pane.key("grounded.icons")):
        st.caption(f":material/library_books: {plain(ui.t('chat_compose.grounded', names=names))}", width="content")
        label = ui.t("chat_compose.ungrounded")
        st.button(label, icon=":material/close:", type="tertiary", help=label, key=pane.key("ungrounded"),
                  on_click=lambda: pane.attempt(lambda: pane.chat.settings(collections=())))  # fmt: skip


def take_in(pane: Pane, waiting: Pending) -> None:
    """Bring the files of the message that waits into a collection; the message follows once they are read."""

    def act() -> None:
        ui, chat = pane.ui, pane.chat
        brought = [sources.upload(name, data) for name, data in waiting.uploads]
        known = {name for name, _ in waiting.uploads}
        brought += [sources.read_before(file.name, file.text) for file in waiting.files
                    if file.kind == "text" and file.name not in known]  # fmt: skip
        name = ui.t("chat_compose.collection")
        made, job = taken_in(ui.engine, ui.person.id, chat.conversation.settings, name, brought)
        ids = chat.conversation.settings.collections
        chat.settings(collections=ids if made.id in ids else (*ids, made.id))
        chat.draft_attachments = ()
        pane.set("pending", replace(waiting, job=job.id))

    pane.attempt(act)


def taking_in(pane: Pane, waiting: Pending) -> None:
    """How far the reading of its files is; the message is sent at its end."""
    st.fragment(_reading, run_every=LOOK_EVERY_S)(pane, waiting)


def _reading(pane: Pane, waiting: Pending) -> None:
    ui = pane.ui
    job = ui.engine.jobs.get(waiting.job or "", ui.person.id)
    if job.state in OPEN:
        with guard(ui):
            files = ui.engine.collections.files(ui.person.id, job.args["collection"])
            told = index_progress(job, files, ui.words)
            st.progress(told.share or 0.0, told.text)
            st.button(ui.t("documents.cancel"), icon=":material/stop:", key=pane.key("take_in_cancel"),
                      on_click=partial(ui.engine.jobs.cancel, job.id, ui.person.id))  # fmt: skip
        return
    pane.set("pending", None)
    if job.error is not None:
        pane.fail(error_from(dict(job.error)))
    if job.state == "done" and waiting.text.strip():
        pane.attempt(lambda: pane.chat.say(waiting.text, pane.choice(), role=waiting.role))
    else:
        pane.chat.draft = waiting.text
    st.rerun()


def passages(pane: Pane, node: Node) -> None:
    """What the answer was made from, folded; its marks are their numbers."""
    found = node_passages(node)
    if not found:
        return
    with st.expander(f"{pane.ui.t('documents_ask.passages')} ({len(found)})", icon=":material/library_books:"):
        for one in found:
            st.markdown(f"**\\[{one.number}\\] {plain(one.place)}**")
            st.text(beginning(one.text))
