"""What can be done with a message: regenerate, continue, branch, edit, delete. Buttons under the message in hand; each
of the others has only one, which takes it in hand: thirty menus cost a browser more than thirty messages.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.ui.node import held_up
from engine.conversation import Node

ICONS: Mapping[str, str] = {
    "regenerate": ":material/refresh:",
    "answer": ":material/quickreply:",
    "continue": ":material/play_arrow:",
    "branch": ":material/call_split:",
    "edit": ":material/edit:",
    "delete": ":material/delete:",
    "copy": ":material/content_copy:",
}


def possible(node: Node) -> tuple[str, ...]:
    """What can be done with this message, in order."""
    asked = ("regenerate", "continue") if node.role == "assistant" else ("answer",)
    return (*asked, "branch", "edit", "delete", "copy")


def toolbar(pane: Pane, node: Node) -> None:
    """The actions of the message in hand, each with what it does."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=pane.key(f"icons.{node.id}")):
        switcher(pane, node)
        for name in possible(node):
            label, refused = pane.ui.t(f"chat_act.{name}"), name in held_up(node)
            told = pane.ui.t("chat_act.elsewhere" if refused else f"chat_act.{name}_help")
            st.button(
                label, icon=ICONS[name], help=f"**{label}.** {told}", type="tertiary", disabled=refused,
                on_click=perform, args=(pane, node.id, name), key=pane.key(f"{name}.{node.id}"),
            )  # fmt: skip


def taking(pane: Pane, node: Node, told: str) -> None:
    """The line of a message that is not in hand; a click takes it in hand."""
    parts = (pane.ui.t("chat_act.take"), told)
    take = functools.partial(
        st.button, " · ".join(part for part in parts if part), type="tertiary", on_click=pane.take, args=(node.id,),
        key=pane.key(f"take.{node.id}"),
    )  # fmt: skip
    if len(pane.conversation.siblings(node.id)) < 2:
        take()
        return
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=pane.key(f"icons.{node.id}")):
        switcher(pane, node)
        take()


def switcher(pane: Pane, node: Node) -> None:
    """‹ 2/3 ›: the versions of this message; nothing where there is one only."""
    family = pane.conversation.siblings(node.id)
    if len(family) < 2:
        return
    place = family.index(node.id)
    ui = pane.ui
    for step, sign, name in ((-1, "left", "previous"), (1, "right", "next")):
        label = ui.t(f"chat_act.{name}")
        st.button(
            label, icon=f":material/chevron_{sign}:", help=label, type="tertiary",
            disabled=not 0 <= place + step < len(family), on_click=_choose,
            args=(pane, family[(place + step) % len(family)]), key=pane.key(f"{name}.{node.id}"),
        )  # fmt: skip
        if step < 0:
            st.markdown(f"{place + 1}/{len(family)}", width="content")


def _choose(pane: Pane, node_id: str) -> None:
    pane.attempt(lambda: pane.chat.choose(node_id))


def perform(pane: Pane, node_id: str, name: str) -> None:
    """Do it; what goes wrong is shown by the run that follows."""
    pane.attempt(lambda: _perform(pane, node_id, name))


def _perform(pane: Pane, node_id: str, name: str) -> None:
    chat = pane.chat
    if name == "edit":
        pane.set("editing", node_id)
    elif name in ("regenerate", "answer"):
        chat.regenerate(node_id, pane.choice())
    elif name == "continue":
        chat.resume(node_id, pane.choice())
    elif name == "branch":
        chat.at(node_id)
    elif name == "delete":
        chat.delete(node_id)
    else:
        pane.open(chat.copy_from(node_id))
