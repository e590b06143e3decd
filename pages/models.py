"""Models: which there are, and what is in the chosen one. Layout only."""

from __future__ import annotations

import streamlit as st

from apps import streamlit_kit as kit
from apps.streamlit_sidebar import card
from apps.ui import present
from engine.catalog import ModelCard
from engine.types import CAPABILITIES

WHERE = {"llamacpp": "models.where_local", "openai_compat": "models.where_remote", "echo": "models.where_echo"}
COLUMNS = ("name", "source", "quantization", "size", "window", "state")

ui = kit.page("models")
words = ui.words


def load() -> None:
    runtime = ui.engine.runtime(ui.card.id)
    for event in runtime.ready() if runtime else ():
        progress = present.progress_text(event, words)
        place.progress(progress.share or 0.0, progress.text)
    st.rerun()


def line(model: ModelCard) -> tuple[str, ...]:
    state = ui.engine.state(model)
    return (
        model.name,
        ui.t(WHERE[model.backend]),
        model.quantization or ui.t("unit.unknown"),
        words.size(model.size_bytes),
        words.number(model.window),
        present.model_state_text(state.name, words, state.elapsed),
    )


with kit.guard(ui):
    kit.table((ui.t(f"models.{name}") for name in COLUMNS), map(line, ui.engine.models()))

with kit.guard(ui), st.container(border=True):
    card(ui, ui.card)
    able = ui.model.capabilities
    for title, wanted in (("models.capabilities", True), ("models.unavailable", False)):
        names = [ui.t(f"capability.{name}") for name in CAPABILITIES if (name in able) == wanted]
        st.markdown(f"**{ui.t(title)}** {', '.join(names) or ui.t('unit.unknown')}")

place = st.empty()
if ui.card.backend == "llamacpp" and ui.person.role == "teacher":
    with st.container(horizontal=True), kit.guard(ui):
        if ui.engine.loaded(ui.card.id) is None:
            if st.button(ui.t("models.load"), help=ui.t("models.load_help"), icon=":material/play_arrow:"):
                load()
        elif st.button(ui.t("models.unload"), help=ui.t("models.unload_help"), icon=":material/eject:"):
            ui.engine.unload(ui.card.id)
            st.rerun()
