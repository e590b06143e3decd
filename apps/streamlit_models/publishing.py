"""A preset as a model: the teacher's presets that other programs may ask by name, with documents where wanted."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from apps.streamlit_kit import table
from apps.streamlit_models.desk import Desk
from apps.ui import doors
from engine.presets import Presets
from engine.published import Offer

NAME_MAX = 80


def published(desk: Desk) -> None:
    """What is offered, then the form; presets are made on the chat page."""
    t, engine = desk.ui.t, desk.ui.engine
    st.caption(t("models_publish.help"))
    offers = engine.published.list()
    if offers:
        table(doors.offer_head(desk.ui.words), doors.offer_rows(offers, desk.ui.words))
        with st.container(horizontal=True, vertical_alignment="bottom"):
            st.selectbox(t("models_publish.name"), [offer.name for offer in offers], key=desk.key("offer"), width=280)
            st.button(t("models_publish.withdraw"), icon=":material/block:", key=desk.key("offer.withdraw"),
                      on_click=desk.teach, args=(_withdraw,))  # fmt: skip
    else:
        st.caption(t("models_publish.none"))
    names = Presets(engine.library).names(desk.ui.person.id)
    if not names:
        st.caption(t("models_publish.no_presets"))
        return
    _form(desk, names)


def _form(desk: Desk, names: tuple[str, ...]) -> None:
    t, collections = desk.ui.t, {one.id: one.name for one in desk.ui.engine.collections.list(desk.ui.person.id)}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(t("models_publish.preset"), names, key=desk.key("publish.preset"), width=240)
        st.text_input(t("models_publish.as"), key=desk.key("publish.name"), max_chars=NAME_MAX, width=240,
                      placeholder=t("models_publish.as_hint"))  # fmt: skip
        if collections:
            st.multiselect(t("models_publish.collections"), list(collections), key=desk.key("publish.collections"),
                           format_func=lambda one: collections[one])  # fmt: skip
        st.button(t("models_publish.publish"), icon=":material/publish:", type="primary", key=desk.key("publish"),
                  on_click=desk.teach, args=(_publish,))  # fmt: skip


def _publish(desk: Desk) -> str:
    """Offer it, answered by the model of the left column. Raises BadInput for a name that a model has."""
    ui, preset_name = desk.ui, str(desk.get("publish.preset"))
    name = str(desk.get("publish.name") or "").strip() or preset_name
    preset = replace(Presets(ui.engine.library).get(ui.person.id, preset_name), name=name)
    collections = tuple(desk.get("publish.collections") or ())
    offer = Offer(name, preset, ui.card.id, ui.person.id, collections)
    kept = ui.engine.published.publish(offer, role=ui.person.role)
    return ui.t("models_publish.done", name=kept.name)


def _withdraw(desk: Desk) -> None:
    desk.ui.engine.published.withdraw(str(desk.get("offer")), role=desk.ui.person.role)
