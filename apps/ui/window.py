"""The model's window as both interfaces show it: what becomes of each message, and the bar with its finer parts. Knows
no widget.
"""

from __future__ import annotations

import html
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from apps.ui import present
from apps.ui.i18n import Words
from apps.ui.present import Gauge, Segment
from apps.ui.theme import OKABE_ITO
from engine.conversation import Conversation
from engine.errors import PromptTooLong
from engine.window import Plan, Segments

COLOURS: Mapping[str, str | None] = {
    "template": OKABE_ITO["purple"],
    "system": OKABE_ITO["orange"],
    "history": OKABE_ITO["blue"],
    "retrieved": OKABE_ITO["yellow"],
    "reserved": OKABE_ITO["sky"],
    "free": None,
}


@dataclass(frozen=True)
class Fate:
    """What becomes of a message that is not sent whole: `kept` are its beginning and its end, None where it is dropped
    altogether.
    """

    kept: tuple[str, str] | None = None


def fates(plan: Plan | PromptTooLong | None, conversation: Conversation) -> dict[str, Fate]:
    """The messages on screen that would not be sent whole, by id."""
    if not isinstance(plan, Plan) or plan.whole:
        return {}
    sent = [node.id for node in conversation.path() if (message := node.message()).content or message.extra]
    first = 1 if plan.led or conversation.settings.system.strip() else 0  # the system prompt is no message of the tree
    found = {sent[index - first]: Fate() for index in plan.dropped if 0 <= index - first < len(sent)}
    cut = {sent[index - first]: Fate(kept) for index, kept in plan.cut.items() if 0 <= index - first < len(sent)}
    return found | cut


def coarse(shares: Segments, words: Words) -> Gauge:
    """The window in three parts: what would be sent, what is kept for the answer, what is free."""
    used, window = shares.prompt_tokens, sum(asdict(shares).values())
    tokens = {"prompt": used, "reserved": shares.reserved, "free": shares.free}
    colours = {"prompt": OKABE_ITO["blue"], "reserved": OKABE_ITO["sky"], "free": None}
    parts = tuple(
        Segment(key, words.t(f"gauge.{key}", tokens=count), count, count / max(window, 1), colours[key])
        for key, count in tokens.items()
    )
    percent = 100 * used / max(window, 1)
    return Gauge(
        parts, words.t("gauge.text", used=used, window=window, percent=percent, answer=0, **tokens), window, used
    )


def fine(shares: Segments, words: Words, *, foreseen: bool = False) -> Gauge:
    """The window in its six parts; those that are empty are left out. `foreseen` passages are not those that are sent,
    and named so.
    """
    tokens = asdict(shares)
    window = sum(tokens.values())
    used = shares.prompt_tokens
    parts = tuple(
        Segment(key, words.t(_name(key, foreseen), tokens=count), count, count / max(window, 1), COLOURS[key])
        for key, count in tokens.items()
        if count or key == "free"
    )
    return Gauge(parts, words.t("chat_window.detail", used=used, window=window, **tokens), window, used)


def _name(key: str, foreseen: bool) -> str:
    if key == "retrieved" and foreseen:
        return "chat_window.foreseen"
    return f"gauge.{key}" if key in ("reserved", "free") else f"chat_window.{key}"


def window_html(coarse: Gauge, finer: Gauge | None) -> str:
    """The coarse bar; a click on it unfolds the finer one."""
    if finer is None:
        return present.gauge_html(coarse)
    return (
        f'<details><summary style="cursor:pointer;list-style:none" title="{html.escape(finer.text, quote=True)}">'
        f"{present.gauge_html(coarse)}</summary>{present.gauge_html(finer)}</details>"
    )


def struck(text: str, fate: Fate) -> str:
    """The text with what will not be sent struck through, as HTML that holds nothing but text."""
    head, tail = fate.kept or ("", "")
    middle = text[len(head) : len(text) - len(tail)]
    shown = f"{html.escape(head)}<s style='opacity:.6'>{html.escape(middle)}</s>{html.escape(tail)}"
    return f"<div style='white-space:pre-wrap;overflow-wrap:anywhere'>{shown}</div>"
