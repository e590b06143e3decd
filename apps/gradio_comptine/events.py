"""Which event of the rhyme's tab calls which handler, and the JavaScript that needs no round trip. Knows no layout."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import gradio as gr

from apps.gradio_comptine.asked import Asked
from apps.gradio_comptine.boxes import keep_in_address
from apps.gradio_comptine.limits import Limits
from apps.gradio_comptine.more import Extras, More
from apps.gradio_comptine.running import Running
from apps.gradio_comptine.sweep_form import Sweeps
from apps.gradio_comptine.sweeping import Sweeping
from apps.gradio_comptine.under import Looks, Under
from apps.gradio_kit import INTERNAL, Ui

DOWNLOAD = """(told) => { for (const file of told ? JSON.parse(told) : []) {
const bytes = file.base64 ? Uint8Array.from(atob(file.base64), (sign) => sign.charCodeAt(0)) : file.text;
const link = document.createElement("a"); link.href = URL.createObjectURL(new Blob([bytes], { type: file.kind }));
link.download = file.name; link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 10000); } return ""; }"""
TO_CHAT = """(id) => { if (id) { const url = new URL(location.href); url.searchParams.set("chat", id);
url.searchParams.delete("section"); location.assign(url); } return ""; }"""


def wire(
    ui: Ui,
    blocks: gr.Blocks,
    asked: Asked,
    under: Under,
    limits: Limits,
    more: More,
    sweeps: Sweeps,
    buttons: Mapping[str, Any],
) -> None:
    """Connect everything."""
    _steps(asked, buttons)
    _counts(asked, blocks)
    _limits(asked, limits)
    _run(Running(ui, asked, asked.parts), blocks)
    _under(ui, asked, under, more)
    _sweeps(Sweeping(ui, asked.bar, sweeps), asked, blocks)


def _read(asked: Asked, *others: Any) -> set[Any]:
    parts = asked.parts
    return {asked.bar.model, *parts.boxes.values(), parts.way, parts.result, parts.today, *others}


def _steps(asked: Asked, buttons: Mapping[str, Any]) -> None:
    """Only the current step is open; a step that is opened by hand is the current one."""
    parts = asked.parts
    steps = list(parts.steps.values())

    def to(name: str) -> Callable[[], Any]:
        return lambda: parts.opened(name)

    buttons["to_question"].click(to("question"), None, steps, **INTERNAL)
    buttons["to_run"].click(to("run"), None, steps, **INTERNAL)
    for name, step in parts.steps.items():
        step.expand(to(name), None, steps, **INTERNAL)
    buttons["files"].click(asked.files, _read(asked), parts.outbox, **INTERNAL)
    parts.outbox.change(None, parts.outbox, parts.outbox, js=DOWNLOAD)


def _counts(asked: Asked, blocks: gr.Blocks) -> None:
    """What is counted follows the controls, and the tab: a page that shows another one loads no model."""
    parts, tab = asked.parts, asked.parts.steps["rhyme"].parent
    changes = [box.change for name, box in parts.boxes.items() if name not in ("temperature", "strict")]
    assert isinstance(tab, gr.Tab)
    gr.on([*changes, tab.select], asked.looked, _read(asked), parts.counted, trigger_mode="always_last", **INTERNAL)
    keep_in_address(parts.boxes)


def _limits(asked: Asked, limits: Limits) -> None:
    read = _read(asked)
    limits.search.click(asked.ends, read, limits.ends, **INTERNAL)

    def tried(values: Any, request: gr.Request) -> str:
        return asked.tried(values, values[limits.guess], request)

    gr.on([limits.attempt.click, limits.guess.submit], tried, {*read, limits.guess}, limits.tried, **INTERNAL)


def _run(running: Running, blocks: gr.Blocks) -> None:
    parts, asked = running.parts, running.asked
    read = _read(asked, parts.wanted)
    blocks.load(running.opened, None, [*parts.boxes.values(), parts.guide, parts.examples], **INTERNAL)
    parts.way.input(running.way, read, parts.guide, **INTERNAL)
    for event, handler in ((parts.run.click, running.run), (parts.guide.click, running.guided),
                           (parts.examples.click, running.example)):  # fmt: skip
        begun = event(handler, read, parts.readied, **INTERNAL)
        told = {parts.wanted, parts.boxes["strict"]}
        followed = begun.success(running.follow, told, parts.followed, **INTERNAL)
        for one in (begun, followed):
            one.failure(running.broken, None, [parts.progress, parts.alert], **INTERNAL)
        followed.then(running.ended, {parts.wanted, parts.result, parts.today}, parts.ended, **INTERNAL)
    parts.stop.click(running.stop, None, parts.progress, queue=False, **INTERNAL)


def _under(ui: Ui, asked: Asked, under: Under, more: More) -> None:
    parts, looks, extras = asked.parts, Looks(ui, asked.parts, under), Extras(ui, asked, more)
    read = _read(asked, under.form, more.file)
    under.trace.expand(looks.trace, read, under.looked, **INTERNAL)
    gr.on([under.code.expand, under.form.input], looks.code, read, under.text, **INTERNAL)
    under.card.expand(looks.card, read, under.told, **INTERNAL)
    under.save.click(looks.save, read, parts.outbox, **INTERNAL)
    under.to_chat.click(looks.to_chat, read, under.chat, **INTERNAL)
    under.chat.change(None, under.chat, under.chat, js=TO_CHAT)
    # what is open belongs to the run before: it folds when another one begins
    folded = [under.trace, under.code, under.card]
    parts.result.change(lambda: [gr.Accordion(open=False)] * len(folded), None, folded, **INTERNAL)
    more.measure.click(extras.surprise, read, more.surprise, **INTERNAL)
    more.file.upload(extras.replay, read, more.replayed, **INTERNAL)


def _sweeps(sweeping: Sweeping, asked: Asked, blocks: gr.Blocks) -> None:
    parts, step = sweeping.parts, asked.parts.steps["sweep"]
    read = {asked.bar.model, *parts.boxes.values(), parts.choose, parts.view, parts.depth, parts.seen, parts.first,
            parts.second, parts.metric}  # fmt: skip
    gr.on([*(box.change for box in parts.boxes.values()), step.expand], sweeping.estimate, read, parts.estimate,
          trigger_mode="always_last", **INTERNAL)  # fmt: skip
    blocks.load(sweeping.there, None, step, **INTERNAL)
    for event, handler in ((step.expand, sweeping.opened), (parts.start.click, sweeping.start),
                           (parts.cancel.click, sweeping.cancel), (parts.resume.click, sweeping.resume)):  # fmt: skip
        event(handler, read, parts.written, **INTERNAL)
    looks = [parts.clock.tick, parts.choose.input, parts.view.input, parts.depth.input]
    gr.on(looks, sweeping.look, read, parts.written, trigger_mode="always_last", **INTERNAL)
    pair = [parts.first.input, parts.second.input, parts.metric.input]
    gr.on(pair, sweeping.compared, read, parts.compared, **INTERNAL)
    for kind, button in parts.files.items():
        button.click(_download(sweeping, kind), read, asked.parts.outbox, **INTERNAL)


def _download(sweeping: Sweeping, kind: str) -> Callable[[Any, gr.Request], str]:
    def file(values: Any, request: gr.Request) -> str:
        return sweeping.file(kind, values, request)

    return file
