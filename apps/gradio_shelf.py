"""A table in HTML, and what a model can do in words. Knows no layout."""

from __future__ import annotations

import html
from collections.abc import Iterable

from apps import gradio_kit as kit
from apps.gradio_kit import Ui
from engine.catalog import ModelCard
from engine.errors import EngineError
from engine.person import Person
from engine.types import CAPABILITIES


def table(head: Iterable[str], rows: Iterable[Iterable[str]], caption: str) -> str:
    """A table whose texts are escaped; it scrolls inside itself on a narrow screen."""
    titles = "".join(f'<th scope="col">{html.escape(text)}</th>' for text in head)
    lines = "".join("<tr>" + "".join(f"<td>{html.escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
    return (
        f'<div class="atelier-scroll" tabindex="0" role="region" aria-label="{html.escape(caption)}">'
        f'<table class="atelier-table"><thead><tr>{titles}</tr></thead><tbody>{lines}</tbody></table></div>'
    )


def abilities(ui: Ui, card: ModelCard, person: Person) -> str:
    """What a model can do and what it cannot; why it may not be opened where that is so."""
    try:
        able = ui.model(card.id, person).capabilities
    except EngineError as error:  # a damaged or forbidden model must not hide what is known of it
        return kit.error_html(error, ui)
    lines = []
    for title, wanted in (("models.capabilities", True), ("models.unavailable", False)):
        names = [ui.t(f"capability.{name}") for name in CAPABILITIES if (name in able) == wanted]
        lines.append(f"<p><strong>{html.escape(ui.t(title))}</strong> {html.escape(', '.join(names))}</p>")
    return "".join(lines)
