"""The named endpoint of batches: /batch_run. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Iterator
from typing import Any

import gradio as gr

from apps.gradio_documents.uploads import read_all
from apps.gradio_kit import Ui, guard
from engine.compare.batch_job import submit
from engine.compare.batch_plan import Batch, templates_for
from engine.compare.batch_results import lines_of, summary
from engine.compare.batch_table import read_table
from engine.comptine.strictly import followed
from engine.errors import BadInput, EngineError
from engine.jobs import Job
from engine.person import Person


def add(ui: Ui) -> None:
    """Add the endpoint to the `gr.Blocks` under construction."""
    gr.api(BatchEndpoints(ui).run, api_name="batch_run", api_description=ui.t("gradio.api.batch_run"))


class BatchEndpoints:
    """What the endpoint does, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def run(
        self, rows: list[dict[str, Any]] | None = None, file: dict[str, Any] | None = None,
        models: list[str] | None = None, templates: list[str] | None = None, system: str = "",
        params: list[dict[str, Any]] | None = None, repetitions: int = 1, checks: list[dict[str, Any]] | None = None,
        budget: str = "", currency: str = "USD", at_once: int | None = None, request: gr.Request | None = None,
    ) -> tuple[dict[str, Any], dict[str, Any]]:  # fmt: skip  # one update: how far it is, then all answers
        try:
            if request is None:
                raise BadInput("no request")
            person = self._ui.person(request)
            table = _rows(rows, file)
            asked = Batch.of({
                "rows": table, "models": models or [self._ui.engine.settings.model], "system": str(system) or None,
                "templates": templates or templates_for(table[0]), "params": params or [{}],
                "repetitions": repetitions, "checks": checks or [], "budget": budget or None, "currency": currency,
            })  # fmt: skip
            yield from self._done(person, asked, at_once)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _done(
        self, person: Person, asked: Batch, at_once: int | None
    ) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
        """The job as it goes, then its answers; cancelled with this iterator."""
        engine = self._ui.engine
        job, kept = submit(engine, person, asked, at_once=at_once, title=self._ui.t("compare_batch.title"))
        for now in followed(engine, job):
            job = now
            yield _how_far(now), {}
        saved = kept.read()
        lines = lines_of(saved.batch, saved.results)
        spent = saved.spent if asked.budget is not None else None
        told = {"results": [line.to_dict() for line in lines], "summary": summary(lines, len(asked.cells()), spent)}
        yield _how_far(job), told


def _rows(rows: Any, file: Any) -> list[dict[str, str]]:
    """The rows that were given, as texts, or those of a file. Raises BadInput, BadFile."""
    if file:
        ((name, data),) = read_all([file])
        return [dict(row) for row in read_table(name, data).rows]
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) and row for row in rows):
        raise BadInput("rows is a list of dictionaries, or file a table", reason="batch_nothing")
    return [{str(name): "" if value is None else str(value) for name, value in row.items()} for row in rows]


def _how_far(job: Job) -> dict[str, Any]:
    return {"state": job.state, "done": job.done, "total": job.total, "eta": job.eta}
