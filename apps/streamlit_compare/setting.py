"""The head of a column: its model, and folded its system prompt and the parameters of its own."""

from __future__ import annotations

from typing import Any

import streamlit as st

from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import held, plain
from apps.ui import compare
from apps.ui.compare import SYSTEM_MAX, Setting
from apps.ui.controls import GROUPS, Control, controls
from engine.compare.side import SIDES_MIN
from engine.errors import BadParameter
from engine.params import BY_NAME


def setting(desk: Desk, number: int) -> None:
    """The chooser of a model; the rest is made when it is unfolded."""
    t, one, letter = desk.ui.t, desk.settings[number], compare.LETTERS[number]
    with st.container(horizontal=True, gap="small", vertical_alignment="bottom", key=desk.key(f"head-{number}-icons")):
        st.selectbox(
            t("compare.model", letter=letter), list(desk.choices), key=desk.bound(f"model.{number}", one.model),
            format_func=lambda name: desk.choices.get(name, name), accept_new_options=True, on_change=_model,
            args=(desk, number), help=t("compare.model_help"),
        )  # fmt: skip
        if len(desk.settings) > SIDES_MIN:
            st.button(t("compare.remove", letter=letter), icon=":material/close:", type="tertiary",
                      key=desk.key(f"remove.{number}"), on_click=_remove, args=(desk, number),
                      disabled=desk.running)  # fmt: skip
    if told := compare.recorded_told(one.model, desk.ui.words):
        st.caption(f":material/fiber_manual_record: **{t('compare.recorded')}** · {plain(told)}")
        return  # nothing that is set would change it
    told = compare.told(one, desk.ui.words)
    label = f"{t('compare.settings')} · {plain(told)}" if told else t("compare.settings")
    with st.expander(label, icon=":material/tune:", on_change="rerun", key=desk.key(f"settings.{number}")) as box:
        if box.open:
            _settings(desk, number, one)


def _model(desk: Desk, number: int) -> None:
    name = f"model.{number}"
    chosen = str(desk.shown(name) or "").strip()[: compare.NAME_MAX]
    if desk.touched(name) and chosen:
        desk.hold(compare.changed(desk.settings, number, model=chosen))


def _remove(desk: Desk, number: int) -> None:
    desk.hold(compare.removed(desk.settings, number))


def _settings(desk: Desk, number: int, one: Setting) -> None:
    """The system prompt, the parameters by groups, and back to those of the left column."""
    t = desk.ui.t
    st.text_area(t("compare.system"), key=desk.bound(f"system.{number}", one.system), height=100, max_chars=SYSTEM_MAX,
                 help=t("compare.system_help"), on_change=_system, args=(desk, number))  # fmt: skip
    st.caption(t("compare.settings_help"))
    rows = controls(desk.ui.lang, unsupported=desk.refused(one))
    for group in GROUPS:
        mine = [row for row in rows if row.group == group]
        if group == "basic":
            _rows(desk, number, mine)
        else:
            with st.expander(t(f"group.{group}"), on_change="rerun", key=desk.key(f"group.{number}.{group}")) as box:
                if box.open:
                    _rows(desk, number, mine)
    st.button(t("compare.as_left"), icon=":material/restart_alt:", type="tertiary", help=t("compare.as_left_help"),
              key=desk.key(f"left.{number}"), on_click=_as_left, args=(desk, number), disabled=not one.own)  # fmt: skip


def _system(desk: Desk, number: int) -> None:
    name = f"system.{number}"
    if desk.touched(name):
        desk.hold(compare.changed(desk.settings, number, system=str(desk.shown(name) or "")))


def _as_left(desk: Desk, number: int) -> None:
    desk.hold(compare.changed(desk.settings, number, own={}))


def _rows(desk: Desk, number: int, rows: list[Control]) -> None:
    for row in rows:
        _row(desk, row, number)


def _row(desk: Desk, row: Control, number: int) -> None:
    """One parameter as this column asks it."""
    name = f"{row.name}.{number}"
    shown: dict[str, Any] = {
        "key": desk.bound(name, held(BY_NAME[row.name], desk.value(number, row.name))), "disabled": row.disabled,
        "help": f"{row.help}\n\n{row.reason}" if row.reason else row.help, "on_change": _own,
        "args": (desk, number, row.name),
    }  # fmt: skip
    if row.kind == "slider":
        st.slider(row.label, row.low, row.high, step=row.step, **shown)
    elif row.kind == "number":
        empty = desk.ui.t("sidebar.empty_seed") if row.value is None else None
        st.number_input(row.label, row.low, row.high, value=None, step=row.step, placeholder=empty, **shown)
    elif row.kind == "choice":
        st.selectbox(row.label, row.choices, **shown)
    elif row.choices:
        st.multiselect(row.label, row.choices, placeholder=desk.ui.t("sidebar.choose_in_order"), **shown)
    else:
        st.text_area(row.label, height=68, **shown)


def _own(desk: Desk, number: int, param: str) -> None:
    """Keep what the control shows; what is as in the left column is not the column's own."""
    name = f"{param}.{number}"
    if not desk.touched(name):
        return
    own = {key: value for key, value in desk.settings[number].own.items() if key != param}
    desk.hold(compare.changed(desk.settings, number, own=own))
    try:
        value = BY_NAME[param].check(desk.shown(name))
    except BadParameter as error:
        desk.set("failure", error)
        return
    if value is not None and value != BY_NAME[param].check(desk.value(number, param)):
        desk.hold(compare.changed(desk.settings, number, own={**own, param: value}))
