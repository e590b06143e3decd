"""What can be done with a message: regenerate, continue, branch, edit, delete, look. Buttons under the message in hand,
a menu at the others.
"""

from __future__ import annotations

from collections.abc import Mapping

import streamlit as st

from apps.streamlit_chat.pane import Pane
from engine.conversation import Node

ICONS: Mapping[str, str] = {
    "regenerate": ":material/refresh:",
    "answer": ":material/quickreply:",
    "continue": ":material/play_arrow:",
    "branch": ":material/call_split:",
    "edit": ":material/edit:",
    "delete": ":material/delete:",
    "copy": ":material/content_copy:",
    "trace": ":material/visibility:",
    "code": ":material/terminal:",
}
LOOKS = ("trace", "code")
IN_SIGHT = ("regenerate", "answer", "continue", "branch", "edit", "delete")


def possible(pane: Pane, node: Node) -> tuple[str, ...]:
    """What can be done with this message, in order."""
    asked = ("regenerate", "continue") if node.role == "assistant" else ("answer",)
    looks = LOOKS if node.role == "assistant" and node.model else ()
    return (*asked, "branch", "edit", "delete", "copy", *looks)


def toolbar(pane: Pane, node: Node) -> None:
    """The actions of the message in hand, each with what it does; the rarer ones in a menu."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=pane.key(f"bar.{node.id}")):
        switcher(pane, node)
        names = possible(pane, node)
        for name in (name for name in names if name in IN_SIGHT):
            st.button(
                ICONS[name], help=f"**{pane.ui.t(_label(name))}.** {pane.ui.t(f'chat_act.{name}_help')}",
                type="tertiary", on_click=perform, args=(pane, node.id, name), key=pane.key(f"{name}.{node.id}"),
            )  # fmt: skip
        menu(pane, node, tuple(name for name in names if name not in IN_SIGHT and name not in LOOKS))


def menu(pane: Pane, node: Node, names: tuple[str, ...] | None = None) -> None:
    """The same actions as a menu, which costs nothing while it is closed."""
    offered = possible(pane, node) if names is None else names
    if not offered:
        return
    key = pane.key(f"menu.{node.id}")
    st.menu_button(
        "⋯", offered, type="tertiary", help=pane.ui.t("chat_act.more"), key=key,
        format_func=lambda name: f"{ICONS[name]} {pane.ui.t(_label(name))}",
        on_click=_chosen, args=(pane, node.id, key),
    )  # fmt: skip


def _label(name: str) -> str:
    return f"chat.{name}" if name in LOOKS else f"chat_act.{name}"


def switcher(pane: Pane, node: Node) -> None:
    """‹ 2/3 ›: the versions of this message; nothing where there is one only."""
    family = pane.conversation.siblings(node.id)
    if len(family) < 2:
        return
    place = family.index(node.id)
    ui = pane.ui
    for step, sign, name in ((-1, "‹", "previous"), (1, "›", "next")):
        st.button(
            sign, help=ui.t(f"chat_act.{name}"), type="tertiary", disabled=not 0 <= place + step < len(family),
            on_click=_choose, args=(pane, family[(place + step) % len(family)]),
            key=pane.key(f"{name}.{node.id}"),
        )  # fmt: skip
        if step < 0:
            st.markdown(f"{place + 1}/{len(family)}", width="content")


def _choose(pane: Pane, node_id: str) -> None:
    pane.attempt(lambda: pane.chat.choose(node_id))


def _chosen(pane: Pane, node_id: str, key: str) -> None:
    if name := st.session_state.get(key):
        perform(pane, node_id, name)


def perform(pane: Pane, node_id: str, name: str) -> None:
    """Do it; what goes wrong is shown by the run that follows."""
    pane.attempt(lambda: _perform(pane, node_id, name))


def _perform(pane: Pane, node_id: str, name: str) -> None:
    chat = pane.chat
    if name in LOOKS:
        pane.set("drawer", (node_id, "code" if name == "code" else "prompt"))
    elif name == "edit":
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
