"""A search without a model, an opened passage, and what the model has read for an answer. Handlers; know no layout."""

from __future__ import annotations

import base64
import html
import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_chat.trace import COLOURED, own_address
from apps.gradio_components import tokens_value
from apps.gradio_comptine.asked import PRE
from apps.gradio_documents.answers import of
from apps.gradio_documents.desk import Desk, Held, Update, Values
from apps.gradio_documents.questions import Ask, Opened, Search
from apps.gradio_documents.shelf import Shelf
from apps.ui import present
from apps.ui.asking import Look
from apps.ui.documents import around, around_html, nothing, on_page, times
from apps.ui.passages import opened_of, passage_data
from apps.ui.trace_panel import KEY_VARIABLE, TracePanel, panel
from engine.documents import Document
from engine.errors import EngineError, NotFound
from engine.person import Person
from engine.rag.grounding import Source, source_of
from engine.rag.retrieval import Asking, Found
from engine.types import Message

Place = tuple[str, str, int, int, int | None]  # collection, file, first and last character, page


class Searching:
    """What the search's events do."""

    def __init__(self, desk: Desk, parts: Search) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def search(self, values: Values, request: gr.Request) -> Update:
        """Every passage with all its scores, and how long each stage took."""
        from engine.rag.retrieval import search

        parts, words, person = self.parts, self.ui.words, self.desk.person(request)
        empty: Update = {parts.passages: None, parts.found: None, parts.save: gr.Button(visible="hidden")}
        question = str(values[parts.question] or "").strip()
        if not question:
            return empty | {parts.told: f"<p>{html.escape(self.ui.t('documents_search.empty'))}</p>"}
        try:
            one = self.desk.open(values, person)
            wanted = self.desk.retrieval(values, one, person)
            found = search(self.ui.engine, person.id, one.id, question, wanted, asking=Asking(person.role))
        except EngineError as error:
            return empty | {parts.told: kit.error_html(error, self.ui)}
        if not found.passages:
            return empty | {parts.told: self._told(found) + f"<p>{html.escape(nothing(found, words))}</p>"}
        sources = [source_of(passage, number) for number, passage in enumerate(found.passages, 1)]
        return {parts.told: self._told(found), parts.passages: passage_data(sources, words),
                parts.found: Held((found, sources)), parts.save: gr.Button(visible=True)}  # fmt: skip

    def save(self, values: Values) -> str:
        """What was found, for the browser to save."""
        held: Held | None = values[self.parts.found]
        if held is None:
            return ""
        text = json.dumps(asdict(held.value[0]), ensure_ascii=False, indent=1)
        return f"[{outgoing('passages.json', 'application/json', text)}]"

    def _told(self, found: Found) -> str:
        words = self.ui.words
        told = [words.n("documents_search.found", len(found.passages)), times(found.seconds, words)]
        told += [words.n("documents_ask.below", found.below)] if found.below else []
        return f"<p>{html.escape(' · '.join(part for part in told if part))}</p>"


