"""Models that are no file here: what they tell of their likeliest tokens, stage by stage, or that they tell nothing."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_components import waterfall
from apps.streamlit_kit import plain
from apps.streamlit_sampling.desk import Desk
from apps.streamlit_sampling.prompt import LONGEST
from apps.streamlit_sampling.settings import order, settings
from apps.ui.sampling import percent, waterfall_data
from engine.sampling import TopN, judged, remote
from engine.types import Message

TOKENS = 10  # that such a model writes at once


def outside(desk: Desk) -> None:
    """A question; then, for each token of the answer, what the model told of its place."""
    t, card = desk.ui.t, desk.ui.card
    if "logprobs" not in desk.ui.model.capabilities:
        st.info(plain(t("sampling.local_only")), icon=":material/info:")
        return
    key = desk.key("text")
    st.text_area(t("sampling.prompt"), key=key, height=90, max_chars=LONGEST)
    text = str(st.session_state[key]).strip()
    if st.button(t("sampling.look"), type="primary", icon=":material/search:", key=desk.key("look")) and text:
        params = desk.ui.params.replace(max_tokens=TOKENS)
        with st.spinner(t("sampling.reading")):
            desk.set(
                "places", (card.id, tuple(remote(desk.ui.model, [Message("user", text)], params, owner=desk.visitor)))
            )
    known = desk.get("places")
    if known is not None and known[0] == card.id and known[1]:
        _places(desk, known[1])


def _places(desk: Desk, places: tuple[TopN, ...]) -> None:
    t, words = desk.ui.t, desk.ui.words
    settings(desk)
    order(desk)
    wrote = [one.wrote.decode("utf-8", "replace") for one in places]
    st.caption(t("sampling.top_n_written"))
    at = st.pills(t("sampling.written"), range(len(places)), default=0, format_func=lambda number: plain(wrote[number]),
                  key=desk.key("place")) or 0  # fmt: skip
    place = places[at]
    shown = [one.shown for one in place.candidates]
    st.warning(
        plain(t("sampling.top_n", n=len(shown), share=percent(place.told, words))), icon=":material/filter_list:"
    )
    now = judged(place.logits(), desk.recipe, (), at)
    waterfall(waterfall_data(now, shown.__getitem__, words, choosable=False), desk.key("outside"))
