"""Class: who is here, how busy the machine is, the codes; for the teacher alone. Layout only."""

from __future__ import annotations

import streamlit as st

from apps import host
from apps import streamlit_kit as kit
from apps.announce import addresses
from apps.classroom import grouped

ui = kit.page("room")


def load() -> None:
    with kit.guard(ui), st.container(horizontal=True):
        runtime = ui.engine.loaded(ui.card.id)
        gate = runtime.gate.snapshot() if runtime is not None and runtime.gate is not None else None
        numbers = {"running": gate.running, "waiting": len(gate.waiting), "slots": gate.slots} if gate else {}
        for name, value in numbers.items():
            st.metric(ui.t(f"room.{name}"), ui.words.number(value))


def people() -> None:
    everybody = ui.engine.people.all()
    if not everybody:
        st.caption(ui.t("room.nobody"))
        return
    rows = (
        (person.nickname, ui.t(f"room.{person.role}"), f"{person.created.astimezone():%H:%M}") for person in everybody
    )
    kit.table((ui.t(f"room.{name}") for name in ("nickname", "role", "since")), rows)


def codes() -> None:
    found = host.classroom().codes
    reached = " · ".join(f"`{base}`" for base in addresses(host.options()))
    st.markdown(f"**{ui.t('room.address')}** {reached or ui.t('serve.no_network')}")
    st.markdown(f"**{ui.t('room.student_code')}** `{grouped(found.student)}`", help=ui.t("room.codes_help"))
    if st.toggle(ui.t("room.show_teacher_code")):
        st.markdown(f"**{ui.t('room.teacher_code')}** `{grouped(found.teacher)}`")


def wipe() -> None:
    with st.popover(ui.t("room.wipe"), icon=":material/delete_forever:"):
        st.markdown(ui.t("room.wipe_help"))
        if st.button(ui.t("room.wipe_confirm"), type="primary", key="room.wipe"):
            ui.engine.people.wipe_class()
            st.success(ui.t("room.wiped"))


with kit.guard(ui):
    host.require(ui.person)
    if host.options().guarded:
        codes()
    st.fragment(load, run_every=5)()
    st.subheader(ui.t("room.people"), anchor=False)
    people()
    wipe()
