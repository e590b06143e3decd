"""One folded line above the messages: system prompt, preset, mode, template, form of the answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import streamlit as st

from apps.streamlit_chat.form import added, output, template
from apps.streamlit_chat.pane import TWO, Pane
from apps.streamlit_chat.preset import preset
from apps.streamlit_kit import guard, plain
from engine.conversation import ChatSettings

FOLDED: tuple[tuple[str, str, Callable[[Pane], None]], ...] = (
    ("preset", ":material/bookmark:", preset),
    ("template", ":material/data_object:", template),
    ("output", ":material/rule:", output),
)
SHOWN = 60  # characters of the system prompt in the line


def split(panes: Sequence[Pane]) -> None:
    """The switch that puts a second chat beside the first, and the model of that one."""
    ui = panes[0].ui
    with st.container(horizontal=True, vertical_alignment="center", horizontal_alignment="right", key="chat.split"):
        if len(panes) > 1:
            cards = {card.id: card for card in ui.engine.models(ui.person.role) if not card.problem}
            cards.setdefault(panes[1].card.id, panes[1].card)
            st.selectbox(ui.t("chat_two.model"), list(cards), key=panes[1].bound("model", panes[1].card.id), width=300,
                         format_func=lambda name: cards[name].name)  # fmt: skip
        st.toggle(ui.t("chat_two.toggle"), key=TWO, help=ui.t("chat_two.toggle_help"))


def head(pane: Pane) -> None:
    """Draw it; each change is kept with the conversation."""
    ui, settings = pane.ui, pane.conversation.settings
    with st.expander(_line(pane, settings), icon=":material/tune:", key=pane.key("head")):
        st.text_area(
            ui.t("glossary.system.name"), key=pane.bound("system", settings.system), help=ui.t("glossary.system.text"),
            placeholder=ui.t("chat_head.system_hint"), height=68, on_change=pane.changed, args=("system",),
        )  # fmt: skip
        with guard(ui):
            added(pane)
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.segmented_control(
                ui.t("chat_head.mode"), ("chat", "raw"), required=True, help=_told(pane, "chat_head.mode_help", "raw"),
                disabled=pane.refused("raw") is not None and settings.mode == "chat",
                format_func=lambda mode: ui.t(f"chat_head.mode_{mode}"), key=pane.bound("mode", settings.mode),
                on_change=pane.changed, args=("mode",),
            )  # fmt: skip
            for name, icon, draw in FOLDED:
                _folded(pane, name, icon, draw)
            st.toggle(ui.t("chat_tokens.toggle"), key=pane.bound("token_view", settings.token_view),
                      help=_told(pane, "chat_tokens.toggle_help", "token_view"), on_change=pane.changed,
                      disabled=pane.refused("token_view") is not None and not settings.token_view,
                      args=("token_view",))  # fmt: skip


def _told(pane: Pane, key: str, feature: str) -> str:
    """What a control does, and why it is grey where it is."""
    reason = pane.refused(feature)
    return f"{pane.ui.t(key)}\n\n{pane.ui.t(reason)}" if reason else pane.ui.t(key)


def _folded(pane: Pane, name: str, icon: str, draw: Callable[[Pane], None]) -> None:
    with st.popover(pane.ui.t(f"chat_head.{name}"), icon=icon, help=pane.ui.t(f"chat_head.{name}_help"),
                    on_change="rerun", key=pane.key(f"{name}.box")) as box:  # fmt: skip
        if box.open:
            with guard(pane.ui):
                draw(pane)


def _line(pane: Pane, settings: ChatSettings) -> str:
    ui, text = pane.ui, " ".join(settings.system.split())
    parts = []
    if text:
        short = text if len(text) <= SHOWN else text[: SHOWN - 1] + "…"
        parts.append(ui.t("chat_head.line_system", text=plain(short)))
    if settings.preset:
        parts.append(ui.t("chat_head.line_preset", name=plain(settings.preset)))
    for name, on in (
        ("raw", settings.mode == "raw"),
        ("template", bool(settings.template)),
        ("output", settings.output_kind != "text"),
    ):
        if on:
            parts.append(ui.t(f"chat_head.line_{name}"))
    return " · ".join(parts) or ui.t("chat_head.line")
