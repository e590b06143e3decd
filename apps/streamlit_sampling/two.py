"""The same place of the same text under two settings, side by side."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_components import waterfall
from apps.streamlit_kit import plain
from apps.streamlit_sampling.desk import Desk
from apps.ui.controls import controls
from apps.ui.sampling import ORDERS, compared_told, waterfall_data
from engine.sampling import Moment, compare

OTHER = ("temperature", "top_k", "top_p", "min_p")


def two(desk: Desk) -> None:
    """The controls of the second setting, how far the two are apart, both pictures."""
    t, values = desk.ui.t, desk.values
    st.caption(t("sampling.two_other"))
    places = st.columns([2, 1, 1, 1, 1])
    with places[0]:
        st.segmented_control(
            t("sampling.order"), ORDERS, key=desk.bound("order2", values["order2"]), on_change=desk.changed,
            args=("order2",), format_func=lambda name: t(f"sampling.orders_{name}"), required=True,
        )  # fmt: skip
    for place, row in zip(places[1:], controls(desk.ui.lang, OTHER), strict=True):
        name = f"{row.name}2"
        with place:
            st.slider(row.label, row.low, row.high, values[name], step=row.step, key=desk.bound(name, values[name]),
                      help=row.help, on_change=desk.changed, args=(name,))  # fmt: skip
    changes = {name: values[f"{name}2"] for name in OTHER}
    one, other = desk.moment(), desk.moment(desk.recipe_with(values["order2"], **changes), "other")
    st.markdown(plain(compared_told(compare(one.stages[-1], other.stages[-1]), desk.ui.words)))
    left, right = st.columns(2)
    with left:
        _picture(desk, one, "first_setting")
    with right:
        _picture(desk, other, "second_setting")


def _picture(desk: Desk, now: Moment, name: str) -> None:
    st.caption(desk.ui.t(f"sampling.{name}"))
    data = waterfall_data(now, desk.open().vocabulary.shown, desk.ui.words, choosable=False)
    waterfall(data, desk.key(f"waterfall.{name}"))
