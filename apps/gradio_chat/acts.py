"""What can be done with the message in hand, as one line of buttons: HTML that tells which was clicked.

Every button has a text or a name, works by keyboard, and says in a tooltip what it does.
"""

from __future__ import annotations

import html
from collections.abc import Iterable

import gradio as gr

from apps.gradio_kit import Ui
from apps.ui.node import held_up
from engine.chat import Chat
from engine.conversation import Conversation, Node

EXCERPT = 40
SIGN = 3  # letters; what is as short as that is read aloud by its explanation
SIGNS = {
    "regenerate": "↻", "answer": "↳", "continue": "▶", "branch": "⤷", "edit": "✎", "delete": "🗑", "copy": "❐",
    "trace": "👁", "code": "⌨", "save": "⤓", "curve": "∿",
}  # fmt: skip
SHORT = frozenset({"edit", "delete", "copy", "save", "curve"})  # seldom, or a sign known to everybody
_LISTEN = """element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (button && !button.disabled) trigger("click", { ...button.dataset });
});"""


def act_bar(elem_id: str) -> gr.HTML:
    """A line of buttons made by `button`; its event `click` carries what the button's `data-` attributes say."""
    return gr.HTML("", js_on_load=_LISTEN, elem_id=elem_id, elem_classes=["atelier-slot", "atelier-acts"])


def said(event: gr.EventData) -> dict[str, str]:
    """What was clicked; a browser may say anything."""
    data = event._data
    return {str(name): str(value) for name, value in data.items()} if isinstance(data, dict) else {}


def button(act: str, text: str, title: str = "", *, disabled: bool = False, **data: str) -> str:
    """One button."""
    told = "".join(f' data-{name}="{_esc(value)}"' for name, value in {"act": act, **data}.items())
    off = " disabled" if disabled else ""
    spoken = f' aria-label="{_esc(title)}"' if len(text) <= SIGN else ""
    return f'<button type="button"{told} title="{_esc(title)}"{spoken}{off}>{_esc(text)}</button>'


def of_message(ui: Ui, chat: Chat, hand: str | None, tokens: int | None = None) -> str:
    """The buttons of the message in hand, by default the last one, with its `tokens`; then what takes changes back."""
    parts: list[str] = []
    if node := in_hand(chat.conversation, hand):
        parts += _which(ui, chat.conversation.path(), node)
        parts += [f"<span>{_esc(ui.words.n('chat_act.tokens', tokens))}</span>"] if tokens is not None else []
        parts += [*_versions(ui, chat.conversation, node), *_buttons(ui, node)]
    for act, sign in (("undo", "↶"), ("redo", "↷")):
        if getattr(chat, f"can_{act}"):
            parts.append(button(act, sign, f"{ui.t(f'chat_act.{act}')}. {ui.t(f'chat_act.{act}_help')}"))
    return f'<div role="toolbar" aria-label="{_esc(ui.t("gradio.acts"))}">{"".join(parts)}</div>' if parts else ""


def in_hand(conversation: Conversation, hand: str | None) -> Node | None:
    """The message in hand: by default the last one; None where there is none."""
    path = conversation.path()
    return next((node for node in path if node.id == hand), path[-1]) if path else None


def possible(node: Node) -> tuple[str, ...]:
    """What can be done with this message, in order."""
    first = ("regenerate", "continue") if node.role == "assistant" else ("answer",)
    looks = ("trace", "code", "save", "curve") if node.model else ()
    return (*first, "branch", "edit", "delete", "copy", *looks)


def _which(ui: Ui, path: tuple[Node, ...], node: Node) -> Iterable[str]:
    """Which message is in hand, unless it is the last one, which one would expect."""
    if node is path[-1]:
        return
    text = " ".join(node.content.split())
    short = text if len(text) <= EXCERPT else text[: EXCERPT - 1] + "…"
    told = ui.t("gradio.in_hand", role=ui.t(f"chat_role.{node.role}"), text=short)
    yield f"<span>{_esc(told)}</span>"
    yield button("last", "✕", ui.t("gradio.last"), node=node.id)


def _versions(ui: Ui, conversation: Conversation, node: Node) -> Iterable[str]:
    """‹ 2/3 ›"""
    family = conversation.siblings(node.id)
    if len(family) < 2:
        return
    at = family.index(node.id)
    yield button("choose", "‹", ui.t("chat_act.previous"), disabled=at == 0, node=family[at - 1])
    place = ui.t("chat_act.version", number=at + 1, total=len(family))
    yield f'<span title="{_esc(place)}">{at + 1}/{len(family)}</span>'
    after = family[(at + 1) % len(family)]
    yield button("choose", "›", ui.t("chat_act.next"), disabled=at + 1 == len(family), node=after)


def _buttons(ui: Ui, node: Node) -> Iterable[str]:
    for act in possible(node):
        table = "chat" if act in ("trace", "code", "save") else "chat_act"
        name = ui.t(f"{table}.{act}")
        off = act in held_up(node)
        why = "chat_act.elsewhere" if off else "chat.save_help" if act == "save" else f"chat_act.{act}_help"
        text = SIGNS[act] if act in SHORT else f"{SIGNS[act]} {name}"
        yield button(act, text, f"{name}. {ui.t(why)}", disabled=off, node=node.id)


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
