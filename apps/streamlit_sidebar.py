"""The left column of every Streamlit page: who I am, the model and its state, parameters, language. Knows no page."""

from __future__ import annotations

import functools
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import streamlit as st

from apps import host
from apps.streamlit_kit import COLUMN, DEFAULTS, Ui, defaults, guard, held, known_card
from apps.ui import compare, present
from apps.ui.comptine_cell import ADDRESS
from apps.ui.controls import GROUPS, Control, controls
from apps.ui.i18n import LANGUAGES
from engine.catalog import ModelCard
from engine.errors import EngineError
from engine.native import native_state
from engine.params import PARAMS, Group
from engine.support import unsupported

POLLED = {"loading": 1.0, "failed": 2.0}  # seconds between two looks at a state that ends without this page's doing
CLASS_EVERY_S = 10.0
HERE_S = 300.0  # a person seen within that time is here
PARAMETERS = "sidebar.parameters"
KEPT = ("lang", "seeded")


def sidebar(ui: Ui, section: str) -> None:
    """Draw the left column beside a section. Its controls live here, in the entry file, which keeps their values."""
    with st.sidebar, guard(ui):
        if host.options().guarded:
            _me(ui)
        st.session_state[COLUMN] = st.container()
        _model(ui)
        _parameters(ui)
        st.segmented_control(
            ui.t("sidebar.language"), LANGUAGES, key="lang", format_func=str.upper, required=True,
            label_visibility="collapsed", help=ui.t("sidebar.language"),
        )  # fmt: skip
        with st.popover(ui.t("glossary.title"), icon=":material/menu_book:", type="tertiary"):
            st.markdown("\n\n".join(f"**{name}**  \n{text}" for name, text in present.glossary(ui.words)))
        _page_component()(data={"lang": ui.lang, "section": section}, key="page_component")


@functools.cache
def _page_component() -> Any:
    script = Path(__file__).parent / "ui" / "components" / "page.js"
    return st.components.v2.component("atelier_page", js=script.read_text(encoding="utf-8"))


def _me(ui: Ui) -> None:
    person = ui.person
    st.markdown(
        ui.t(f"sidebar.me_{person.role}", name=_escaped(person.nickname)), help=ui.t("sidebar.no_personal_data")
    )
    st.fragment(_load, run_every=CLASS_EVERY_S)(ui)
    st.button(ui.t("sidebar.reset_page"), help=ui.t("sidebar.reset_page_help"), icon=":material/restart_alt:",
              type="tertiary", on_click=_reset_page, key="reset_page")  # fmt: skip


def _escaped(name: str) -> str:
    return "".join(f"\\{sign}" if not sign.isalnum() and sign != " " else sign for sign in name)


def _load(ui: Ui) -> None:
    with guard(ui):
        here, waiting = load(ui)
        st.caption(ui.words.n("sidebar.load", here, waiting=waiting))


def load(ui: Ui) -> tuple[int, int]:
    """How many people were here in the last minutes, and how many requests wait for the chosen model."""
    runtime = ui.engine.loaded(ui.card.id)
    gate = runtime.gate.snapshot() if runtime is not None and runtime.gate is not None else None
    since = time.time() - HERE_S
    here = sum(person.last_seen.timestamp() >= since for person in ui.engine.people.all())
    return here, len(gate.waiting) if gate else 0


def _reset_page() -> None:
    for name in list(st.session_state):
        if name not in KEPT:
            del st.session_state[name]
    for name in ("chat", "chat2", compare.ADDRESS, *ADDRESS):  # conversations stay in the list; what was set goes
        st.query_params.pop(name, None)
    st.session_state["model"] = known_card().id
    _reset_parameters()


def _model(ui: Ui) -> None:
    cards = {card.id: card for card in ui.engine.models(ui.person.role) if not card.problem}
    chosen = ui.card
    cards.setdefault(chosen.id, chosen)
    st.selectbox(
        ui.t("sidebar.model"), list(cards), key="model", format_func=lambda name: cards[name].name,
        help=ui.t("sidebar.model_help"),
    )  # fmt: skip
    state = ui.engine.state(chosen)
    st.fragment(_state, run_every=POLLED.get(state.name))(ui, chosen, state.name)
    with st.popover(ui.t("sidebar.model_card"), icon=":material/info:", type="tertiary"):
        card(ui, chosen)
    _native(ui)