class Opening:
    """What opens a passage, or a file, in its document."""

    def __init__(self, desk: Desk, ask: Ask, search: Search, shelf: Shelf, parts: Opened) -> None:
        self.desk, self.ui, self.parts = desk, desk.ui, parts
        self._ask, self._search, self._shelf = ask, search, shelf

    def cited(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """The passage behind a mark in an answer."""
        number = event._data.get("number") if isinstance(event._data, Mapping) else None
        yield from self._shown(next((one for one in self._sources(values) if one.number == number), None), request)

    def passage(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """A passage of an answer."""
        yield from self._shown(opened_of(event._data, self._sources(values)), request)

    def left_out(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """One for which there was no room."""
        yield from self._shown(opened_of(event._data, self._sources(values, "left_out")), request)

    def found(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """A passage of a search."""
        held: Held | None = values[self._search.found]
        yield from self._shown(opened_of(event._data, held.value[1]) if held is not None else None, request)

    def file(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """The chosen file from its beginning."""
        place = (str(values[self.desk.chosen] or ""), str(values[self._shelf.file] or ""), 0, 0, None)
        yield from self._drawn(place, "", request)

    def _sources(self, values: Values, name: str = "sources") -> tuple[Source, ...]:
        held: Held | None = values[self._ask.held]
        look: Look | None = held.value.get("with") if held is not None else None
        found: tuple[Source, ...] = getattr(look.grounding, name) if look is not None and look.grounding else ()
        return found

    def _shown(self, source: Source | None, request: gr.Request) -> Iterator[Update]:
        if source is None:  # a click on nothing known changes nothing
            yield {self.parts.shown: gr.skip()}
            return
        chunk = source.chunk
        number = f"[{source.number}] · " if source.number else ""
        yield from self._drawn((source.collection, chunk.file, chunk.start, chunk.end, chunk.page), number, request)

    def _drawn(self, place: Place, number: str, request: gr.Request) -> Iterator[Update]:
        """The text at once; of a PDF the page as a picture before it."""
        parts, person = self.parts, self.desk.person(request)
        drawer = gr.Accordion(open=True)
        try:
            document = self.ui.engine.collections.document(person.id, place[0], place[1])
        except EngineError as error:
            yield {parts.drawer: drawer, parts.picture: kit.error_html(error, self.ui), parts.shown: ""}
            return
        pictured = document.unit == "page"
        waiting = kit.progress_html(present.Progress(self.ui.t("documents_open.drawing"))) if pictured else ""
        yield {parts.drawer: drawer, parts.shown: self._text(document, place, number), parts.picture: waiting}
        if pictured:
            yield {parts.picture: self._picture(document, place, person)}

    def _text(self, document: Document, place: Place, number: str) -> str:
        t, (_, _, start, end, page) = self.ui.t, place
        told = f"{number}{document.name}"
        told += f" · {t('documents_open.page', page=page, pages=len(document.pages))}" if page else ""
        shown = around(document.text, start, end)
        cut = f"<p>{html.escape(t('documents_open.cut'))}</p>" if shown.cut else ""
        return f"<p><strong>{html.escape(told)}</strong></p>{cut}{around_html(shown)}"

    def _picture(self, document: Document, place: Place, person: Person) -> str:
        from engine.documents.picture import picture

        collection, file, start, end, page = place
        before, passage = on_page(document, page or 1, start, end)
        try:
            original = self.ui.engine.collections.original(person.id, collection, file)
            made = picture(document.name, original, page or 1, before, passage)
        except EngineError as error:
            return kit.error_html(error, self.ui)
        if made is None:
            return ""
        told = html.escape(self.ui.t(f"documents_open.{'marked' if made.marks else 'page_only'}", page=page or 1))
        data = base64.b64encode(made.png).decode()
        size = f'width="{made.width}" height="{made.height}" style="max-width:100%;height:auto"'
        shown = f'<img src="data:image/png;base64,{data}" alt="{told}" {size}>'
        return f'<figure style="margin:0">{shown}<figcaption>{told}</figcaption></figure>'


class Traces:
    """What the model has read for an answer, passages included, from the exact prompt to code."""

    def __init__(self, desk: Desk, parts: Ask) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def trace(self, values: Values, request: gr.Request) -> Update:
        """The exact prompt, its tokens, the request and the response."""
        parts = self.parts
        empty: Update = {parts.prompt: "", parts.strip: None, parts.request: "", parts.response: ""}
        try:
            shown = self._panel(values, request)
        except EngineError as error:
            return empty | {parts.prompt: kit.error_html(error, self.ui)}
        if shown is None:
            return empty | {parts.prompt: f"<p>{html.escape(self.ui.t('documents_ask.not_asked'))}</p>"}
        return {parts.prompt: self._prompt(shown), parts.strip: tokens_value(shown.pieces, self.ui.words),
                parts.request: shown.request_json, parts.response: shown.response_json or ""}  # fmt: skip

    def code(self, values: Values, request: gr.Request) -> Any:
        """The same request in the form that is chosen."""
        try:
            shown = self._panel(values, request)
        except EngineError as error:
            return present.error_text(error, self.ui.words).sentence
        form = values[self.parts.form]
        found = next((one for one in shown.codes if one.name == form), None) if shown is not None else None
        if found is None or found.text is None:
            return gr.Code(self.ui.t("code.none"), language=None)
        return gr.Code(found.text, language=COLOURED.get(found.language))

    def _prompt(self, shown: TracePanel) -> str:
        if shown.prompt is None:
            counted = self.ui.t("trace.counted", count=shown.counted) if shown.counted is not None else ""
            return f"<p>{html.escape(self.ui.t(f'trace.reason.{shown.reason}'))} {html.escape(counted)}</p>"
        parts = (f"<mark>{html.escape(text)}</mark>" if special else html.escape(text)
                 for text, special in shown.segments())  # fmt: skip
        return f"<pre tabindex='0' style='{PRE}'>{''.join(parts)}</pre>"

    def _panel(self, values: Values, request: gr.Request) -> TracePanel | None:
        look = of(values[self.parts.held], values[self.parts.which])
        if look is None or look.result is None or look.result.trace_id is None:
            return None
        try:
            trace = self.ui.engine.traces.get(look.result.trace_id, self.desk.person(request).id)
        except NotFound:  # the log keeps the most recent ones
            trace = None
        sent = (trace.request or {}).get("messages") if trace is not None and "request" not in trace.cut else None
        messages = [Message(one["role"], one["content"]) for one in sent or ()] or [Message("user", look.question)]
        _, params = self.desk.bar.chosen(values)
        key = KEY_VARIABLE if self.ui.options.guarded else None
        return panel(look.model, look.model.request(messages, params), trace,
                     address=own_address(self.ui, request), key_variable=key)  # fmt: skip
