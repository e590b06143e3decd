"""Presets: a system prompt, parameters and settings under a name. Choosing one applies it; they travel as JSON."""

from __future__ import annotations

from dataclasses import asdict

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import held, plain
from engine.params import PARAMS, Params
from engine.presets import Preset, Presets, read_preset, ready, write_preset


def preset(pane: Pane) -> None:
    """The chooser first, then saving, deleting, export and import."""
    ui, chosen = pane.ui, pane.conversation.settings.preset
    store, owner = Presets(ui.engine.library), ui.person.id
    own = store.names(owner)
    names = (*own, *(one.name for one in ready(ui.lang) if one.name not in own))
    st.selectbox(
        ui.t("chat_head.preset"), ("", *names), key=pane.bound("preset", chosen if chosen in names else ""),
        format_func=lambda name: name or ui.t("chat_head.preset_none"), help=ui.t("chat_head.preset_help"),
        on_change=_chosen, args=(pane,),
    )  # fmt: skip
    name = st.text_input(ui.t("chat_head.preset_name"), key=pane.key("preset_name"))
    st.button(ui.t("chat_head.preset_save"), icon=":material/save:", disabled=not name.strip(), on_click=_save,
              args=(pane, name.strip()), key=pane.key("preset_save"))  # fmt: skip
    if chosen in own:
        kept = store.get(owner, str(chosen))
        st.download_button(ui.t("chat_head.preset_export"), write_preset(kept), f"{kept.name}.preset.json",
                           "application/json", icon=":material/download:", type="tertiary", on_click="ignore",
                           key=pane.key("preset_export"))  # fmt: skip
        st.button(ui.t("chat_head.preset_delete"), icon=":material/delete:", type="tertiary", on_click=_drop,
                  args=(pane, kept.name), key=pane.key("preset_drop"))  # fmt: skip
    st.file_uploader(ui.t("chat_head.preset_import"), "json", help=ui.t("chat_head.preset_import_help"),
                     key=pane.key("preset_import"), on_change=_import, args=(pane,))  # fmt: skip
    if unread := pane.get("preset_unread"):
        st.caption(ui.t("chat_head.preset_unread", names=plain(", ".join(unread))))


def _chosen(pane: Pane) -> None:
    name = st.session_state[pane.key("preset")]
    if not name:
        pane.attempt(lambda: pane.chat.settings(preset=None))
    else:
        pane.attempt(lambda: apply(pane, Presets(pane.ui.engine.library).get(pane.ui.person.id, name)))


def apply(pane: Pane, found: Preset) -> None:
    """Set the conversation and the parameters of the left column as the preset says."""
    params = found.to_params()
    pane.chat.settings(**asdict(found.apply(pane.conversation.settings)))
    _show(params.over(pane.ui.engine.defaults(pane.card)))


def _show(params: Params) -> None:
    """The values where the left column's widgets look for them."""
    for param in PARAMS:
        st.session_state[param.name] = held(param, params[param.name])


def _save(pane: Pane, name: str) -> None:
    ui = pane.ui

    def act() -> None:
        made = Preset.of(name, pane.choice().params, pane.conversation.settings)
        Presets(ui.engine.library).save(ui.person.id, made)
        pane.chat.settings(preset=name)
        st.toast(ui.t("chat_head.preset_saved", name=plain(name)), icon=":material/check:")

    pane.attempt(act)


def _drop(pane: Pane, name: str) -> None:
    def act() -> None:
        Presets(pane.ui.engine.library).drop(pane.ui.person.id, name)
        pane.chat.settings(preset=None)

    pane.attempt(act)


def _import(pane: Pane) -> None:
    file = st.session_state[pane.key("preset_import")]
    if file is None:
        return

    def act() -> None:
        found = read_preset(file.getvalue())
        Presets(pane.ui.engine.library).save(pane.ui.person.id, found)
        apply(pane, found)
        pane.set("preset_unread", found.unread or None)

    pane.attempt(act)
