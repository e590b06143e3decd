"""The map: every chunk of the collection on a plane, with a question and what it finds."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import plain
from apps.ui.scatter import POINTS_MAX, points, points_csv, scatter
from engine.rag.map import Plane, plane
from engine.rag.retrieval import Asking, Found
from engine.rag.values import Chunk, Vectors


def mapped(desk: Desk) -> None:
    """A question if one likes, the picture, what it can and cannot show."""
    t, words = desk.ui.t, desk.ui.words
    question = st.text_input(t("documents_map.question"), placeholder=t("documents_ask.question_hint"), max_chars=4000,
                             key=desk.key("map_question")).strip()  # fmt: skip
    ids, vectors, chunks = desk.kept("vectors", _state(desk), lambda: _vectors(desk))
    if len(ids) < 2:
        st.caption(t("documents_map.too_few"))
        return
    shown, found = desk.kept("plane", (_state(desk), question, desk.retrieval),
                             lambda: _plane(desk, vectors, question))  # fmt: skip
    hits = {passage.chunk.id for passage in found.passages} if found else set()
    rows = points(shown, ids, chunks, hits, words)
    share = 100 * sum(shown.explained)
    text = t("documents_map.told", points=len(rows), chunks=len(ids), share=share, found=len(hits))
    st.altair_chart(scatter(rows, shown, words), height=460, alt=text)
    st.caption(plain(text), help=t("documents_map.help"))
    if len(ids) > POINTS_MAX:
        st.caption(t("documents_map.thinned", count=len(rows)))
    st.download_button("CSV", points_csv(rows), "map.csv", "text/csv", icon=":material/download:", type="tertiary",
                       on_click="ignore", key=desk.key("map_csv"))  # fmt: skip


def _state(desk: Desk) -> tuple[object, ...]:
    """What the vectors depend on."""
    assert desk.collection is not None
    files = tuple((file.id, file.sha256, file.chunks) for file in desk.files if file.state == "done")
    return desk.collection.id, hash(files)


def _vectors(desk: Desk) -> tuple[tuple[str, ...], Vectors, dict[str, Chunk]]:
    """All vectors of the collection and their chunks by id; read once for each state of its files."""
    assert desk.collection is not None
    table = desk.ui.engine.collections.table(desk.collection)
    ids, vectors = table.vectors()
    return ids, vectors, {chunk.id: chunk for chunk in table.chunks()}


def _plane(desk: Desk, vectors: Vectors, question: str) -> tuple[Plane, Found | None]:
    if not question:
        return plane(vectors), None
    from engine.rag.retrieval import search

    assert desk.collection is not None
    asking = Asking(desk.ui.person.role)
    embedder = desk.ui.engine.embedders.of(desk.owner, desk.collection.embedder, asking)
    found = search(desk.ui.engine, desk.owner, desk.collection.id, question, desk.retrieval)
    return plane(vectors, embedder.query(question)), found
