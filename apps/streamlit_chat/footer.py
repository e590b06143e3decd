"""What stands under a message: what became of it, its line of statistics, and the ways to look closer."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import partial

import streamlit as st

from apps.streamlit_chat.form import verdict
from apps.streamlit_chat.pane import Pane
from apps.streamlit_components import chosen, scored_strip
from apps.streamlit_kit import guard
from apps.ui import present
from apps.ui.curve import curve
from apps.ui.node import node_line, totals
from engine.conversation import Node
from engine.errors import NotFound
from engine.token_view import answer_tokens, prefix

LOOK_EVERY_S = 2.0
OUTCOME_NOTES = {"failed": "chat.interrupted", "user_stopped": "chat.stopped"}


def notes(pane: Pane, node: Node) -> None:
    """What one must know about how this message came: cut short, still coming elsewhere, read without the beginning."""
    ui = pane.ui
    if node.state == "writing":
        st.fragment(_elsewhere, run_every=LOOK_EVERY_S)(pane)
    elif node.state == "interrupted":
        st.caption(f"⚠ {ui.t('chat_act.lost')}")
    elif key := OUTCOME_NOTES.get(node.outcome or ""):
        st.caption(f"⚠ {ui.t(key)}")
    record = node.window or {}
    if dropped := len(record.get("dropped") or ()):
        st.caption(f":material/content_cut: {ui.words.n('chat_window.dropped', dropped)}")
    if summary := record.get("summary"):
        with st.expander(ui.t("chat_window.summarized")):
            st.text(summary)


def _elsewhere(pane: Pane) -> None:
    """Another tab writes it: this part alone looks whether it has ended, then the page is drawn anew."""
    st.caption(f":material/hourglass: {pane.ui.t('chat_act.elsewhere')}")
    with suppress(NotFound):  # deleted there: the next run says so
        if not pane.chat.refresh():
            return
    st.rerun()


def line(pane: Pane, node: Node) -> str:
    """The statistics of an answer; of what a person wrote, its tokens."""
    if told := node_line(node, pane.ui.words):
        return told
    count = pane.tokens(node)
    return pane.ui.words.n("chat_act.tokens", count) if count is not None else ""


def footer(pane: Pane, node: Node) -> None:
    """Always in this order: the line of statistics, the statistics themselves, what went in, code."""
    ui = pane.ui
    if told := line(pane, node):
        st.caption(told)
    if node.role != "assistant" or node.model is None:
        return
    verdict(pane, node)
    _scored(pane, node)
    with st.container(horizontal=True, gap="small", key=pane.key(f"footer.{node.id}")):
        if node.stats:
            _folded(pane, "stats.title", ":material/lightbulb:", lambda: statistics(pane, node))
        for name, icon in (("trace", ":material/visibility:"), ("code", ":material/terminal:")):
            st.button(
                ui.t(f"chat.{name}"), icon=icon, type="tertiary", help=ui.t(f"chat_act.{name}_help"),
                on_click=pane.set, args=("drawer", (node.id, "prompt" if name == "trace" else "code")),
                key=pane.key(name),
            )  # fmt: skip


def _scored(pane: Pane, node: Node) -> None:
    """The answer's tokens by their probability; a click on another possible one goes on from there."""
    if not pane.conversation.settings.token_view:
        return
    if not node.tokens:
        st.caption(pane.ui.t("chat_tokens.none"))
        return
    key = pane.key(f"scored.{node.id}")
    scored = answer_tokens(node.tokens)
    scored_strip(scored, pane.ui.words, key, on_choice=partial(_branched, pane, node, key))


def _branched(pane: Pane, node: Node, key: str) -> None:
    scored = answer_tokens(node.tokens)
    if choice := chosen(key, scored):
        begun = prefix(scored, choice.position, choice.text)
        pane.attempt(lambda: pane.chat.branch_with(node.id, begun, pane.choice()))


def _folded(pane: Pane, title: str, icon: str, draw: Callable[[], None]) -> None:
    """A popover whose content is made only when it is opened."""
    key = pane.key(title)
    with st.popover(pane.ui.t(title), icon=icon, type="tertiary", on_change="rerun", key=key) as box:
        if box.open:
            with guard(pane.ui):
                draw()


def statistics(pane: Pane, node: Node) -> None:
    """LM Studio's statistics to copy, what each means, the speed along the answer, the totals of the conversation."""
    ui, exported = pane.ui, dict(node.stats or {})
    st.caption(ui.t("stats.popover"))
    st.code(present.stats_json(exported), language="json")
    st.markdown("\n".join(f"- `{name}` {text}" for name, text in present.stats_help(exported, ui.words)))
    st.caption(totals(pane.path(), ui.words))
    if st.toggle(ui.t("chat_act.curve"), help=ui.t("chat_act.curve_help"), key=pane.key("curve")):
        _curve(pane, node)


def _curve(pane: Pane, node: Node) -> None:
    """The speed along the answer, drawn, in words, and as a file."""
    ui = pane.ui
    points = curve(pane.get("paces", {}).get(node.id, ()), (node.usage or {}).get("completion_tokens"))
    if len(points) < 2:
        st.caption(ui.t("chat_act.curve_none"))
        return
    seconds, speed = "s", ui.t("chat_act.curve_axis")
    st.line_chart([{seconds: at, speed: rate} for at, rate in points], x=seconds, y=speed, height=180)
    rates = [rate for _, rate in points]
    told = {"low": min(rates), "high": max(rates), "last": rates[-1]}
    st.caption(ui.t("chat_act.curve_text", **{name: ui.words.rate(rate) for name, rate in told.items()}))
    table = "".join(f"{at:.2f},{rate:.2f}\n" for at, rate in points)
    st.download_button("CSV", f"seconds,tokens_per_second\n{table}", "speed.csv", "text/csv", on_click="ignore",
                       icon=":material/download:", type="tertiary", key=pane.key("curve_csv"))  # fmt: skip
