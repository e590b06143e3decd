"""What is known of a model without loading it: facts of its header, what it can do, the memory that it would take."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import guard, plain, table
from apps.streamlit_models.desk import Desk
from apps.ui import model_card
from apps.ui import models as shown
from engine.catalog import ModelCard
from engine.models.details import Details, details
from engine.models.memory import estimate
from engine.runtime.load import KV_TYPES
from engine.types import CAPABILITIES

CONTEXTS = (512, 1024, 2048, 4096, 8192, 16384, 32768, 65536, 131072)
SLOTS = (1, 2, 4, 8, 16, 32, 64)


def card(desk: Desk, one: ModelCard) -> None:
    """Why it is here, its facts, whether it fits, how many people it carries, what it can do."""
    t, words = desk.ui.t, desk.ui.words
    if one.note_key:
        st.markdown(t(one.note_key))
    if one.files and not one.problem:
        with guard(desk.ui):
            found = details(one.files[0].path)
            _memory(desk, one, found)
            if one.kind == "chat":
                st.caption(plain(shown.carried(desk.ui.engine, one.id, words)))
            table(model_card.fact_head(words), model_card.fact_rows(one, found, words))
            with st.expander(t("models_card.special")):
                table(model_card.special_head(words), model_card.special_rows(found))
    elif not one.problem:
        st.caption(t("models_card.no_header"))
    with guard(desk.ui):
        _abilities(desk, one)


def _memory(desk: Desk, one: ModelCard, found: Details) -> None:
    """The estimate for a chosen window, as a bar and a sentence; nothing is loaded."""
    t, words, settings = desk.ui.t, desk.ui.words, desk.ui.engine.settings
    st.markdown(f"**{t('models_memory.title')}**", help=t("models_memory.help"))
    contexts = sorted({*(n for n in CONTEXTS if n <= (found.trained_context or n)), one.window or settings.window})
    slots = sorted({*SLOTS, settings.slots})
    with st.container(horizontal=True):
        context = st.selectbox(t("models_memory.context"), contexts, contexts.index(one.window or settings.window),
                               format_func=words.number, key=desk.key(f"context.{one.id}"), width=160)  # fmt: skip
        places = st.selectbox(t("models_memory.slots"), slots, slots.index(settings.slots), key=desk.key("slots"),
                              width=120)  # fmt: skip
        kind = st.selectbox(t("models_memory.kv"), KV_TYPES, KV_TYPES.index("f16"), key=desk.key("kv"), width=160)
    needed = estimate(found, context, places, kind)
    text = shown.memory_text(needed, words)
    st.html(shown.bar_html(shown.memory_parts(needed, words), needed.free, text, words))
    (st.caption if needed.fits else st.warning)(plain(text))


def _abilities(desk: Desk, one: ModelCard) -> None:
    t = desk.ui.t
    able = desk.ui.open(one.id).capabilities
    for title, wanted in (("models.capabilities", True), ("models.unavailable", False)):
        names = [t(f"capability.{name}") for name in CAPABILITIES if (name in able) == wanted]
        st.markdown(f"**{t(title)}** {', '.join(names) or t('unit.unknown')}")
