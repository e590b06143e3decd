"""One document with its chunks in colour, cut anew when the controls move: what a splitting does to a real text."""

from __future__ import annotations

import csv
import io

import streamlit as st

from apps.streamlit_components import chunk_view
from apps.streamlit_documents.desk import Desk
from apps.ui.chunks import CHUNK_COLUMNS, chunk_data, chunk_rows, screens
from engine.documents import Document
from engine.rag.splitting import RESERVED, SIZE_MIN, WordCount, split
from engine.rag.values import SPLITTING_KINDS, Chunk, Embedder, Splitting


def chunks(desk: Desk) -> None:
    """The file, how it is cut, what came of it, the text."""
    t, words = desk.ui.t, desk.ui.words
    names = {file.id: file.name for file in desk.files if file.state == "done" and file.characters}
    if not names:
        st.caption(t("documents.no_text"))
        return
    key = st.selectbox(t("documents.choose_file"), list(names), format_func=lambda one: names[one],
                       key=desk.key("chunked"))  # fmt: skip
    cut = _cutting(desk)
    document, found = _split(desk, key, cut)
    screen = 0
    if (count := screens(document.text)) > 1:
        screen = st.number_input(t("documents_chunks.screen", count=count), 1, count, key=desk.key("screen")) - 1
    chunk_view(chunk_data(document.text, found, words, screen), desk.key("chunk_view"))
    st.download_button("CSV", lambda: _csv(found), "chunks.csv", "text/csv", icon=":material/download:",
                       type="tertiary", on_click="ignore", key=desk.key("chunks_csv"))  # fmt: skip


def _cutting(desk: Desk) -> Splitting:
    """The controls: at first that of the collection, which stays as it is."""
    t, one = desk.ui.t, desk.collection
    assert one is not None
    cut = one.splitting
    most = max(SIZE_MIN, _embedder(desk).tokens_max - RESERVED)
    kinds, sizes, overlaps = st.columns(3)
    kind = kinds.selectbox(t("documents.kind"), SPLITTING_KINDS, SPLITTING_KINDS.index(cut.kind),
                           key=desk.key(f"cut.kind.{one.id}"), help=t("glossary.chunk.text"),
                           format_func=lambda name: t(f"documents.kind_of.{name}"))  # fmt: skip
    size = sizes.slider(t("documents.size"), SIZE_MIN, most, min(cut.size, most), key=desk.key(f"cut.size.{one.id}"))
    overlap = overlaps.slider(t("documents.overlap"), 0, size // 2, min(cut.overlap, size // 2),
                              key=desk.key(f"cut.overlap.{one.id}"))  # fmt: skip
    st.caption(t("documents_chunks.help"))
    return Splitting(kind, size, overlap)


def _embedder(desk: Desk) -> Embedder:
    """The collection's embedder, whose tokens are counted."""
    from engine.rag.retrieval import Asking

    assert desk.collection is not None
    return desk.ui.engine.embedders.of(desk.owner, desk.collection.embedder, Asking(desk.ui.person.role))


def _split(desk: Desk, file_id: str, cut: Splitting) -> tuple[Document, tuple[Chunk, ...]]:
    """The document and its chunks; cut anew only for another file or another cutting."""
    one, store = desk.collection, desk.ui.engine.collections
    assert one is not None
    state = next(file.sha256 for file in desk.files if file.id == file_id)
    document = desk.kept("chunked_text", (one.id, file_id, state), lambda: store.document(desk.owner, one.id, file_id))
    count = desk.kept("count", one.embedder, lambda: WordCount(_embedder(desk).count))

    def make() -> tuple[Chunk, ...]:
        with st.spinner(desk.ui.t("documents_chunks.cutting")):
            return split(document, file_id, cut, count)

    return document, desk.kept("cut", (one.id, file_id, state, cut), make)


def _csv(found: tuple[Chunk, ...]) -> str:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CHUNK_COLUMNS)
    writer.writerows(chunk_rows(found))
    return text.getvalue()
