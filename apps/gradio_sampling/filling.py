"""The grid temperature × top-p, which fills in while one looks and can be stopped. Handlers; know no layout."""

from __future__ import annotations

import time
from collections.abc import Iterator

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_sampling import texts
from apps.gradio_sampling.acting import Acting
from apps.gradio_sampling.opened import Page
from apps.gradio_sampling.parts import Update, Values
from apps.ui.sampling import TEMPERATURES, TOP_PS
from engine.errors import EngineError
from engine.sampling import grid

DRAW_EVERY_S = 0.3


class Filling:
    """What starts the grid and draws it."""

    def __init__(self, acting: Acting) -> None:
        self.acting, self.ui, self.drawing, self.parts = acting, acting.ui, acting.drawing, acting.parts

    def fill(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Every cell, one continuation after another. Who goes away ends it."""
        page, parts = self.drawing.page(request), self.parts
        page.stopping.clear()
        ended: Update = {parts.fill: gr.Button(visible=True), parts.halt: gr.Button(visible="hidden")}
        yield {parts.fill: gr.Button(visible="hidden"), parts.halt: gr.Button(visible=True), parts.filling: ""}
        try:
            yield from self._filled(page, values, request)
        except EngineError as error:
            ended[parts.filling] = kit.error_html(error, self.ui)
        yield ended

    def _filled(self, page: Page, values: Values, request: gr.Request) -> Iterator[Update]:
        parts, words = self.parts, self.ui.words
        model = self.drawing.model(values, request)
        known = page.exploration(model.card.id)
        if known is None:
            return
        seen, recipe = page.open(self.ui.engine, model), self.drawing.recipe(values)
        count, tokens = (min(max(int(values[box] or 1), 1), most) for box, most in ((parts.samples, 10),
                                                                                    (parts.tokens, 24)))  # fmt: skip
        text, total = (*known.ids, *known.written), len(TEMPERATURES) * len(TOP_PS) * count
        page.samples, begun, drawn = (), time.monotonic(), 0.0
        for sample in grid(seen.lens, page.owner, text, recipe, TEMPERATURES, TOP_PS, count, tokens):
            page.samples = (*page.samples, sample)
            done, now = len(page.samples), time.monotonic()
            if now - drawn >= DRAW_EVERY_S:
                drawn, left = now, words.seconds((now - begun) / done * (total - done))
                told = words.t("sampling.grid_left", done=done, total=total, left=left)
                yield {parts.filling: self.drawing.told(told, done / total),
                       parts.cells: texts.cells(page.samples, seen.vocabulary.text, self.ui)}  # fmt: skip
            if page.stopping.is_set():
                break
        said = (words.t("sampling.grid_progress", done=len(page.samples), total=total),
                words.t("sampling.grid_told", samples=count, tokens=tokens, seed=str(recipe.seed)))  # fmt: skip
        cells = texts.cells(page.samples, seen.vocabulary.text, self.ui)
        yield {parts.filling: texts.lines(*said), parts.cells: cells}
