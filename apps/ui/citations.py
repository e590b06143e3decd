"""An answer whose marks lead to their passages: as Markdown, and the JavaScript that hears them. Knows no framework."""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from pathlib import Path

from apps.ui.markdown import safe_markdown
from engine.rag.citations import Citation

CITED = "#passage-"  # where a mark in an answer leads
_MARK = "\ue000{}\ue001"  # stands for a mark while the text is made inert; no font has these signs


def linked(text: str, marks: Sequence[Citation]) -> str:
    """An answer as inert Markdown whose marks are links to `#passage-<number>`; one that no passage has says so."""
    parts, at = [], 0
    for number, mark in enumerate(marks):
        parts += [text[at : mark.start], _MARK.format(number)]
        at = mark.end
    shown = safe_markdown("".join([*parts, text[at:]]))
    for number, mark in enumerate(marks):
        shown = shown.replace(_MARK.format(number), " ".join(_link(one, one in mark.unknown) for one in mark.numbers))
    return shown


def _link(number: int, unknown: bool) -> str:
    return f"\\[{number}\\]⚠" if unknown else f"[\\[{number}\\]]({CITED}{number})"


def unknown_numbers(marks: Iterable[Citation]) -> tuple[int, ...]:
    """The numbers in an answer that no passage has, each once."""
    return tuple(dict.fromkeys(number for mark in marks for number in mark.unknown))


@functools.cache
def links_script() -> str:
    """JavaScript with the function `citationLinks(choose)`."""
    return (Path(__file__).parent / "components" / "citations.js").read_text(encoding="utf-8")
