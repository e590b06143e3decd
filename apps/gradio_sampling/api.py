"""The named endpoints of the samplers: /sampling_step, /sampling_stages. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from typing import Any

import gradio as gr

from apps.gradio_kit import Ui, guard
from apps.ui.sampling import ORDERS, recipe_of
from engine.errors import BadInput, EngineError
from engine.output import KINDS
from engine.params import Params
from engine.sampling.moments import Recipe
from engine.sampling.telling import explored

NAMES = {"sampling_step": "step", "sampling_stages": "stages"}
MOST_STEPS = 256
MOST_TOKENS = 1000  # listed of each stage


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = SamplingEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class SamplingEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def step(
        self,
        text: str,
        steps: int = 1,
        params: dict[str, Any] | None = None,
        order: str = "llama",
        model: str = "",
        chat: bool = False,
        kind: str = "text",
        source: str = "",
        request: gr.Request | None = None,
    ) -> tuple[str, dict[str, Any]]:  # one update of the stream: text so far, then each token with its dart
        try:
            if not 1 <= steps <= MOST_STEPS:
                raise BadInput(f"1 to {MOST_STEPS} steps", name="steps", value=steps)
            recipe = _recipe(params, order, kind, source)
            head, found = self._explored(text, recipe, model, chat, steps, 1, request)
            written, tokens = "", list[dict[str, Any]]()
            for told in found:
                if told["dart"] is not None:
                    tokens.append(_token(told))
                    written += tokens[-1]["text"]
                yield written, {}
            yield written, {**head, "tokens": tokens}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def stages(
        self,
        text: str,
        params: dict[str, Any] | None = None,
        order: str = "llama",
        model: str = "",
        chat: bool = False,
        top: int = 10,
        kind: str = "text",
        source: str = "",
        request: gr.Request | None = None,
    ) -> dict[str, Any]:
        try:
            if not 0 <= top <= MOST_TOKENS:
                raise BadInput(f"0 to {MOST_TOKENS} tokens", name="top", value=top)
            recipe = _recipe(params, order, kind, source)
            head, found = self._explored(text, recipe, model, chat, 1, top, request)
            return {**head, "steps": list(found)}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _explored(
        self, text: str, recipe: Recipe, model: str, chat: bool, steps: int, top: int, request: gr.Request | None
    ) -> Any:
        if request is None:
            raise BadInput("no request")
        person = self._ui.person(request)
        opened = self._ui.model(model, person)
        how: dict[str, Any] = {"steps": steps, "top": top, "chat": chat, "visitor": person.id}
        return explored(self._ui.engine, opened, text, recipe, **how)


def _recipe(params: dict[str, Any] | None, order: str, kind: str, source: str) -> Recipe:
    if order not in ORDERS:
        raise BadInput(f"the order is one of {', '.join(ORDERS)}", name="order", value=order)
    if kind not in KINDS:
        raise BadInput(f"the form is one of {', '.join(KINDS)}", name="kind", value=kind)
    return recipe_of(Params(params), order, kind, source)  # type: ignore[arg-type]


def _token(told: dict[str, Any]) -> dict[str, Any]:
    """One token as a line: where the dart fell, how much was left there. A model elsewhere writes by its own dice."""
    hit, wrote, stages = told["dart"], told.get("wrote"), told["stages"]
    return {
        "id": hit["token"] if wrote is None else None,
        "text": told["text"] if wrote is None else wrote,
        "u": hit["u"],
        "begin": hit["begin"],
        "end": hit["end"],
        "probability": hit["end"] - hit["begin"],
        "p_max": stages[-1]["p_max"],
        "survivors": stages[-1]["survivors"],
        "entropy_bits": stages[0]["entropy_bits"],
    }
