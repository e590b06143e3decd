"""The named endpoints of the rhyme: /comptine_tokens, /comptine_run, /comptine_sweep. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui, guard
from engine.comptine.cell import Cell, CellResult
from engine.comptine.grid import Sweep
from engine.comptine.running import CellRun, Strip
from engine.comptine.strictly import StrictRun, followed, run_of
from engine.errors import BadInput, EngineError, error_from
from engine.model import Model
from engine.person import Person

NAMES = {"comptine_tokens": "tokens", "comptine_run": "run", "comptine_sweep": "sweep"}


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = ComptineEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class ComptineEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def tokens(
        self,
        verses: int,
        first: int = 1,
        last: int = 10,
        variant: str = "constant",
        seed: int = 0,
        model: str = "",
        options: dict[str, Any] | None = None,
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        from engine.comptine.tokens import count  # tiktoken

        try:
            cell = _cell(verses, first, last, variant, seed, model, options)
            asked = cell.prompt()
            counts = count(asked, self._model(cell, request), virtual_window=cell.window)
            return {**asdict(counts), "fits": counts.fits, "sha256": asked.sha256}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def run(
        self,
        verses: int,
        first: int = 1,
        last: int = 10,
        variant: str = "constant",
        seed: int = 0,
        model: str = "",
        options: dict[str, Any] | None = None,
        strict: bool = False,
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # one update of the stream: text so far and its strip, then the whole result
        try:
            cell = _cell(verses, first, last, variant, seed, model, options)
            person, known = self._person(request), self._model(cell, request)
            yield from _followed(run_of(self._ui.engine, known, cell, person, strict=strict))
        except EngineError as error:
            raise guard(self._ui, error) from error

    def sweep(
        self, sweep: dict[str, Any], model: str = "", strict: bool = False, request: gr.Request | None = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # one update of the stream: how far it is, then cells and summary
        from engine.comptine.summary import summary
        from engine.comptine.sweep import submit

        try:
            person = self._person(request)
            asked = Sweep.of({"models": [model or None], **sweep})
            job, file = submit(self._ui.engine, person.id, asked, role=person.role, strict=strict)
            for told in followed(self._ui.engine, job):
                yield {"done": told.done, "total": told.total, "eta": told.eta, "state": told.state}, {}
            kept = file.read().results
            results = [kept[cell.key] for cell in asked.cells() if cell.key in kept]
            told_all = {"cells": [result.row() for result in results], "summary": summary(results)}
            yield {"done": len(results), "total": len(asked.cells()), "eta": 0.0, "state": "done"}, told_all
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _model(self, cell: Cell, request: gr.Request | None) -> Model:
        return self._ui.model(cell.model, self._person(request))

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)


def _cell(
    verses: int, first: int, last: int, variant: str, seed: int, model: str, options: dict[str, Any] | None
) -> Cell:
    """The cell; `options` are its other fields by name. Raises BadInput."""
    named = {"verses": verses, "first": first, "last": last, "variant": variant, "seed": seed, "model": model or None}
    return Cell.from_dict({**(options or {}), **named})


def _followed(run: CellRun | StrictRun) -> Iterator[tuple[str, dict[str, Any]]]:
    """The growing answer with its strip, then the answer with every metric. Raises what ended it before a word."""
    text, marks = "", list[dict[str, Any]]()
    try:
        for step in run:
            if isinstance(step, Strip):
                text, marks = step.text, [asdict(mark) for mark in step.marks]
            if not isinstance(step, CellResult):  # while nothing comes too: who has gone is noticed at a yield
                yield text, {"marks": marks}
    finally:
        run.stop()
    result = run.result
    assert result is not None
    if result.status == "failed" and not result.answer and result.error is not None:
        raise error_from(result.error)
    yield result.answer, told(result)


def told(result: CellResult) -> dict[str, Any]:
    """What `python -m engine comptine run --json` prints of this result."""
    marks = [asdict(mark) for mark in result.marks]
    return {**result.row(), "marks": marks, "survivors": result.survivors, "error": result.error}
