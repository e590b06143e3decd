"""Passages as cards: number and place, what is suspicious, text, scores as bars. A click opens one in its document."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import streamlit as st

from apps.streamlit_components import opened_passage
from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import plain
from apps.ui.documents import best_scores, excerpt_html, score_rows, scores_html, warnings
from engine.rag.grounding import Grounding, Source
from engine.rag.values import Score


def cards(desk: Desk, grounding: Grounding | None) -> None:
    """The passages of an answer, then those for which there was no room."""
    if grounding is None or grounding.empty:
        return
    t, every = desk.ui.t, (*grounding.sources, *grounding.left_out)
    desk.set("sources", grounding.sources)
    best = best_scores(source.passage for source in every)
    st.markdown(f"**{t('documents_ask.passages')}** ({len(grounding.sources)})")
    for source in grounding.sources:
        card(desk, source, best)
    if grounding.left_out:
        with st.expander(f"{t('documents_ask.left_out_title')} ({len(grounding.left_out)})"):
            for source in grounding.left_out:
                card(desk, source, best)


def card(desk: Desk, source: Source, best: Mapping[Score, float]) -> None:
    """One passage."""
    number = f"\\[{source.number}\\] " if source.number else ""
    heading = f" · {plain(source.chunk.heading)}" if source.chunk.heading else ""
    with st.container(border=True):
        st.button(f"**{number}{plain(source.place)}**{heading}", icon=":material/description:", type="tertiary",
                  help=desk.ui.t("documents_ask.open_help"), key=desk.key(f"open.{source.number}.{source.chunk.id}"),
                  on_click=desk.set, args=("opened", opening(source)))  # fmt: skip
        for told in warnings(source, desk.ui.words):
            st.warning(told)
        st.html(excerpt_html(source.text))
        if source.passage.scores:
            st.html(scores_html(score_rows(source.passage, best, desk.ui.words)))


def opening(source: Source) -> dict[str, object]:
    """What the dialog of an opened passage is told."""
    chunk = source.chunk
    return {"collection": source.collection, "file": chunk.file, "start": chunk.start, "end": chunk.end,
            "page": chunk.page, "number": source.number}  # fmt: skip


def links(desk: Desk) -> None:
    """Make the marks in the answers open their passages."""
    opened_passage(desk.key("links"), lambda: _linked(desk))


def _linked(desk: Desk) -> None:
    number = (st.session_state.get(desk.key("links")) or {}).get("opened")
    sources: Sequence[Source] = desk.get("sources", ())
    source = next((one for one in sources if one.number == number), None)
    if source is not None:
        desk.set("opened", opening(source))
