"""Slots and queue as they run, the teacher's; and the choice of what computes."""

from __future__ import annotations

import streamlit as st

from apps import host
from apps.streamlit_kit import guard, plain, table
from apps.streamlit_models.desk import Desk
from apps.ui import slots as shown
from engine import instances
from engine.ps import busy
from engine.runtime.load import RANGES

LOOK_EVERY_S = 2.0


def slots(desk: Desk) -> None:
    """Drawn anew every two seconds."""
    st.fragment(_rows, run_every=LOOK_EVERY_S)(desk)


def _rows(desk: Desk) -> None:
    ui, words = desk.ui, desk.ui.words
    with guard(ui):
        host.require(ui.person)
        found, names = busy(ui.engine), shown.names_of(ui.engine, words)
        if not found:
            st.caption(ui.t("models_slots.none"))
            return
        table(shown.slot_head(words), shown.slot_rows(found, names, words))
        for line in shown.reading_lines(found, words):
            st.caption(plain(line))
        st.markdown(f"**{ui.t('models_slots.queue')}**")
        queue = shown.queue_rows(found, names, words)
        if queue:
            table(shown.queue_head(words), queue)
        else:
            st.caption(ui.t("models_slots.nobody"))


def choosing(desk: Desk) -> None:
    """Threads, and where there is a GPU its layers and which one. Raises LoadFailed."""
    t, words, computing = desk.ui.t, desk.ui.words, desk.ui.engine.computing
    options, kept = computing.options(), computing.get()
    st.markdown(f"**{t('models_choice.title')}**", help=t("models_choice.help"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(t("models_choice.threads"), 1, options.threads_max, kept.threads, 1, width=200,
                        placeholder=t("models_choice.threads_left", count=options.threads),
                        key=desk.key("choice.threads"))  # fmt: skip
        if options.gpus:
            low, high = RANGES["gpu_layers"]
            named = shown.devices(options, words)
            st.number_input(t("models_choice.gpu_layers"), low, high, kept.gpu_layers, 1, width=240,
                            placeholder=t("models_choice.left"), key=desk.key("choice.gpu_layers"))  # fmt: skip
            st.selectbox(t("models_choice.device"), list(named), list(named).index(kept.device or ""), width=320,
                         format_func=lambda one: named[one], key=desk.key("choice.device"))  # fmt: skip
        st.button(t("models_choice.save"), icon=":material/save:", key=desk.key("choice.save"), on_click=desk.teach,
                  args=(_save,))  # fmt: skip
    if old := computing.outdated(desk.ui.engine):
        st.caption(plain(shown.outdated_line(old, words)))
        st.button(t("models_choice.unload"), icon=":material/eject:", key=desk.key("choice.unload"),
                  on_click=desk.teach, args=(_unload,))  # fmt: skip


def _save(desk: Desk) -> str:
    given = (desk.get(f"choice.{name}") for name in ("threads", "gpu_layers", "device"))
    desk.ui.engine.computing.set(shown.choice_of(*given), desk.ui.person.role)
    return desk.ui.t("models_choice.saved")


def _unload(desk: Desk) -> str:
    for model in desk.ui.engine.computing.outdated(desk.ui.engine):
        instances.unload(desk.ui.engine, model, desk.ui.person.role)
    return desk.ui.t("models.unloaded")
