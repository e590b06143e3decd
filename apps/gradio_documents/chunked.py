"""One document with its chunks in colour, cut anew when the controls move: components and handlers. Knows no layout of
the rest of the tab.
"""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_components import chunk_view
from apps.gradio_documents.desk import Desk, Update, Values, file_button
from apps.gradio_kit import Ui
from apps.ui.chunks import CHUNK_COLUMNS, chunk_data, chunk_rows, screens
from engine.documents import Document
from engine.errors import EngineError
from engine.person import Person
from engine.rag.retrieval import Asking
from engine.rag.splitting import RESERVED, SIZE_MIN, WordCount, split
from engine.rag.values import SPLITTING_KINDS, Chunk, Splitting

SIZE_MAX = 1024


@dataclass(frozen=True)
class Chunks:
    """The components."""

    file: gr.Dropdown
    kind: gr.Dropdown
    size: gr.Slider
    overlap: gr.Slider
    screen: gr.Slider
    told: gr.HTML
    view: gr.HTML
    save: gr.Button


def chunks(ui: Ui) -> Chunks:
    """Lay them out."""
    t, start = ui.t, Splitting()
    file = gr.Dropdown([], label=t("documents.choose_file"), elem_id="documents-chunked")
    kinds = [(t(f"documents.kind_of.{kind}"), kind) for kind in SPLITTING_KINDS]
    with gr.Row():
        kind = gr.Dropdown(kinds, value=start.kind, label=t("documents.kind"), info=t("glossary.chunk.text"),
                           min_width=140)  # fmt: skip
        size = gr.Slider(SIZE_MIN, SIZE_MAX, start.size, step=1, label=t("documents.size"), min_width=160,
                         elem_id="documents-size")  # fmt: skip
        overlap = gr.Slider(0, SIZE_MAX // 2, start.overlap, step=1, label=t("documents.overlap"), min_width=160)
    screen = gr.Slider(1, 2, 1, step=1, label=t("documents_chunks.screen", count=1), visible=False)
    told = gr.HTML(f"<p>{t('documents_chunks.help')}</p>")
    view = chunk_view(elem_id="documents-chunk-view")
    return Chunks(file, kind, size, overlap, screen, told, view, file_button("csv"))


class Chunking:
    """What the viewer's events do."""

    def __init__(self, desk: Desk, parts: Chunks) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def opened(self, values: Values, request: gr.Request) -> Update:
        """The collection's files and its own cutting, which stays as it is, and the first of them."""
        person, parts = self.desk.person(request), self.parts
        one = self.desk.found(values, person)
        files = (
            [file for file in self.desk.files(one, person) if file.state == "done" and file.characters] if one else []
        )
        if one is None or not files:
            said = f"<p>{self.ui.t('documents.no_text')}</p>"
            return {parts.file: gr.Dropdown([], value=None), parts.view: None, parts.told: said}
        try:
            most = max(SIZE_MIN, self._embedder(one.embedder, person).tokens_max - RESERVED)
        except EngineError as error:
            return {parts.view: None, parts.told: kit.error_html(error, self.ui)}
        known = [file.id for file in files]
        chosen = values[parts.file] if values[parts.file] in known else known[0]
        cut = one.splitting
        shown: Update = {
            parts.file: gr.Dropdown([(file.name, file.id) for file in files], value=chosen),
            parts.kind: cut.kind,
            parts.size: gr.Slider(maximum=most, value=min(cut.size, most)),
            parts.overlap: gr.Slider(maximum=most // 2, value=min(cut.overlap, most // 2)),
        }
        now = {**values, parts.file: chosen, parts.kind: cut.kind, parts.size: min(cut.size, most),
               parts.overlap: min(cut.overlap, most // 2)}  # fmt: skip
        return shown | self.cut(now, request)

    def cut(self, values: Values, request: gr.Request) -> Update:
        """The chosen file as the controls cut it."""
        parts = self.parts
        try:
            document, found = self._cut(values, request)
        except EngineError as error:
            return {parts.view: None, parts.told: kit.error_html(error, self.ui)}
        count = screens(document.text)
        screen = min(int(values[parts.screen] or 1), count)
        label = self.ui.t("documents_chunks.screen", count=count)
        return {
            parts.view: chunk_data(document.text, found, self.ui.words, screen - 1),
            parts.told: f"<p>{self.ui.t('documents_chunks.help')}</p>",
            parts.screen: gr.Slider(maximum=max(2, count), value=screen, label=label, visible=count > 1),
        }

    def save(self, values: Values, request: gr.Request) -> str:
        """The chunks as a table, for the browser to save."""
        try:
            _, found = self._cut(values, request)
        except EngineError:  # what cannot be made is not offered either
            return ""
        text = io.StringIO()
        writer = csv.writer(text)
        writer.writerow(CHUNK_COLUMNS)
        writer.writerows(chunk_rows(found))
        return f"[{outgoing('chunks.csv', 'text/csv', text.getvalue())}]"

    def _cut(self, values: Values, request: gr.Request) -> tuple[Document, tuple[Chunk, ...]]:
        person, parts = self.desk.person(request), self.parts
        one = self.desk.open(values, person)
        document = self.ui.engine.collections.document(person.id, one.id, str(values[parts.file] or ""))
        size = int(values[parts.size] or 0)
        cut = Splitting(values[parts.kind], size, min(int(values[parts.overlap] or 0), size // 2))
        count = WordCount(self._embedder(one.embedder, person).count)
        return document, split(document, str(values[parts.file]), cut, count)

    def _embedder(self, name: str, person: Person):  # type: ignore[no-untyped-def]
        return self.ui.engine.embedders.of(person.id, name, Asking(person.role))
