"""The chat template of a model: its Jinja source, and what it makes of a few words."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import guard
from apps.streamlit_models.desk import Desk
from engine.catalog import ModelCard
from engine.models.details import Details, details
from engine.templates import render
from engine.types import Message

LASTS = {"persist_state": "session"}
TEXT_MAX = 2000


def template(desk: Desk, one: ModelCard) -> None:
    """Preview first, then the source."""
    t = desk.ui.t
    if not one.files or one.problem:
        st.caption(t("models_card.no_header"))
        return
    found = details(one.files[0].path)
    if not found.chat_template:
        st.caption(t("models_card.no_template"))
        return
    _preview(desk, found, found.chat_template)
    with st.expander(t("models_card.template_source")):
        st.code(found.chat_template, language="jinja2", wrap_lines=True)


def _preview(desk: Desk, found: Details, source: str) -> None:
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        system = st.text_input(t("models_card.template_system"), key=desk.key("template.system"), max_chars=TEXT_MAX)
        user = st.text_input(t("models_card.template_user"), t("models_card.template_user_default"),
                             key=desk.key("template.user"), max_chars=TEXT_MAX)  # fmt: skip
    answer = st.toggle(t("models_card.template_answer"), True, key=desk.key("template.answer"),
                       help=t("models_card.template_answer_help"))  # fmt: skip
    said = [Message("system", system)] if system else []
    with guard(desk.ui):
        special = found.special_tokens
        text = render(source, [*said, Message("user", user)], bos=special.get("bos", ""), eos=special.get("eos", ""),
                      add_generation_prompt=answer)  # fmt: skip
        st.caption(t("models_card.template_preview"))
        st.code(text, language=None, wrap_lines=True)
