"""Which event of the tab calls which handler. Knows no layout."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_kit import INTERNAL
from apps.gradio_sampling.acting import Acting
from apps.gradio_sampling.boxes import keep_in_address, mirror
from apps.gradio_sampling.drawing import Drawing
from apps.gradio_sampling.filling import Filling
from apps.gradio_sampling.parts import Parts
from apps.ui.sampling import EXERCISES

ONE_LAST: dict[str, Any] = {"trigger_mode": "always_last", **INTERNAL}


def wire(drawing: Drawing, acting: Acting, blocks: gr.Blocks) -> None:
    """Connect everything."""
    parts, bar = drawing.parts, drawing.bar
    read = bar.inputs | {parts.text, parts.way, parts.order, parts.view, *parts.form.values(), *parts.second.values(),
                         parts.samples, parts.tokens}  # fmt: skip
    opened = [parts.order, parts.way, parts.examples, parts.exercises]
    blocks.load(acting.opened, None, opened, **INTERNAL)
    mirror(bar, parts.params)
    keep_in_address({"order": parts.order, "way": parts.way})
    _looks(acting, parts, read)
    _writes(acting, parts, read)
    _settings(drawing, acting, read)
    _grid(Filling(acting), parts, read)
    _files(acting, parts, read)
    parts.served.click(acting.gap, read, parts.gap, **INTERNAL)


def _looks(acting: Acting, parts: Parts, read: set[Any]) -> None:
    drawing = acting.drawing
    shown = parts.examples.click(acting.example, None, [parts.text, parts.way], **INTERNAL)
    for event in (parts.look.click, parts.text.submit, shown.success):
        looked = event(acting.look, read, [parts.progress], **INTERNAL)
        looked.then(drawing.drawn, read, parts.all, **INTERNAL)


def _writes(acting: Acting, parts: Parts, read: set[Any]) -> None:
    drawing = acting.drawing
    for event, handler in ((parts.step.click, acting.step), (parts.back.click, acting.back),
                           (parts.waterfall.choose, acting.take), (parts.strip.choose, acting.instead),
                           (parts.tree.click, acting.node)):  # fmt: skip
        event(handler, read, parts.all, **INTERNAL)
    begun = parts.run.click(acting.running, None, [parts.run, parts.stop], **INTERNAL)
    followed = begun.then(acting.run, read, [parts.progress, parts.strip], **INTERNAL)
    followed.then(drawing.drawn, read, parts.all, **INTERNAL)
    parts.stop.click(acting.stop, None, None, queue=False, **INTERNAL)
    parts.draw.click(acting.draw, read, parts.pictures, **INTERNAL)


def _settings(drawing: Drawing, acting: Acting, read: set[Any]) -> None:
    """Settings act at once, and ask the model for nothing."""
    parts, bar = drawing.parts, drawing.bar
    boxes = [*bar.params.values(), parts.order, *parts.form.values(), *parts.second.values(), parts.view]
    gr.on([box.change for box in boxes], drawing.settled, read, parts.pictures, **ONE_LAST)
    for name, tab in parts.tabs.items():
        tab.select(_named(name), None, parts.view, **INTERNAL)
    bar.model.change(drawing.drawn, read, parts.all, **INTERNAL)
    tried = [bar.params[name] for name in _exercised()]
    parts.exercises.click(acting.exercise, None, tried, **INTERNAL)


def _exercised() -> list[str]:
    return sorted({name for values in EXERCISES.values() for name in values})


def _grid(filling: Filling, parts: Parts, read: set[Any]) -> None:
    parts.fill.click(filling.fill, read, [parts.fill, parts.halt, parts.filling, parts.cells], **INTERNAL)
    parts.halt.click(filling.acting.stop, None, None, queue=False, **INTERNAL)


def _files(acting: Acting, parts: Parts, read: set[Any]) -> None:
    for name, button in parts.files.items():
        button.click(_file(acting, name), read, parts.outbox, **INTERNAL)
    parts.outbox.change(None, parts.outbox, parts.outbox, js=DOWNLOAD)

    def resume(values: Any, request: gr.Request) -> Any:
        return acting.resume(values, values[parts.resumed], request)

    parts.resumed.upload(resume, {*read, parts.resumed}, [*parts.all, acting.drawing.bar.model], **INTERNAL)


def _file(acting: Acting, name: str) -> Callable[[Any, gr.Request], str]:
    def file(values: Any, request: gr.Request) -> str:
        return acting.file(name, values, request)

    return file


def _named(name: str) -> Callable[[], str]:
    return lambda: name
