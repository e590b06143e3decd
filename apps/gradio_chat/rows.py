"""A conversation as the messages of `gr.Chatbot`: texts that can load and run nothing, statistics folded under answers.

Knows no event and no layout.
"""

from __future__ import annotations

import html
from collections.abc import Iterator, Mapping
from typing import Any

from apps.gradio_kit import Ui
from apps.ui import present
from apps.ui.node import beginning, node_line, passages, totals
from apps.ui.window import Fate
from engine.conversation import Conversation, Node
from engine.live import Live

Row = dict[str, Any]
SHOWN = 30  # messages; a browser needs seconds for hundreds
OUTCOME_NOTES = {"failed": "chat.interrupted", "user_stopped": "chat.stopped"}
# Signs that Markdown or a formula would read; as entities they are shown as they are.
_SIGNS = {ord(sign): f"&#{ord(sign)};" for sign in "\\`*_{}[]()#+-.!|~$:"}


def rows(
    ui: Ui, conversation: Conversation, shown: int = SHOWN, fates: Mapping[str, Fate] | None = None
) -> list[tuple[str, Row]]:
    """The last `shown` messages, each as one row or some, with the id of the message they belong to; the totals of the
    conversation stand with the statistics of the last one.
    """
    known, path = fates or {}, conversation.path()
    found = [(node.id, row) for node in path[-shown:] for row in _rows(ui, node, known.get(node.id))]
    if found and "metadata" in (last := found[-1][1]):
        found[-1] = (found[-1][0], last | {"content": f"{last['content']}\n\n{totals(path, ui.words)}"})
    return found


def live(ui: Ui, node: Node, view: Live) -> list[Row]:
    """The rows of an answer that is being written."""
    thought = [folded(ui.t("chat.reasoning"), fenced(view.reasoning))] if view.reasoning else []
    return [*thought, {"role": "assistant", "content": present.safe_markdown(view.text)}] if view.text else thought


def _rows(ui: Ui, node: Node, fate: Fate | None) -> Iterator[Row]:
    if node.reasoning:
        yield folded(ui.t("chat.reasoning"), fenced(node.reasoning))
    role = "user" if node.role == "user" else "assistant"
    yield {"role": role, "content": "\n\n".join([*_before(ui, node), _text(ui, node, fate), *_notes(ui, node, fate)])}
    if found := passages(node):
        told = "\n\n".join(
            f"**{_plain(f'[{one.number}] {one.place}')}**\n\n{fenced(beginning(one.text))}" for one in found
        )
        yield folded(f"{ui.t('documents_ask.passages')} ({len(found)})", told)
    if line := node_line(node, ui.words):
        yield folded(line, fenced(present.stats_json(node.stats or {}), "json"))


def _before(ui: Ui, node: Node) -> Iterator[str]:
    """Who speaks, where the side of the bubble does not tell, and the files that go with the message."""
    if node.role not in ("user", "assistant"):
        yield f"⚙ **{ui.t(f'chat_role.{node.role}')}**"
    for file in node.attachments:
        known = "attached" if file.tokens is not None else "attached_unknown"
        cut = f" · {ui.t('chat_compose.truncated')}" if file.truncated else ""
        yield f"📎 {_plain(ui.t(f'chat_compose.{known}', name=file.name, tokens=file.tokens))}{cut}"


def _text(ui: Ui, node: Node, fate: Fate | None) -> str:
    if fate is not None:
        return struck(node.content, fate)
    return present.safe_markdown(node.content) or ("" if node.attachments else ui.t("chat.no_text"))


def _notes(ui: Ui, node: Node, fate: Fate | None) -> Iterator[str]:
    """What one must know about how this message came, and about whether it will be read."""
    if fate is not None and fate.kept:
        yield f"✂ *{ui.t('chat_window.will_cut')}*"
    if node.state == "writing":
        yield f"⏳ *{ui.t('chat_act.elsewhere')}*"
    elif node.state == "interrupted" and node.stats is None:
        yield f"⚠ *{ui.t('chat_act.lost')}*"
    elif key := OUTCOME_NOTES.get(node.outcome or ""):
        yield f"⚠ *{ui.t(key)}*"
    record = node.window or {}
    if dropped := len(record.get("dropped") or ()):
        yield f"✂ *{ui.words.n('chat_window.dropped', dropped)}*"
    if summary := record.get("summary"):
        yield f"*{ui.t('chat_window.summarized')}*\n\n> {_plain(summary)}"


def struck(text: str, fate: Fate) -> str:
    """The text with what will not be sent struck through; nothing in it is read as Markdown or HTML."""
    head, tail = fate.kept or ("", "")
    middle = text[len(head) : len(text) - len(tail)]
    return f"{_plain(head)}<del>{_plain(middle)}</del>{_plain(tail)}"


def _plain(text: str) -> str:
    return html.escape(text).translate(_SIGNS).replace("\n", "<br>")


def folded(title: str, content: str) -> Row:
    """A row that opens with a click."""
    return {"role": "assistant", "content": content, "metadata": {"title": title, "status": "done"}}


def fenced(text: str, language: str = "text") -> str:
    """The text between fences that it does not contain."""
    fence = "```"
    while fence in text:
        fence += "`"
    return f"{fence}{language}\n{text}\n{fence}"
