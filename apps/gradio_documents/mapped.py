"""The map: every chunk of the collection on a plane, with a question and what it finds. Components and handlers."""

from __future__ import annotations

import html
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_documents.desk import Desk, Held, Update, Values, file_button
from apps.gradio_kit import Ui
from apps.ui.scatter import POINTS_MAX, Rows, points, points_csv, scatter
from engine.errors import EngineError
from engine.person import Person
from engine.rag.collections import Collection
from engine.rag.retrieval import Asking

WIDTH, HEIGHT = 640, 440  # pixels; a narrow page scrolls in it


@dataclass(frozen=True)
class Map:
    """The components."""

    question: gr.Textbox
    go: gr.Button
    plot: gr.Plot
    told: gr.HTML
    save: gr.Button
    rows: gr.State

    @property
    def written(self) -> list[Any]:
        """What a drawing writes."""
        return [self.plot, self.told, self.rows]


def lay_out(ui: Ui) -> Map:
    """Lay them out."""
    t = ui.t
    with gr.Row(equal_height=True):
        question = gr.Textbox(label=t("documents_map.question"), placeholder=t("documents_ask.question_hint"),
                              max_lines=1, max_length=4000, scale=5, elem_id="documents-map-question")  # fmt: skip
        go = gr.Button(t("documents.tab.map"), scale=0, min_width=110, elem_id="documents-map-go")
    plot = gr.Plot(show_label=False, label=t("documents.tab.map"), elem_classes="atelier-scroll")
    told = gr.HTML(elem_id="documents-map-told")
    return Map(question, go, plot, told, file_button("csv"), gr.State(None))


class Mapping:
    """What the map's events do."""

    def __init__(self, desk: Desk, parts: Map) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def draw(self, values: Values, request: gr.Request) -> Update:
        """The picture, what it can and cannot show."""
        person = self.desk.person(request)
        try:
            return self._drawn(self.desk.open(values, person), values, person)
        except EngineError as error:
            return {self.parts.plot: None, self.parts.told: kit.error_html(error, self.ui), self.parts.rows: None}

    def save(self, values: Values) -> str:
        """The points as a table, for the browser to save."""
        held: Held | None = values[self.parts.rows]
        return f"[{outgoing('map.csv', 'text/csv', points_csv(held.value))}]" if held is not None else ""

    def _drawn(self, one: Collection, values: Values, person: Person) -> Update:
        from engine.rag.map import plane
        from engine.rag.retrieval import search

        t, words, question = self.ui.t, self.ui.words, str(values[self.parts.question] or "").strip()
        table = self.ui.engine.collections.table(one)
        ids, vectors = table.vectors()
        if len(ids) < 2:
            said = f"<p>{html.escape(t('documents_map.too_few'))}</p>"
            return {self.parts.plot: None, self.parts.told: said, self.parts.rows: None}
        found, query = set[str](), None
        if question:
            asking = Asking(person.role)
            wanted = self.desk.retrieval(values, one, person)
            hits = search(self.ui.engine, person.id, one.id, question, wanted, asking=asking)
            found = {passage.chunk.id for passage in hits.passages}
            query = self.ui.engine.embedders.of(person.id, one.embedder, asking).query(question)
        shown = plane(vectors, query)
        rows = points(shown, ids, {chunk.id: chunk for chunk in table.chunks()}, found, words)
        share = 100 * sum(shown.explained)
        said = t("documents_map.told", points=len(rows), chunks=len(ids), share=share, found=len(found))
        return {self.parts.plot: gr.Plot(scatter(rows, shown, words).properties(width=WIDTH, height=HEIGHT)),
                self.parts.told: self._told(said, rows, len(ids)), self.parts.rows: Held(rows)}  # fmt: skip

    def _told(self, said: str, rows: Rows, chunks: int) -> str:
        t = self.ui.t
        lines = [said, t("documents_map.thinned", count=len(rows)) if chunks > POINTS_MAX else ""]
        told = "".join(f"<p>{html.escape(line)}</p>" for line in lines if line)
        return told + kit.hint(t("documents_map.help"))