def _state(ui: Ui, chosen: ModelCard, before: str) -> None:
    with guard(ui):
        state = ui.engine.state(chosen)
        if state.name != before and before in POLLED:
            st.rerun()  # the whole page, which looks as often as the new state needs: not at all once it is ready
        st.markdown(present.model_state_text(state.name, ui.words, state.elapsed))
        window = ui.t("sidebar.window", window=ui.window) if ui.window else ui.t("sidebar.window_unknown")
        st.caption(" · ".join(part for part in (chosen.quantization, window) if part))


def card(ui: Ui, chosen: ModelCard) -> None:
    """The card of a model: why it is here, its files, its licence."""
    st.markdown(f"**{_escaped(chosen.name)}**")
    if chosen.note_key:
        st.markdown(ui.t(chosen.note_key))
    for file in chosen.files:
        note = f" · {ui.t(file.note_key)}" if file.note_key else ""
        st.markdown(f"`{file.path.name}`  \n{file.quantization or ''} · {ui.words.size(file.size_bytes)}{note}")
    if chosen.licence:
        st.caption(f"{ui.t('models.licence')} {chosen.licence}")


def _native(ui: Ui) -> None:
    native = native_state()
    if not native.ready:
        elapsed = ui.words.seconds(time.time() - native.started) if native.started else ui.t("unit.unknown")
        st.caption(f":material/construction: {ui.t(f'native.{native.state}', **_elapsed(native.state, elapsed))}")


def _elapsed(state: str, elapsed: str) -> dict[str, str]:
    return {"elapsed": elapsed} if state == "building" else {}


def _parameters(ui: Ui) -> None:
    """Made only when it is open: thirty controls cost a browser more than a conversation."""
    rows = controls(ui.lang, unsupported=_refused(ui))
    with st.expander(ui.t("sidebar.parameters"), icon=":material/tune:", on_change="rerun", key=PARAMETERS) as box:
        if not box.open:
            _keep(rows)
            return
        for reason in dict.fromkeys(row.reason for row in rows if row.reason):
            st.caption(f":material/block: {reason}")
        for group in GROUPS:
            _group(ui, group, [row for row in rows if row.group == group])
        st.button(ui.t("sidebar.reset_parameters"), help=ui.t("sidebar.reset_parameters_help"), type="tertiary",
                  icon=":material/restart_alt:", on_click=_reset_parameters, key="reset_parameters")  # fmt: skip


def _group(ui: Ui, group: Group, rows: list[Control]) -> None:
    if group == "basic":
        _widgets(ui, rows)
    elif rows:
        with st.expander(ui.t(f"group.{group}"), on_change="rerun", key=f"{PARAMETERS}.{group}") as box:
            if box.open:
                _widgets(ui, rows)
            else:
                _keep(rows)


def _keep(rows: Iterable[Control]) -> None:
    """Hold on to the values of controls that are not drawn, which Streamlit would forget."""
    for row in rows:
        st.session_state[row.name] = st.session_state[row.name]


def _refused(ui: Ui) -> Mapping[str, str]:
    """What the chosen model does not take; of one that this person may not open, nothing is known."""
    try:
        return unsupported(ui.model)
    except EngineError:
        return {}


def _widgets(ui: Ui, rows: list[Control]) -> None:
    for row in rows:
        told = f"{row.help}\n\n{row.reason}" if row.reason else row.help
        if row.kind == "slider":
            st.slider(row.label, row.low, row.high, step=row.step, key=row.name, help=told, disabled=row.disabled)
        elif row.kind == "number":
            st.number_input(row.label, row.low, row.high, value=None, step=row.step, key=row.name, help=told,
                            disabled=row.disabled,
                            placeholder=ui.t("sidebar.empty_seed") if row.value is None else None)  # fmt: skip
        elif row.kind == "choice":
            st.selectbox(row.label, row.choices, key=row.name, help=told, disabled=row.disabled)
        elif row.choices:
            st.multiselect(row.label, row.choices, key=row.name, help=told, disabled=row.disabled,
                           placeholder=ui.t("sidebar.choose_in_order"))  # fmt: skip
        else:
            st.text_area(row.label, key=row.name, help=told, height=68, disabled=row.disabled)


def _reset_parameters() -> None:
    own = st.session_state[DEFAULTS] = defaults()
    for param in PARAMS:
        st.session_state[param.name] = held(param, own.get(param.name, param.default))
