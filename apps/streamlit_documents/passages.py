"""Passages with their numbers, scores and warnings. A click on one, or on its mark in an answer, opens its document."""

from __future__ import annotations

from collections.abc import Sequence

import streamlit as st

from apps.streamlit_components import opened_passage, passage_view
from apps.streamlit_documents.desk import Desk
from apps.ui.passages import opened_of, passage_data
from engine.rag.grounding import Grounding, Source


def cards(desk: Desk, grounding: Grounding | None) -> None:
    """The passages of an answer, then those for which there was no room."""
    if grounding is None or grounding.empty:
        return
    t = desk.ui.t
    desk.set("sources", grounding.sources)
    st.markdown(f"**{t('documents_ask.passages')}** ({len(grounding.sources)})")
    shown(desk, grounding.sources, "passages")
    if grounding.left_out:
        with st.expander(f"{t('documents_ask.left_out_title')} ({len(grounding.left_out)})"):
            shown(desk, grounding.left_out, "left_out")


def shown(desk: Desk, sources: Sequence[Source], name: str) -> None:
    """The passages in their order; `name` is that of their place on the page."""
    key = desk.key(f"view.{name}")
    passage_view(passage_data(sources, desk.ui.words), key, lambda: _open(desk, opened_of(_told(key), sources)))


def links(desk: Desk) -> None:
    """Make the marks in the answers open their passages."""
    key = desk.key("links")

    def linked() -> None:
        number = (_told(key) or {}).get("opened")
        sources: Sequence[Source] = desk.get("sources", ())
        _open(desk, next((one for one in sources if one.number == number), None))

    opened_passage(key, linked)


def _told(key: str) -> dict[str, object] | None:
    found: dict[str, object] | None = st.session_state.get(key)
    return found


def _open(desk: Desk, source: Source | None) -> None:
    """What the panel of an opened passage is told; a click on nothing known changes nothing."""
    if source is not None:
        chunk = source.chunk
        desk.set("opened", {"collection": source.collection, "file": chunk.file, "start": chunk.start,
                            "end": chunk.end, "page": chunk.page, "number": source.number})  # fmt: skip
