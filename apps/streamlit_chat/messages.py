"""The messages of a chat: the last thirty, each with its role, its tokens and what stands under it."""

from __future__ import annotations

import base64
from collections.abc import Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_chat.actions import taking, toolbar
from apps.streamlit_chat.footer import footer, line, notes
from apps.streamlit_chat.grounded import passages
from apps.streamlit_chat.pane import SHOWN, Pane
from apps.streamlit_kit import plain
from apps.ui import present
from apps.ui.window import Fate, fates, struck
from engine.conversation import Node

GROUP = 10  # messages that keep their places together: what a browser has drawn, it draws again where places move
PICTURE = 240  # pixels wide
AVATARS: Mapping[str, str] = {
    "user": ":material/person:",
    "assistant": ":material/smart_toy:",
    "system": ":material/settings:",
    "tool": ":material/build:",
}


def messages(pane: Pane) -> DeltaGenerator | None:
    """Draw them; what comes back is the place of the answer that is being written, None while there is none."""
    path = pane.path()
    start = max(0, len(path) - pane.get("shown", SHOWN))
    _earlier(pane, start)
    gone, held, place = fates(pane.shown_plan(), pane.conversation), pane.held(), None
    for first in range(0, len(path), GROUP):
        with st.container():  # nothing at all while it is empty
            for node in path[max(first, start) : first + GROUP]:
                place = _one(pane, node, gone.get(node.id), in_hand=node is held) or place
    if path and not pane.writing and pane.conversation.children(path[-1].id):
        st.caption(f":material/call_split: {pane.ui.t('chat_act.here')}")
    return place


def _one(pane: Pane, node: Node, fate: Fate | None, in_hand: bool) -> DeltaGenerator | None:
    """Draw one; what comes back is its place while it is being written."""
    with st.chat_message(node.role, avatar=AVATARS[node.role]):
        if pane.writing is not None and pane.writing.node_id == node.id:
            return st.container()
        if pane.get("editing") == node.id:
            _editor(pane, node)
        else:
            _message(pane, node, fate, in_hand)
    return None


def _earlier(pane: Pane, hidden: int) -> None:
    if hidden > 0:
        st.button(
            pane.ui.words.n("chat_list.earlier", hidden), icon=":material/expand_less:", type="tertiary",
            on_click=lambda: pane.set("shown", pane.get("shown", SHOWN) + SHOWN), key=pane.key("earlier"),
        )  # fmt: skip


def _message(pane: Pane, node: Node, fate: Fate | None, in_hand: bool) -> None:
    ui = pane.ui
    if node.reasoning:
        with st.expander(ui.t("chat.reasoning")):
            st.text(node.reasoning)
    for file in node.attachments:
        known = "attached" if file.tokens is not None else "attached_unknown"
        cut = f" · {ui.t('chat_compose.truncated_of', whole=file.whole)}" if file.truncated else ""
        told = plain(ui.t(f"chat_compose.{known}", name=file.name, tokens=file.tokens))
        st.caption(f":material/attach_file: {told}{cut}")
        if file.kind == "image" and (picture := pixels(file.data_url)):
            st.image(picture, width=PICTURE)
    _text(pane, node, fate)
    passages(pane, node)
    notes(pane, node)
    if in_hand:
        toolbar(pane, node)
        footer(pane, node)
    else:
        taking(pane, node, line(pane, node))


def _text(pane: Pane, node: Node, fate: Fate | None) -> None:
    if fate is not None:
        st.html(struck(node.content, fate))
        if fate.kept:
            st.caption(f":material/content_cut: {pane.ui.t('chat_window.will_cut')}")
    elif node.role == "assistant":
        st.markdown(present.safe_markdown(node.content) or pane.ui.t("chat.no_text"))
    else:
        st.text(node.content)


def pixels(address: str | None) -> bytes | None:
    """The bytes in a data address of ours; any other address is no picture and is never fetched."""
    head, found, data = (address or "").partition(";base64,")
    return base64.b64decode(data) if found and head.startswith("data:image/") else None


def _editor(pane: Pane, node: Node) -> None:
    ui, key = pane.ui, pane.key(f"editor.{node.id}")
    st.text_area(ui.t("chat_act.edit"), node.content, key=key, label_visibility="collapsed", height="content")
    with st.container(horizontal=True):
        st.button(ui.t("chat_act.save_edit"), type="primary", on_click=_saved, args=(pane, node, key),
                  help=ui.t("chat_act.edit_help"), key=pane.key("save_edit"))  # fmt: skip
        if node.role == "user":
            st.button(ui.t("chat_act.save_ask"), on_click=_asked_again, args=(pane, node, key),
                      help=ui.t("chat_act.save_ask_help"), key=pane.key("save_ask"))  # fmt: skip
        st.button(ui.t("chat_act.cancel"), type="tertiary", on_click=pane.set, args=("editing", None),
                  key=pane.key("cancel_edit"))  # fmt: skip


def _saved(pane: Pane, node: Node, key: str) -> None:
    pane.attempt(lambda: pane.chat.edit(node.id, st.session_state[key]))
    if not pane.get("failure"):
        pane.set("editing", None)


def _asked_again(pane: Pane, node: Node, key: str) -> None:
    def ask() -> None:
        pane.chat.at(node.parent)
        pane.chat.say(st.session_state[key], pane.choice(), attachments=node.attachments)

    pane.set("editing", None)
    pane.attempt(ask)
