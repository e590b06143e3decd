"""Whose numbers these are and why the chat may differ, what each stage does, an exercise per sampler."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import streamlit as st

from apps.streamlit_kit import plain
from apps.streamlit_sampling.desk import Desk
from apps.ui.sampling import EXERCISES, KINDS, served_told
from engine.sampling import served

SERVED = 20  # tokens that the server that chats is asked for: what a look at it needs


def under(desk: Desk) -> None:
    """Folded, but for the runtime."""
    t = desk.ui.t
    st.caption(plain(t("sampling.runtime", runtime=desk.open().runtime, model=desk.open().lens.path.name)))
    with st.expander(t("sampling.differs"), icon=":material/compare_arrows:"):
        st.markdown(plain(t("sampling.differs_text")))
        _served(desk)


def _served(desk: Desk) -> None:
    """The same place asked of the other runtime, when somebody wants to know."""
    t, exploration = desk.ui.t, desk.exploration
    assert exploration is not None
    ids = (*exploration.ids, *exploration.written)
    if st.button(t("sampling.served"), help=t("sampling.served_help"), icon=":material/dns:", key=desk.key("served")):
        with st.spinner(t("sampling.reading")):
            desk.set("top", (ids, served(desk.ui.model, ids, SERVED, visitor=desk.visitor)))
    known = desk.get("top")
    if known is not None and known[0] == ids:
        st.markdown(plain(served_told(desk.moment(), known[1], desk.open().vocabulary.shown, desk.ui.words)))


def notions(desk: Desk) -> None:
    """What each stage does, and the exercises."""
    t = desk.ui.t
    with st.expander(t("sampling.what"), icon=":material/help:"):
        st.markdown("\n".join(f"- **{t(f'sampling.kind.{kind}')}**: {plain(t(f'sampling.does.{kind}'))}"
                              for kind in KINDS))  # fmt: skip
    with st.expander(t("sampling.exercises"), icon=":material/school:", on_change="rerun",
                     key=desk.key("exercises")) as box:  # fmt: skip
        if box.open:
            for name, values in EXERCISES.items():
                st.markdown(plain(t(f"sampling.exercise.{name}")))
                if values:
                    st.button(t("sampling.try"), type="tertiary", icon=":material/tune:", on_click=_try,
                              args=(values,), key=desk.key(f"try.{name}"))  # fmt: skip


def _try(values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        st.session_state[name] = value
