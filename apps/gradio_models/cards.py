"""What the first tab's events do: the table, the picture above it, the card of the chosen model. Knows no layout."""

from __future__ import annotations

import html
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps import host
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_models.desk import Desk, paragraph
from apps.gradio_models.parts import Shelf
from apps.gradio_shelf import abilities
from apps.ui import model_card, model_files, present
from apps.ui import models as shown
from apps.ui.i18n import Words
from engine import templates
from engine.capacity import known, measure
from engine.catalog import ModelCard
from engine.errors import EngineError
from engine.jobs import Job
from engine.models.details import Details, details
from engine.models.hashes import start_hashing
from engine.models.memory import estimate
from engine.person import Person
from engine.ps import loaded
from engine.types import Message

ADDRESS = """(model) => { const url = new URL(location.href); url.searchParams.set("model", model);
history.replaceState(null, "", url); }"""


FEW = 8  # models that need no filter


class Cards:
    """The handlers."""

    def __init__(self, desk: Desk, parts: Shelf) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, values: Values, request: gr.Request) -> Update:
        """All models that match, and one of them chosen: the one that was, else that of the left column."""
        parts, words, engine = self.parts.list, self.ui.words, self.ui.engine
        cards = engine.models("teacher" if self.desk.is_teacher(request) else "student")
        found = shown.matching(cards, str(values[parts.filter] or ""), words)
        rows = table_html(shown.head(words), shown.rows(engine, found, words)) if found else ""
        notes = [words.t("models_table.none")] if not found else shown.problems(found, words)
        more = len(found) - shown.LISTED
        notes += [words.t("models_table.more", count=words.number(more))] if more > 0 else []
        notes += shown.room_lines(shown.room(engine, cards), words) if self.desk.is_teacher(request) else []
        choices = {card.id: card.name for card in found} or {card.id: card.name for card in cards}
        wanted = [values[parts.chosen], values[self.desk.bar.model], *choices]
        chosen = next(one for one in wanted if one in choices)
        named = [(name if list(choices.values()).count(name) == 1 else f"{name} · {one}", one)
                 for one, name in choices.items()]  # fmt: skip
        return {parts.table: rows + lines_html(notes), parts.chosen: gr.Dropdown(named, value=chosen)}

    def follow(self, values: Values, request: gr.Request) -> Update:
        """The same, with the model of the left column chosen."""
        return self.look({**values, self.parts.list.chosen: None}, request)

    def picture(self, request: gr.Request) -> str:
        """What there is of the course's three words."""
        engine, words = self.ui.engine, self.ui.words

        def told() -> str:
            boxes = shown.picture(engine.models(), shown.busy(loaded(engine)), len(engine.endpoints.rows()), words)
            return picture_html(boxes, words)

        return self.desk.said(told)

    def rights(self, request: gr.Request) -> list[Any]:
        """Loading, unloading, checksums and adding are the teacher's; a few models need no filter."""
        teacher, many = self.desk.is_teacher(request), len(self.ui.engine.models()) > FEW
        return [*([gr.Button(visible=teacher)] * 3), gr.Tab(visible=teacher), gr.Textbox(visible=many)]

    def use(self, chosen: str, request: gr.Request) -> Any:
        """The model for every page."""
        card = self.ui.engine.catalog.card(chosen)
        return gr.Dropdown(choices=kit.model_choices(self.ui, card, request), value=card.id)

    def card(self, values: Values, request: gr.Request) -> Update:
        """What the header says, what it can do, how many people it carries, and the memory it would take."""
        parts, words = self.parts.card, self.ui.words
        try:
            card, person = self._chosen(values), self.desk.person(request)
        except EngineError as error:
            return {parts.card: kit.error_html(error, self.ui), parts.estimate: ""}
        known = self._details(card)
        told = f"<h3>{html.escape(card.name)}</h3>"
        told += lines_html([words.t(card.note_key)]) if card.note_key else ""
        if isinstance(known, Details):
            told += table_html(model_card.fact_head(words), model_card.fact_rows(card, known, words))
            told += self._special(known)
        else:
            told += known
        told += lines_html(self._people(card)) + abilities(self.ui, card, person)
        window = gr.Number(value=card.window) if card.window else gr.skip()
        return {parts.card: told, parts.context: window, parts.estimate: self._estimate(card, card.window, 1, "f16")}

    def estimate(self, values: Values, request: gr.Request) -> str:
        """The memory that the chosen window, slots and kind of cache would take."""
        parts = self.parts.card
        numbers = [int(values[box] or 0) for box in (parts.context, parts.slots)]

        def told() -> str:
            return self._estimate(self._chosen(values), *numbers, str(values[parts.kv] or "f16"))

        return self.desk.said(told)

    def template(self, values: Values, request: gr.Request) -> Update:
        """The source of its template, and what it makes of a message."""
        parts, t = self.parts.template, self.ui.t

        def told() -> tuple[str, str]:
            known = self._details(self._chosen(values))
            if not isinstance(known, Details):
                return known, ""
            if not known.chat_template:
                return lines_html([t("models_card.no_template")]), ""
            source = f"<pre class='atelier-scroll'>{html.escape(known.chat_template)}</pre>"
            return self.desk.said(lambda: self._preview(known, values)), source

        try:
            preview, source = told()
        except EngineError as error:
            preview, source = kit.error_html(error, self.ui), ""
        return {parts.preview: preview, parts.source: source}

    def files(self, values: Values, request: gr.Request) -> Update:
        """Its files; where they lie is the teacher's to know."""
        parts, words, t = self.parts.files, self.ui.words, self.ui.t

        def told() -> str:
            card = self._chosen(values)
            if not card.files:
                return lines_html([t("models_card.no_header")])
            rows = table_html(model_card.file_head(words), model_card.file_rows(card, words))
            teacher = self.desk.is_teacher(request)
            places = "".join(f"<p class='atelier-note'><code>{html.escape(str(file.path))}</code></p>"
                             for file in card.files) if teacher else ""  # fmt: skip
            return rows + places

        return {parts.table: self.desk.said(told), parts.told: self.desk.said(lambda: self._sums(values, request))}

    def load(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Load it now; what is said on the way, then the table."""
        told = self.parts.list.told
        try:
            host.require(self.desk.person(request))
            model = self.ui.engine.model(values[self.parts.list.chosen])
            runtime = self.ui.engine.runtime(model.card.id)
            for event in runtime.ready() if runtime else ():
                yield {told: kit.progress_html(present.progress_text(event, self.ui.words))}
            if runtime is not None and known(self.ui.engine, model.card.id) is None:
                yield {told: kit.progress_html(present.Progress(self.ui.t("models_card.measuring")))}
                measure(self.ui.engine, model.card.id)
            yield self.look(values, request) | {told: ""}
        except EngineError as error:
            yield self.look(values, request) | {told: kit.error_html(error, self.ui)}

    def unload(self, values: Values, request: gr.Request) -> Update:
        """Free its memory."""

        def act() -> str:
            host.require(self.desk.person(request))
            self.ui.engine.unload(self._chosen(values).id)
            return paragraph(self.ui.t("models.unloaded"))

        said = self.desk.said(act)
        return self.look(values, request) | {self.parts.list.told: said}

    def sums(self, values: Values, request: gr.Request) -> Update:
        """Have its files read, and what may be copies of them."""

        def ask(person: Person) -> Job | None:
            unread = model_files.sums(self.ui.engine, self._chosen(values), self.ui.words, paths=True).unread
            return start_hashing(self.ui.engine, person.id, unread, role=person.role) if unread else None

        return self.desk.begun(request, ask)

    def _sums(self, values: Values, request: gr.Request) -> str:
        """The SHA-256 of its files as far as it is known, and other files with the same bytes."""
        words, card = self.ui.words, self._chosen(values)
        if not card.files:
            return ""
        known = model_files.sums(self.ui.engine, card, words, paths=self.desk.is_teacher(request))
        head = (words.t("models.file"), words.t("models_card.sha256"))
        told = table_html(head, list(known.known.items())) if known.known else ""
        told += f"<h4>{html.escape(words.t('models_copies.title'))}</h4>"
        return (
            told
            + (table_html(model_files.copy_head(words), known.copies) if known.copies else "")
            + lines_html([known.note])
        )

    def _chosen(self, values: Values) -> ModelCard:
        return self.ui.engine.catalog.card(str(values[self.parts.list.chosen] or ""))

    def _details(self, card: ModelCard) -> Details | str:
        """What its header says, or why nobody can tell as HTML."""
        path = self._path(card)
        if path is None:
            return lines_html([self.ui.t("models_card.no_header")])
        try:
            return details(path)
        except EngineError as error:
            return kit.error_html(error, self.ui)

    def _path(self, card: ModelCard) -> Path | None:
        return card.files[0].path if card.files else None

    def _special(self, known: Details) -> str:
        words = self.ui.words
        rows = model_card.special_rows(known)
        if not rows:
            return ""
        head = model_card.special_head(words)
        title = html.escape(self.ui.t("models_card.special"))
        return f"<details><summary>{title}</summary>{table_html(head, rows)}</details>"

    def _people(self, card: ModelCard) -> list[str]:
        if card.backend != "llamacpp" or card.problem:
            return []
        return [shown.carried(self.ui.engine, card.id, self.ui.words)] if card.kind == "chat" else []

    def _estimate(self, card: ModelCard, context: int | None, slots: int, kv: str) -> str:
        known = self._details(card)
        if not isinstance(known, Details):
            return ""
        words = self.ui.words

        def told() -> str:
            memory = estimate(known, context or known.trained_context or 1, max(1, slots), kv)  # type: ignore[arg-type]
            text = shown.memory_text(memory, words)
            bar = shown.bar_html(shown.memory_parts(memory, words), memory.free, text, words)
            return f"{bar}{lines_html([text, words.t('models_memory.help')])}"

        return self.desk.said(told)

    def _preview(self, known: Details, values: Values) -> str:
        parts = self.parts.template
        system, user = (str(values[box] or "") for box in (parts.system, parts.user))
        messages = [Message("system", system)] if system.strip() else []
        marks = model_card.special_texts(known)
        prompt = templates.render(
            known.chat_template or "", [*messages, Message("user", user)], bos=marks.get("bos", ""),
            eos=marks.get("eos", ""), add_generation_prompt=bool(values[parts.answer]),
        )  # fmt: skip
        return (f"<p class='atelier-note'>{html.escape(self.ui.t('models_card.template_preview'))}</p>"
                f"<pre class='atelier-scroll'>{html.escape(prompt)}</pre>")  # fmt: skip


def picture_html(boxes: Sequence[shown.Box], words: Words) -> str:
    """Registry, orchestration, interface, each with the button that leads there."""
    then = f'<span aria-hidden="true" title="{html.escape(words.t("models_picture.then"))}">→</span>'
    return f'<div class="atelier-picture">{then.join(map(_box, boxes))}</div>'


def _box(box: shown.Box) -> str:
    facts = html.escape(" · ".join(box.facts))
    go = f"document.getElementById('models-{box.goes}-button')?.click()"
    return (
        f'<section title="{html.escape(box.what)}"><strong>{html.escape(box.title)}</strong><p>{facts}</p>'
        f'<button type="button" onclick="{go}">{html.escape(box.button)} →</button></section>'
    )
