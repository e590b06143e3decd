"""What every part of the tab reads: the open collection, its files, its indexing, how passages are looked for.

Rights are asked at every event: a page may name any collection. Draws nothing.
"""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_documents.settings import Settings
from apps.gradio_kit import Sidebar, Ui
from engine.errors import NotFound
from engine.jobs import OPEN, Job
from engine.person import Person
from engine.rag import indexing
from engine.rag.collections import Collection
from engine.rag.rows import CollectionFile
from engine.rag.values import Retrieval

Values = Mapping[Any, Any]
Update = dict[Any, Any]


@dataclass(frozen=True)
class Desk:
    """The tab of one language; what belongs to a page comes with its events."""

    ui: Ui
    bar: Sidebar
    chosen: gr.Dropdown
    settings: Settings

    def person(self, request: gr.Request) -> Person:
        """Who asks."""
        return self.ui.person(request)

    def all(self, person: Person) -> dict[str, Collection]:
        """What that person may read, by id: their own first, temporary ones last."""
        store = self.ui.engine.collections
        return {one.id: one for one in (*store.list(person.id), *store.passing(person.id))}

    def open(self, values: Values, person: Person) -> Collection:
        """The one that the page shows. Raises NotFound: none is chosen, or it is not theirs to read."""
        return self.ui.engine.collections.get(person.id, str(values[self.chosen] or ""))

    def found(self, values: Values, person: Person) -> Collection | None:
        """The same, or None."""
        try:
            return self.open(values, person)
        except NotFound:
            return None

    def files(self, one: Collection, person: Person) -> tuple[CollectionFile, ...]:
        """Its files by name."""
        return self.ui.engine.collections.files(person.id, one.id)

    def job(self, one: Collection | None) -> Job | None:
        """The indexing of that collection that waits or runs."""
        if one is None:
            return None
        jobs = self.ui.engine.jobs.list(one.owner, OPEN)
        return next((job for job in jobs if job.task == indexing.TASK and job.args.get("collection") == one.id), None)

    def retrieval(self, values: Values, one: Collection, person: Person) -> Retrieval:
        """How the controls want passages to be looked for there."""
        return self.settings.retrieval(values, one, self.files(one, person))


@dataclass(frozen=True, eq=False)
class Held:
    """Something in a page's state; Gradio hashes what lies there, and most of it has no hash."""

    value: Any


def table_html(head: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    """A table that can be read aloud and copied; it scrolls inside itself on a narrow screen."""
    titles = "".join(f"<th>{html.escape(cell)}</th>" for cell in head)
    lines = "".join(f"<tr>{''.join(f'<td>{html.escape(cell)}</td>' for cell in row)}</tr>" for row in rows)
    return (f"<div class='atelier-scroll' tabindex='0'><table class='atelier-table'><tr>{titles}</tr>{lines}</table>"
            "</div>")  # fmt: skip


def lines_html(lines: Iterable[str]) -> str:
    """Sentences under each other, escaped."""
    return "".join(f"<p class='atelier-note'>{html.escape(line)}</p>" for line in lines if line)


def file_button(kind: str) -> gr.Button:
    """A button that saves a file of that kind."""
    return gr.Button(f"⤓ {kind.upper()}", size="sm", min_width=100)
