"""The named endpoints of pictures by Replicate: /replicate_form and /replicate_image. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from collections.abc import Iterator
from contextlib import closing
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui, guard
from apps.ui import present
from apps.ui.pictures import model_id
from engine.compare import Look, PictureRun, picture_form
from engine.errors import BadInput, EngineError
from engine.person import Person

NAMES = {"replicate_form": "form", "replicate_image": "image"}


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = PictureEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class PictureEndpoints:
    """What the endpoints do, in one language; errors are a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def form(self, model: str, request: gr.Request | None = None) -> list[dict[str, Any]]:
        try:
            person = self._person(request)
            fields = picture_form(self._ui.engine, model_id(model), owner=person.id, role=person.role)
            return [{**vars(field), "choices": list(field.choices)} for field in fields]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def image(
        self, model: str, inputs: dict[str, Any], request: gr.Request | None = None
    ) -> tuple[dict[str, Any], list[str]]:  # one update of the stream: how it stands, then the pictures as data: URLs
        try:
            person = self._person(request)
            if not isinstance(inputs, dict):
                raise BadInput("inputs is a dictionary", what="inputs")
            run = PictureRun(self._ui.engine, model_id(model), inputs, owner=person.id, role=person.role)
            yield from self._made(run)
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _made(self, run: PictureRun) -> Iterator[tuple[dict[str, Any], list[str]]]:
        """How it stands until its end; stopped with this iterator."""
        try:
            with closing(run.looks()) as looks:
                for look in looks:
                    yield self._told(look), [picture.url for picture in look.pictures]
        finally:
            run.stop()
        if look.error is not None and not look.pictures:  # beside pictures it is told with them
            raise look.error

    def _told(self, look: Look) -> dict[str, Any]:
        told = look.to_dict()
        if look.error is not None:
            told["error"]["sentence"] = present.error_text(look.error, self._ui.words).sentence
        return told

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)
