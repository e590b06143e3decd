"""The named endpoint of comparisons: /compare. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any

import gradio as gr

from apps.gradio_compare.kept import Open
from apps.gradio_kit import Ui, guard
from apps.ui import present
from engine.compare import Side, SideView
from engine.errors import BadInput, EngineError
from engine.params import Params
from engine.person import Person

NAMES = {"compare": "compare"}


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = CompareEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class CompareEndpoints:
    """What the endpoint does, in one language; errors are a sentence and a code, those of a side stand in its row."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def compare(
        self,
        question: str,
        models: list[str] | None = None,
        params: dict[str, Any] | list[dict[str, Any]] | None = None,
        system: str | list[str] = "",
        request: gr.Request | None = None,
    ) -> tuple[list[dict[str, Any]], dict[str, Any]]:  # one update of the stream: a row of each side, then the report
        try:
            if request is None:
                raise BadInput("no request")
            yield from self._compared(self._ui.person(request), str(question), _sides(models or [], params, system))
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _compared(
        self, person: Person, question: str, sides: Sequence[Side]
    ) -> Iterator[tuple[list[dict[str, Any]], dict[str, Any]]]:
        """The rows as they come; all is stopped with this iterator."""
        one, told = Open(self._ui.engine, sides, person), dict[str, Any]()
        one.comparison.ask(question)
        with closing(one.looks()) as looks:
            for views in looks:
                yield [self._row(view) for view in views], told
        told = one.comparison.report().to_dict()
        yield [self._row(view) for view in one.comparison.views()], told

    def _row(self, view: SideView) -> dict[str, Any]:
        row = {"model": view.side.model, "status": view.status, "text": view.live.text,
               "timeToFirstTokenSec": view.ttft, "waitedSec": view.waited, "recorded": view.recorded}  # fmt: skip
        if view.error is not None:
            sentence = present.error_text(view.error, self._ui.words).sentence
            row["error"] = {"code": view.error.code, "sentence": sentence}
        return row


def _sides(models: Sequence[Any], params: Any, system: Any) -> tuple[Side, ...]:
    """The sides asked for. Raises BadInput, BadParameter."""
    return tuple(
        Side(str(model), Params(_of(params, at, Mapping, {})), str(_of(system, at, str, "")).strip() or None)
        for at, model in enumerate(models)
    )


def _of(given: Any, at: int, kind: type, default: Any) -> Any:
    """What is given for all sides, or that of one side."""
    one = given[at] if isinstance(given, list) and at < len(given) else default if isinstance(given, list) else given
    if not isinstance(one or default, kind):
        raise BadInput("params is a dictionary or a list of them, system a text or a list of them", what="sides")
    return one or default
