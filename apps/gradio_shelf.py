"""The models as tables and cards in HTML, and what the teacher does with them. Knows no layout."""

from __future__ import annotations

import html
from collections.abc import Iterable, Iterator
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps import host
from apps.gradio_kit import Ui
from apps.ui import present
from engine.catalog import ModelCard
from engine.errors import EngineError
from engine.person import Person
from engine.types import CAPABILITIES

WHERE = {"llamacpp": "models.where_local", "openai_compat": "models.where_remote", "echo": "models.where_echo"}


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str) -> str:
    """A table whose texts are escaped; it scrolls inside itself on a narrow screen."""
    titles = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="atelier-scroll" tabindex="0" role="region" aria-label="{html.escape(caption)}">'
        f'<table class="atelier-table"><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


class Shelf:
    """The handlers of the models tab."""

    def __init__(self, ui: Ui) -> None:
        self.ui = ui

    def shown(self, model_id: str, request: gr.Request) -> tuple[str, str]:
        """The table of all models, and the card of the chosen one."""
        chosen = self.ui.engine.catalog.card(model_id)
        return self.table(self.ui.engine.models()), self.card(chosen, self.ui.person(request))

    def table(self, cards: Iterable[ModelCard]) -> str:
        """All models with their state, one line each."""
        names = ("name", "source", "quantization", "size", "window", "state")
        return table(
            (self.ui.t(f"models.{name}") for name in names), map(self._row, cards), self.ui.t("section.models")
        )

    def card(self, card: ModelCard, person: Person) -> str:
        """Everything known of one model: why it is here, its files, its licence, what it can do."""
        ui = self.ui
        facts = {
            "models.licence": card.licence,
            "models.aliases": ", ".join(card.aliases),
            "models.source": card.source if card.files or card.endpoint else None,
        }
        lines = "".join(
            f"<dt>{html.escape(ui.t(key))}</dt><dd>{html.escape(value)}</dd>" for key, value in facts.items() if value
        )
        note = f"<p>{html.escape(ui.t(card.note_key))}</p>" if card.note_key else ""
        return (
            f"<h3>{html.escape(card.name)}</h3>{note}{self._files(card)}<dl>{lines}</dl>{self._abilities(card, person)}"
        )

    def may_load(self, request: gr.Request) -> tuple[Any, Any]:
        """The buttons that only a teacher sees."""
        teacher = self.ui.person(request).role == "teacher"
        return gr.Button(visible=teacher), gr.Button(visible=teacher)

    def load(self, model_id: str, request: gr.Request) -> Iterator[tuple[str, str, str]]:
        """Load the model now; what is said on the way, then table and card."""
        try:
            host.require(self.ui.person(request))
            self.ui.engine.model(model_id)
            runtime = self.ui.engine.runtime(model_id)
            for event in runtime.ready() if runtime else ():
                yield kit.progress_html(present.progress_text(event, self.ui.words)), gr.skip(), gr.skip()
            yield "", *self.shown(model_id, request)
        except EngineError as error:
            yield kit.error_html(error, self.ui), *self.shown(model_id, request)

    def unload(self, model_id: str, request: gr.Request) -> tuple[str, str, str]:
        """Free the model's memory."""
        try:
            host.require(self.ui.person(request))
            self.ui.engine.unload(model_id)
        except EngineError as error:
            return kit.error_html(error, self.ui), *self.shown(model_id, request)
        return html.escape(self.ui.t("models.unloaded")), *self.shown(model_id, request)

    def _row(self, card: ModelCard) -> list[str]:
        words, state = self.ui.words, self.ui.engine.state(card)
        return [
            card.name,
            words.t(WHERE[card.backend]),
            card.quantization or words.t("unit.unknown"),
            words.size(card.size_bytes),
            words.number(card.window),
            present.model_state_text(state.name, words, state.elapsed),
        ]

    def _files(self, card: ModelCard) -> str:
        if not card.files:
            return ""
        words = self.ui.words
        rows = [
            [file.path.name, file.quantization or "", words.size(file.size_bytes),
             words.t(file.note_key) if file.note_key else words.t("models.used") if at == 0 else ""]
            for at, file in enumerate(card.files)
        ]  # fmt: skip
        head = [words.t(f"models.{name}") for name in ("file", "quantization", "size", "role")]
        return table(head, rows, words.t("models.files"))

    def _abilities(self, card: ModelCard, person: Person) -> str:
        try:
            able = self.ui.model(card.id, person).capabilities
        except EngineError as error:  # a damaged or forbidden model must not hide what is known of it
            return kit.error_html(error, self.ui)
        lines = []
        for title, wanted in (("models.capabilities", True), ("models.unavailable", False)):
            names = [self.ui.t(f"capability.{name}") for name in CAPABILITIES if (name in able) == wanted]
            lines.append(f"<p><strong>{html.escape(self.ui.t(title))}</strong> {html.escape(', '.join(names))}</p>")
        return "".join(lines)
