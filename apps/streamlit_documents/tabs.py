"""What can be done with the open collection, side by side; only the tab in sight is drawn."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import streamlit as st

from apps.streamlit_documents.ask import ask, empty
from apps.streamlit_documents.chunks import chunks
from apps.streamlit_documents.desk import Desk
from apps.streamlit_documents.evaluate import evaluate
from apps.streamlit_documents.mapped import mapped
from apps.streamlit_documents.opened import opened
from apps.streamlit_documents.search import search
from apps.streamlit_kit import guard

DRAWN: Mapping[str, Callable[[Desk], None]] = {
    "ask": ask,
    "search": search,
    "chunks": chunks,
    "evaluate": evaluate,
    "map": mapped,
}


def tabs(desk: Desk) -> None:
    """The tabs once something can be searched; before, three examples."""
    opened(desk)  # first: an answer under way is followed to its end below
    if desk.collection is None or not desk.collection.chunks:
        empty(desk)
    else:
        _tabs(desk)


def _tabs(desk: Desk) -> None:
    t, key = desk.ui.t, desk.key("tabs")
    labels = {t(f"documents.tab.{name}"): name for name in DRAWN}
    first = desk.kept("first_tab", True, lambda: desk.values["tab"])  # another default would be another widget
    shown = st.tabs(list(labels), default=t(f"documents.tab.{first}"), on_change="rerun", key=key)
    for tab, name in zip(shown, labels.values(), strict=True):
        if tab.open:
            desk.change(tab=name)
            with tab, guard(desk.ui):
                DRAWN[name](desk)
