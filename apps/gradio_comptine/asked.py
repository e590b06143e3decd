"""Steps one and two: the rhyme, the question, and whether both and the answer fit. Handlers; know no layout."""

from __future__ import annotations

import html
import json
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_comptine import boxes as controls
from apps.gradio_comptine.parts import Parts, Update, Values
from apps.gradio_kit import Sidebar, Ui
from apps.ui import comptine, present
from apps.ui.comptine_cell import cell_of
from engine.comptine.cell import Cell
from engine.comptine.question import Prompt
from engine.comptine.running import prepare
from engine.comptine.tokens import count
from engine.errors import EngineError, NotSupported
from engine.model import Model
from engine.tokenizers import ENCODINGS, count_tiktoken

FIRST_LINES = 4
PRE = "white-space:pre-wrap;overflow-wrap:anywhere;max-height:50vh;overflow-y:auto"


class Asked:
    """What the controls of rhyme and question do."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: Parts) -> None:
        self.ui, self.bar, self.parts = ui, bar, parts

    def cell(self, values: Values) -> Cell:
        """The cell that the page asks for. Raises BadInput."""
        return cell_of(controls.told(self.parts.boxes, values), values[self.bar.model] or None)

    def looked(self, values: Values, request: gr.Request) -> Update:
        """The rhyme's first lines, and what everybody counts: before anything is run."""
        parts, held = self.parts, controls.told(self.parts.boxes, values)
        shown = controls.fields(parts.boxes, held["kind"], values[parts.boxes["prefix"]])
        empty: Update = dict.fromkeys((parts.bars, parts.gauge, parts.prompt, parts.survivors), "")
        try:
            cell = self.cell(values)
            shown |= self._lines(cell)
            return empty | shown | self._counted(cell, self.ui.model(cell.model, self.ui.person(request)))
        except EngineError as error:
            return empty | {parts.lines: "", parts.text: ""} | shown | {parts.bars: kit.error_html(error, self.ui)}

    def files(self, values: Values) -> str:
        """The sheet's two files, for the browser to save."""
        try:
            text = self.cell(values).rhyme().text
        except EngineError as error:
            gr.Warning(present.error_text(error, self.ui.words).sentence)
            return ""
        counts = "".join(f"{name} {count_tiktoken(text, name)}\n" for name in ENCODINGS)
        both = (("comptine.txt", text + "\n"), ("comptine_tokens.txt", counts))
        return json.dumps([json.loads(outgoing(name, "text/plain;charset=utf-8", told)) for name, told in both])

    def ends(self, values: Values, request: gr.Request) -> str:
        """The last prompt and the last answer that fit, by bisection."""
        from engine.comptine.ends import ends

        try:
            cell = self.cell(values)
            found = ends(self.ui.model(cell.model, self.ui.person(request)), cell)
        except EngineError as error:
            return kit.error_html(error, self.ui)
        t, lines = self.ui.t, []
        for name, one in found.items():
            known = one.last is not None
            lines.append(t(f"comptine.ends_{name}", last=one.last, steps=len(one.steps)) if known
                         else t("comptine.ends_none"))  # fmt: skip
            tried = " · ".join(f"{self.ui.words.number(number)} {'✓' if held else '✕'}" for number, held in one.steps)
            lines.append(f"→ {tried}")
        return "".join(f"<p>{html.escape(line)}</p>" for line in lines)

    def tried(self, values: Values, guess: Any, request: gr.Request) -> str:
        """Whether a rhyme of so many verses is taken, and its answer too: a student's guess."""
        from dataclasses import replace

        try:
            cell = replace(self.cell(values), policy="refuse")
            cell = replace(cell, verses=int(guess or 0), last=min(cell.last, int(guess or 0)))
            made = prepare(self.ui.model(cell.model, self.ui.person(request)), cell)
        except EngineError as error:
            return kit.error_html(error, self.ui)
        key = {"refused": "guess_refused", "budget": "guess_budget"}.get(made.status or "", "guess_fits")
        numbers = {"verses": cell.verses, "total": made.total, "needed": made.needed}
        return f"<p>{html.escape(self.ui.t(f'comptine.{key}', **numbers))}</p>"

    def _lines(self, cell: Cell) -> Update:
        verses = cell.rhyme().text
        shown = verses.split("\n")
        first = [*shown[:FIRST_LINES], *(["…"] if len(shown) > FIRST_LINES + 1 else []), shown[-1]]
        return {self.parts.lines: _pre("\n".join(first)), self.parts.text: _pre(verses)}

    def _counted(self, cell: Cell, model: Model) -> Update:
        """Bars, gauge and survivors of what would be sent. Raises EngineError."""
        asked, words = cell.prompt(), self.ui.words
        whole = count(asked, model, virtual_window=cell.window)
        alone = count(cell.rhyme(), model, virtual_window=cell.window)
        gauge = comptine.budget_gauge(whole, words)
        said = f"<p>{html.escape(comptine.budget_text(whole, words))}</p>"
        return {
            self.parts.bars: comptine.token_bars_html(alone, words),
            self.parts.gauge: (present.gauge_html(gauge) if gauge else "") + said,
            self.parts.prompt: self._prompt(asked),
            self.parts.survivors: self._survivors(cell, model),
        }

    def _prompt(self, asked: Prompt) -> str:
        return f"<p><code>{html.escape(self.ui.t('comptine.sha256', sha256=asked.sha256))}</code></p>" + _pre(
            asked.text + (f"\n\n▸ {asked.prefix}" if asked.prefix else "")
        )

    def _survivors(self, cell: Cell, model: Model) -> str:
        """Which verses the policy leaves; nothing where all stay."""
        if cell.policy == "refuse":
            return ""
        try:
            made = prepare(model, cell)
        except NotSupported as error:
            return kit.error_html(error, self.ui)
        if made.survivors is None:
            return ""
        title = html.escape(self.ui.t("comptine.survivors"))
        return f"<p><strong>{title}</strong></p>" + comptine.survivors_html(made.survivors.to_dict(), self.ui.words)


def _pre(text: str) -> str:
    return f"<pre tabindex='0' style='{PRE}'>{html.escape(text)}</pre>"
