"""The registry: the table of models, and the card of the chosen one in four parts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_kit import guard, plain, table
from apps.streamlit_models.card import card
from apps.streamlit_models.configuring import configuration
from apps.streamlit_models.desk import Desk
from apps.streamlit_models.files import files
from apps.streamlit_models.template import template
from apps.ui import models as shown
from apps.ui.model_card import PARTS, Part
from apps.ui.present import progress_text
from engine.capacity import known, measure
from engine.catalog import ModelCard

FEW = 8  # models that need no filter
DRAWN: Mapping[Part, Callable[[Desk, ModelCard], None]] = {
    "card": card,
    "configuration": configuration,
    "template": template,
    "files": files,
}


def registry(desk: Desk) -> None:
    """Table, then the chosen one."""
    t, words = desk.ui.t, desk.ui.words
    found = tuple(desk.cards.values())
    if len(found) > FEW:
        hint = t("models_table.filter_hint")
        wanted = st.text_input(t("models_table.filter"), key=desk.key("filter"), placeholder=hint)
        found = shown.matching(found, wanted, words)
    if found:
        table(shown.head(words), shown.rows(desk.ui.engine, found, words))
    else:
        st.caption(t("models_table.none"))
    if len(found) > shown.LISTED:
        st.caption(t("models_table.more", count=len(found) - shown.LISTED))
    for line in shown.problems(found, words):
        st.caption(plain(line))
    _chosen(desk)


def _chosen(desk: Desk) -> None:
    """One model: what may be done with it, and its card."""
    t, names, key = desk.ui.t, list(desk.cards), desk.key(f"one.{desk.ui.card.id}")
    with st.container(horizontal=True, vertical_alignment="bottom"):
        one = st.selectbox(t("models.choose"), names, names.index(desk.ui.card.id), key=key, width=360,
                           format_func=lambda name: desk.cards[name].name)  # fmt: skip
        found = desk.cards[one]
        if found.id != desk.ui.card.id and not found.problem:
            st.button(t("models_table.use"), help=t("models_table.use_help"), icon=":material/check_circle:",
                      key=desk.key("use"), on_click=_use, args=(found.id,))  # fmt: skip
        ours = found.backend == "llamacpp" and found.kind == "chat" and not found.problem
        pressed = desk.teacher and ours and _buttons(desk, found)
    if pressed:
        _load(desk, found.id, st.empty())
    labels = {t(f"models_card.tab.{part}"): part for part in PARTS}
    for tab, part in zip(st.tabs(list(labels), on_change="rerun", key=desk.key("card.tabs")), PARTS, strict=True):
        if tab.open:
            with tab, guard(desk.ui):
                DRAWN[part](desk, found)


def _use(model_id: str) -> None:
    st.session_state["model"] = model_id


def _buttons(desk: Desk, found: ModelCard) -> bool:
    """Whether it is to be loaded now."""
    t = desk.ui.t
    if desk.ui.engine.loaded(found.id) is None:
        return st.button(
            t("models.load"), help=t("models.load_help"), icon=":material/play_arrow:", key=desk.key("load")
        )
    st.button(t("models.unload"), help=t("models.unload_help"), icon=":material/eject:", key=desk.key("unload"),
              on_click=desk.teach, args=(lambda now: unload(now, found.id),))  # fmt: skip
    return False


def unload(desk: Desk, model_id: str) -> str:
    """Free the model's memory; a teacher's."""
    desk.ui.engine.unload(model_id)
    return desk.ui.t("models.unloaded")


def _load(desk: Desk, model_id: str, place: DeltaGenerator) -> None:
    """Load it now, with a bar, then the page anew."""

    def loading(now: Desk) -> None:
        runtime = now.ui.engine.runtime(model_id)
        for event in runtime.ready() if runtime else ():
            progress = progress_text(event, now.ui.words)
            place.progress(progress.share or 0.0, progress.text)
        if runtime is not None and known(now.ui.engine, model_id) is None:
            place.progress(1.0, now.ui.t("models_card.measuring"))
            measure(now.ui.engine, model_id)

    desk.teach(loading)
    st.rerun()
