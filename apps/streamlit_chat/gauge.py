"""The window above the input: one bar, what would be dropped, and what to do when it overflows."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.ui import present
from apps.ui.present import Gauge
from apps.ui.window import coarse, fine, window_html
from engine.errors import PromptTooLong
from engine.window import POLICIES, Plan

SMALLEST = 16  # tokens of a virtual window


def gauge(pane: Pane) -> None:
    """The bar with the policy beside it, and one sentence where not everything would be sent."""
    ui, plan = pane.ui, pane.plan()
    with st.container(horizontal=True, gap="small", vertical_alignment="center", key=pane.key("gauge")):
        if bar := _coarse(pane, plan):
            known = isinstance(plan, Plan) and plan.segments
            st.html(window_html(bar, fine(known, ui.words, foreseen=plan.foreseen) if known else None))
        policy(pane)
        _steps(pane)
    if isinstance(plan, PromptTooLong):
        st.caption(f"⚠ {ui.t('chat_window.too_long', needed=plan.prompt_tokens, window=plan.window)}")
    elif plan is not None and plan.dropped:
        st.caption(f":material/content_cut: {ui.words.n('chat_window.will_drop', len(plan.dropped))}")


def _steps(pane: Pane) -> None:
    """Take back the last change, or make it again."""
    offered = [name for name in ("undo", "redo") if getattr(pane.chat, f"can_{name}") and not pane.writing]
    if not offered:
        return
    with st.container(horizontal=True, gap="small", width="content", key=pane.key("steps.icons")):
        for name in offered:
            st.button(pane.ui.t(f"chat_act.{name}"), icon=f":material/{name}:", help=pane.ui.t(f"chat_act.{name}_help"),
                      type="tertiary", key=pane.key(name), on_click=_step, args=(pane, name))  # fmt: skip


def _step(pane: Pane, name: str) -> None:
    pane.attempt(getattr(pane.chat, name))


def _coarse(pane: Pane, plan: Plan | PromptTooLong | None) -> Gauge | None:
    words, reserve = pane.ui.words, pane.ui.params["max_tokens"]
    if isinstance(plan, Plan) and plan.segments:
        shares = plan.segments
        return coarse(shares, words)
    if isinstance(plan, PromptTooLong):
        return present.gauge(plan.prompt_tokens or 0, 0, 0, plan.window or 0, words)
    size = min((size for size in (pane.window(), pane.conversation.settings.virtual_window) if size), default=None)
    return present.gauge(*_last_used(pane), reserve, size, words) if size else None


def _last_used(pane: Pane) -> tuple[int, int]:
    """Tokens of the last prompt and of its answer as the server counted them, for a model that cannot be asked now."""
    used = next((node.usage for node in reversed(pane.path()) if node.usage), None) or {}
    return used.get("prompt_tokens") or 0, used.get("completion_tokens") or 0


def policy(pane: Pane) -> None:
    """The chooser of what happens when the window overflows, and a smaller window to make it happen."""
    ui, settings = pane.ui, pane.conversation.settings
    label = ui.t(f"chat_window.{settings.policy}")
    with st.popover(label, icon=":material/fit_width:", help=ui.t("chat_window.policy"), key=pane.key("window")):
        st.radio(
            ui.t("chat_window.policy"), POLICIES, help=ui.t("chat_window.policy_help"),
            format_func=lambda name: ui.t(f"chat_window.{name}"), key=pane.bound("policy", settings.policy),
            captions=[ui.t(f"chat_window.{name}_help") for name in POLICIES], on_change=pane.changed, args=("policy",),
        )  # fmt: skip
        st.number_input(
            ui.t("chat_window.virtual"), SMALLEST, pane.window() or 10**6, None, 64,
            help=ui.t("chat_window.virtual_help"), placeholder=ui.t("chat_window.virtual_none"),
            key=pane.bound("virtual_window", settings.virtual_window), on_change=pane.changed, args=("virtual_window",),
        )  # fmt: skip
