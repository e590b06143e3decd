"""The settings of a draw: the five that matter most in sight, the others folded. They are those of the left column."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_sampling.desk import Desk
from apps.ui.controls import Control, controls
from apps.ui.sampling import ORDERS, SEED
from engine.output import KINDS

FIRST = ("temperature", "top_k", "top_p", "min_p")
MORE = (
    "typical_p", "top_n_sigma", "xtc_probability", "xtc_threshold", "dynatemp_range",
    "dry_multiplier", "dry_base", "dry_allowed_length", "repeat_penalty", "repeat_last_n",
    "presence_penalty", "frequency_penalty", "mirostat", "mirostat_tau", "mirostat_eta",
)  # fmt: skip


def settings(desk: Desk) -> None:
    """Sliders and seed in one line, which acts at once; under them what is changed more rarely."""
    for place, row in zip(st.columns(len(FIRST) + 1), (*controls(desk.ui.lang, FIRST), None), strict=True):
        with place:
            if row is None:
                _seed(desk)
            else:
                _control(desk, row)
    with st.expander(desk.ui.t("sampling.more"), icon=":material/tune:", on_change="rerun",
                     key=desk.key("more")) as box:  # fmt: skip
        if box.open:
            _more(desk)


def order(desk: Desk) -> None:
    """In which order the samplers act."""
    t, chosen = desk.ui.t, desk.values["order"]
    st.segmented_control(
        t("sampling.order"), ORDERS, key=desk.bound("order", chosen), on_change=desk.changed, args=("order",),
        format_func=lambda name: t(f"sampling.orders_{name}"), required=True, help=t("sampling.order_help"),
        label_visibility="collapsed",
    )  # fmt: skip


def _seed(desk: Desk) -> None:
    (row,) = controls(desk.ui.lang, ("seed",))
    seed = desk.ui.params["seed"]
    shown = SEED if seed is None else seed
    st.number_input(row.label, row.low, row.high, shown, step=row.step, help=row.help, on_change=desk.param_changed,
                    key=desk.bound("seed", shown), args=("seed",))  # fmt: skip


def _more(desk: Desk) -> None:
    t, rows = desk.ui.t, controls(desk.ui.lang, MORE)
    for number, place in enumerate(st.columns(3)):
        with place:
            for row in rows[number * len(rows) // 3 : (number + 1) * len(rows) // 3]:
                _control(desk, row)
    if desk.values["order"] == "huggingface":
        st.caption(t("sampling.order_less"))
    elif desk.ui.params["samplers"]:
        st.caption(t("sampling.order_own"))
    st.selectbox(t("sampling.form"), KINDS, key=desk.bound("kind", desk.values["kind"]), on_change=desk.changed,
                 args=("kind",), format_func=lambda name: t(f"sampling.form_{name}"),
                 help=t("sampling.form_help"))  # fmt: skip
    if desk.values["kind"] != "text":
        st.text_area(t("sampling.form_source"), key=desk.bound("source", desk.values["source"]), height=120,
                     on_change=desk.changed, args=("source",), max_chars=20_000)  # fmt: skip


def _control(desk: Desk, row: Control) -> None:
    """Its value is given twice: a browser that missed a run of the page would begin at the lowest."""
    value = desk.ui.params[row.name]
    key = desk.bound(row.name, value)
    if row.kind == "slider":
        st.slider(row.label, row.low, row.high, value, step=row.step, key=key, help=row.help,
                  on_change=desk.param_changed, args=(row.name,))  # fmt: skip
    elif row.kind == "choice":
        st.selectbox(row.label, row.choices, key=key, help=row.help, on_change=desk.param_changed, args=(row.name,))
    else:
        st.number_input(row.label, row.low, row.high, value, step=row.step, key=key, help=row.help,
                        on_change=desk.param_changed, args=(row.name,))  # fmt: skip
