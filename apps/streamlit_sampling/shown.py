"""The waterfall where the exploration stands, what it says, and 200 draws against theory."""

from __future__ import annotations

from typing import Any

import streamlit as st

from apps.streamlit_components import waterfall
from apps.streamlit_kit import plain, table
from apps.streamlit_sampling.desk import Desk
from apps.ui import sampling
from apps.ui.theme import OKABE_ITO
from engine.sampling import Moment, draws

DRAWS = 200


def shown(desk: Desk) -> None:
    """The picture; a click on a token continues with it."""
    now, known = desk.moment(), desk.open()
    text, words = known.vocabulary.shown, desk.ui.words
    key = desk.key("waterfall")
    waterfall(sampling.waterfall_data(now, text, words), key, lambda: _clicked(desk, key))
    if now.dart is None:
        st.warning(words.t("sampling.nothing_left"), icon=":material/block:")
    if (told := sampling.allowed_told(now, words)) is not None:
        st.caption(plain(told))
    if desk.get("drawn"):
        _drawn(desk, now)
    _files(desk, now)


def _clicked(desk: Desk, key: str) -> None:
    told = (st.session_state.get(key) or {}).get("chosen")
    known = desk.opened
    token = None if known is None else sampling.chosen_of(told, len(known.vocabulary))
    if token is not None:
        desk.want("take", token=token)


def _drawn(desk: Desk, now: Moment) -> None:
    """The darts as bars, what theory expects as ticks."""
    words, last = desk.ui.words, now.stages[-1]
    if not last.survivors:
        return
    seed = desk.recipe.seed
    counts = draws(last, DRAWS, seed)
    rows = sampling.draw_rows(counts, last, desk.open().vocabulary.shown)
    st.altair_chart(_chart(rows, desk), height=90 + 22 * len(rows), alt=words.t("sampling.draws_alt"))
    st.caption(words.t("sampling.draws", n=DRAWS, seed=seed))
    st.markdown(plain(sampling.chi_told(counts, last, words)))


def _chart(rows: list[dict[str, Any]], desk: Desk) -> Any:
    import altair as alt

    from apps.ui.evaluation import number_locale, values

    t = desk.ui.t
    base = alt.Chart(values(rows)).encode(y=alt.Y("text:N", sort=None, title=None, axis=alt.Axis(labelOverlap=False)))
    seen = alt.X("seen:Q", title=t("sampling.column_seen"))
    tips = [alt.Tooltip("text:N", title=t("sampling.token")), alt.Tooltip("seen:Q", title=t("sampling.column_seen")),
            alt.Tooltip("expected:Q", title=t("sampling.column_expected"), format=".1f")]  # fmt: skip
    bars = base.mark_bar(color=OKABE_ITO["blue"], opacity=0.6).encode(x=seen, tooltip=tips)
    ticks = base.mark_tick(color=OKABE_ITO["vermillion"], thickness=3).encode(x="expected:Q", tooltip=tips)
    return alt.layer(bars, ticks).configure(locale=number_locale(desk.ui.words))


def _files(desk: Desk, now: Moment) -> None:
    """The same as a table, and to take away."""
    t, text = desk.ui.t, desk.open().vocabulary.shown
    with st.expander(t("sampling.table"), icon=":material/table:"):
        head = (t(f"sampling.column_{name}") for name in sampling.STAGE_COLUMNS)
        table(head, sampling.stage_rows(now, text, desk.ui.words))
    with st.container(horizontal=True):
        picture = sampling.picture_svg(now, text, desk.ui.words)
        st.download_button(t("sampling.export_svg"), picture, "waterfall.svg", "image/svg+xml", type="tertiary",
                           icon=":material/download:", on_click="ignore", key=desk.key("svg"))  # fmt: skip
        st.download_button(t("sampling.export_csv"), sampling.rows_csv(now, text), "waterfall.csv", "text/csv",
                           type="tertiary", icon=":material/download:", on_click="ignore",
                           key=desk.key("csv"))  # fmt: skip
