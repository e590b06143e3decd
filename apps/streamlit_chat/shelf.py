"""The person's conversations in the left column: search, open, new; rename, pin, delete, export and import of the open
one.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import partial

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import Ui, column, plain
from engine.chats import ChatLine
from engine.conversation import Conversation
from engine.types import ROLES

LISTED = 8
TITLE_SHOWN = 34  # letters of a title in a column of 300 pixels
TYPES = ("json", "jsonl", "md")
FORMS = (
    ("json", "json", "application/json"),
    ("markdown", "md", "text/markdown"),
    ("jsonl", "jsonl", "application/jsonl"),
)
EXPORTED = 10_000  # conversations in one file


def shelf(pane: Pane) -> None:
    """Draw it. Searching draws the list alone anew."""
    ui = pane.ui
    with column(), st.expander(ui.t("chat_list.title"), expanded=True, icon=":material/history:"):
        st.button(ui.t("chat_list.new"), help=ui.t("chat_list.new_help"), icon=":material/add:", width="stretch",
                  on_click=_new, args=(pane,), key="chat.new")  # fmt: skip
        st.fragment(_list)(pane)
        _undelete(pane)
        with st.popover(ui.t("chat_list.transfer"), icon=":material/import_export:", type="tertiary",
                        on_change="rerun", key="chat.transfer") as box:  # fmt: skip
            if box.open:
                _transfer(pane)


def _new(pane: Pane) -> None:
    pane.open()


def _list(pane: Pane) -> None:
    ui, chats = pane.ui, pane.ui.engine.chats
    listed = pane.get("listed", LISTED)
    lines = chats.lines(ui.person.id, st.session_state.get("chat.search", ""), limit=listed + 1)
    if len(lines) >= LISTED or st.session_state.get("chat.search"):
        st.text_input(ui.t("chat_list.search"), key="chat.search", label_visibility="collapsed",
                      placeholder=ui.t("chat_list.search_hint"), icon=":material/search:")  # fmt: skip
    if not lines:
        st.caption(ui.t("chat_list.nothing_found" if st.session_state.get("chat.search") else "chat_list.none"))
    with st.container(gap="xxsmall"):
        for line in lines[:listed]:
            _line(pane, line)
    if len(lines) > listed:
        st.button(ui.t("chat_list.more"), type="tertiary", icon=":material/expand_more:", key="chat.listed",
                  on_click=pane.set, args=("listed", listed + 4 * LISTED))  # fmt: skip


def _line(pane: Pane, line: ChatLine) -> None:
    ui = pane.ui
    title = line.title or ui.t("chat_list.untitled")
    short = plain(title if len(title) <= TITLE_SHOWN else title[: TITLE_SHOWN - 1].rstrip() + "…")
    sign = "📌 " if line.pinned else ""
    if line.id != pane.conversation.id:
        if st.button(f"{sign}{short}", help=plain(title), type="tertiary", key=f"chat.line.{line.id}"):
            pane.open(line.id)
            st.rerun()
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key="chat.current.icons"):
        st.markdown(f"{sign}**{short}**", width="stretch")
        more = ui.t("chat_act.more")
        with st.popover(more, icon=":material/more_horiz:", type="tertiary", help=more, on_change="rerun",
                        key="chat.current") as box:  # fmt: skip
            if box.open:
                _current(pane, line)


def _current(pane: Pane, line: ChatLine) -> None:
    ui = pane.ui
    name = st.text_input(ui.t("chat_list.name"), line.title, key=f"chat.name.{line.id}")
    if st.button(ui.t("chat_list.rename"), icon=":material/edit:", key="chat.rename"):
        _done(pane, lambda: pane.chat.rename(name))
    if st.button(ui.t("chat_list.unpin" if line.pinned else "chat_list.pin"), icon=":material/keep:",
                 help=ui.t("chat_list.pin_help"), key="chat.pin"):  # fmt: skip
        _done(pane, lambda: ui.engine.chats.pin(ui.person.id, line.id, not line.pinned))
    if st.button(ui.t("chat_list.delete"), icon=":material/delete:", help=ui.t("chat_list.delete_help"),
                 key="chat.delete"):  # fmt: skip
        _done(pane, lambda: _delete(pane, line))


def _done(pane: Pane, act: Callable[[], object]) -> None:
    pane.attempt(act)
    st.rerun()


def _delete(pane: Pane, line: ChatLine) -> None:
    ui = pane.ui
    kept = ui.engine.chats.get(ui.person.id, line.id)
    ui.engine.chats.delete(ui.person.id, line.id)
    pane.open()
    st.session_state["chat.deleted"] = kept


def _undelete(pane: Pane) -> None:
    gone: Conversation | None = st.session_state.get("chat.deleted")
    if gone is None:
        return
    ui = pane.ui
    st.caption(ui.t("chat_list.deleted", title=plain(gone.title or ui.t("chat_list.untitled"))))
    st.button(ui.t("chat_list.undelete"), icon=":material/undo:", key="chat.undelete", on_click=_restore,
              args=(pane, gone))  # fmt: skip


def _restore(pane: Pane, gone: Conversation) -> None:
    back = pane.attempt(lambda: pane.ui.engine.chats.adopt(pane.ui.person.id, gone))
    if back is not None:
        st.session_state.pop("chat.deleted", None)
        pane.open(back.id)


def _transfer(pane: Pane) -> None:
    ui, one = pane.ui, pane.conversation
    name = "".join(sign if sign.isalnum() else "-" for sign in one.title[:40]).strip("-") or "chat"
    _downloads(pane, "one", name, lambda: [one])
    _downloads(pane, "all", "chats", lambda: _all(pane))
    st.file_uploader(ui.t("chat_list.import"), TYPES, help=ui.t("chat_list.import_help"), key="chat.import",
                     on_change=_import, args=(pane,), max_upload_size=50)  # fmt: skip


def _downloads(pane: Pane, scope: str, name: str, chosen: Callable[[], Iterable[Conversation]]) -> None:
    """The files of one conversation, or of all: made only when they are asked for."""
    ui = pane.ui
    st.caption(ui.t(f"chat_list.scope_{scope}"))
    with st.container(horizontal=True, gap="small"):
        for form, ending, kind in FORMS:
            st.download_button(
                ui.t(f"chat_list.form_{form}"), partial(_written, ui, form, chosen), f"{name}.{ending}",
                kind, help=ui.t(f"chat_list.form_{form}_help"), on_click="ignore", key=f"chat.export.{scope}.{form}",
            )  # fmt: skip


def _written(ui: Ui, form: str, chosen: Callable[[], Iterable[Conversation]]) -> str | bytes:
    from engine.transfer import export_all, export_conversation, to_bytes, to_markdown, to_openai_jsonl

    found = list(chosen())
    if form == "markdown":
        return to_markdown(found, {role: ui.t(f"chat_role.{role}") for role in ROLES})
    if form == "jsonl":
        return to_openai_jsonl(found)
    return to_bytes(export_conversation(found[0]) if len(found) == 1 else export_all(found))


def _all(pane: Pane) -> Iterable[Conversation]:
    owner, chats = pane.ui.person.id, pane.ui.engine.chats
    return (chats.get(owner, line.id) for line in chats.lines(owner, limit=EXPORTED))


def _import(pane: Pane) -> None:
    file = st.session_state["chat.import"]
    if file is None:
        return

    def take() -> None:
        from engine.transfer import import_any

        found = import_any(file.getvalue(), file.name)
        made = [pane.ui.engine.chats.adopt(pane.ui.person.id, one) for one in found]
        st.toast(pane.ui.words.n("chat_list.imported", len(made)), icon=":material/check:")
        if made:
            pane.open(made[-1].id)

    pane.attempt(take)
