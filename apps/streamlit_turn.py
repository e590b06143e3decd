"""A question with its answer in Streamlit, and what stands under every answer: statistics, exact prompt, code, save.

Knows no page and no backend.
"""

from __future__ import annotations

import json
from collections.abc import Callable

import streamlit as st

from apps import host
from apps.streamlit_kit import MODEL, USER, Ui, guard
from apps.ui import present
from apps.ui.conversation import Asked, Turn
from engine.errors import NotSupported
from engine.snippets import portable, snippets

KEY_VARIABLE = "ATELIER_API_KEY"  # the name under which shown code looks for a person's key


def show_turn(ui: Ui, turn: Turn, number: int) -> None:
    """A question, its answer, and what stands under every answer."""
    with st.chat_message("user", avatar=USER):
        st.text(turn.question)
    with st.chat_message("assistant", avatar=MODEL):
        if turn.result.reasoning:
            with st.expander(ui.t("chat.reasoning")):
                st.text(turn.result.reasoning)
        st.markdown(present.safe_markdown(turn.result.text) or ui.t("chat.no_text"))
        note = {"failed": "chat.interrupted", "user_stopped": "chat.stopped"}.get(turn.result.outcome)
        if note:
            st.caption(f"⚠ {ui.t(note)}")
        footer(ui, turn, number)


def footer(ui: Ui, turn: Turn, number: int) -> None:
    """Under every answer, always in this order: statistics, what went in, code, save."""
    result = turn.result
    st.caption(present.stats_line(result.outcome, result.usage, result.stats, ui.words))
    with st.container(horizontal=True, gap="small", key=f"footer-{number}"):
        _folded(ui, "stats.title", ":material/speed:", number, lambda: _statistics(ui, turn))
        _folded(ui, "chat.trace", ":material/visibility:", number, lambda: _trace(ui, turn))
        _folded(ui, "chat.code", ":material/terminal:", number, lambda: _code(ui, turn.asked))
        st.download_button(
            ui.t("chat.save"),
            json.dumps({"question": turn.question, **result.to_dict()}, indent=2, ensure_ascii=False),
            f"{ui.t('chat.file')}-{number + 1}.json",
            "application/json",
            help=ui.t("chat.save_help"),
            icon=":material/download:",
            type="tertiary",
            on_click="ignore",
            key=f"save.{number}",
        )


def _folded(ui: Ui, title: str, icon: str, number: int, draw: Callable[[], None]) -> None:
    """A popover whose content is made only when it is opened: fifty answers would otherwise ask fifty times."""
    with st.popover(ui.t(title), icon=icon, type="tertiary", on_change="rerun", key=f"{title}.{number}") as box:
        if box.open:
            with guard(ui):
                draw()


def _statistics(ui: Ui, turn: Turn) -> None:
    exported = turn.result.stats.export(turn.result.outcome, turn.result.usage)
    st.caption(ui.t("stats.popover"))
    st.code(present.stats_json(exported), language="json")
    st.markdown("\n".join(f"- `{name}` {text}" for name, text in present.stats_help(exported, ui.words)))


def _trace(ui: Ui, turn: Turn) -> None:
    model = ui.open(turn.asked.model)
    try:
        rendered = model.render(model.request(turn.asked.messages, turn.asked.params))
    except NotSupported:
        counted = turn.result.usage.prompt_tokens
        told = ui.t("chat.trace_counted", count=counted) if counted is not None else ""
        st.caption(f"{ui.t('chat.trace_unavailable')} {told}")
        return
    st.caption(ui.t("chat.trace_help", count=len(rendered.tokens)))
    st.code(rendered.prompt, language=None, wrap_lines=True)


def _code(ui: Ui, asked: Asked) -> None:
    model = ui.open(asked.model)
    body = model.body(model.request(asked.messages, asked.params))
    endpoint = model.card.endpoint
    address = endpoint.base_url if endpoint else own_address()
    key = (endpoint.provider.key_env if endpoint else None) or (KEY_VARIABLE if host.options().guarded else None)
    forms = snippets(portable(body, endpoint.model if endpoint else model.card.id), address, key)
    st.caption(ui.t("chat.code_help"))
    shown = {"curl": (forms.curl, "bash"), "Python": (forms.python, "python"), "LangChain": (forms.langchain, "python")}
    for tab, (code, name) in zip(st.tabs(list(shown)), shown.values(), strict=True):
        tab.code(code or ui.t("unit.unknown"), language=name)


def own_address() -> str:
    """Where this application's own `/v1` is, as the person's browser reaches it."""
    options = host.options()
    scheme, _, rest = (st.context.url or f"http://127.0.0.1:{options.port}").partition("://")
    return f"{scheme}://{rest.partition('/')[0]}{options.root_path.rstrip('/')}/v1"
