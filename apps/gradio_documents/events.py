"""Which event of the tab calls which handler, and the JavaScript that needs no round trip. Knows no layout."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_documents.answers import Answers
from apps.gradio_documents.chunked import Chunking, Chunks
from apps.gradio_documents.desk import Desk, Update, Values
from apps.gradio_documents.keeping import Keeping
from apps.gradio_documents.looks import Opening, Searching, Traces
from apps.gradio_documents.mapped import Map
from apps.gradio_documents.mapped import Mapping as Mapped
from apps.gradio_documents.measuring import Measures, Measuring
from apps.gradio_documents.questions import Ask, Opened, Search
from apps.gradio_documents.settings import OWN, keep_in_address
from apps.gradio_documents.shelf import Shelf
from apps.gradio_kit import INTERNAL
from apps.ui.documents import START, from_address

ONE_LAST: dict[str, Any] = {"trigger_mode": "always_last", **INTERNAL}


def wire(
    desk: Desk, shelf: Shelf, ask: Ask, search: Search, opened: Opened, chunks: Chunks, measures: Measures, map_: Map,
    tabs: Mapping[str, gr.Tab], front: gr.Tabs, outbox: gr.Textbox,
) -> None:  # fmt: skip
    """Connect everything."""
    keeping = Keeping(desk, shelf)
    answers = Answers(desk, keeping, ask)
    _address(desk, keeping, answers, ask, front)
    _shelf(keeping, ask)
    _ask(answers, keeping, outbox)
    _opening(Opening(desk, ask, search, shelf, opened), ask, search, shelf, opened)
    _search(Searching(desk, search), outbox)
    gr.on([ask.question.focus, search.question.focus], keeping.warm, {desk.chosen}, None, **INTERNAL)
    _traces(Traces(desk, ask), ask)
    _chunks(Chunking(desk, chunks), tabs["chunks"], shelf, outbox)
    _measures(Measuring(desk, measures), tabs["evaluate"], outbox)
    _map(Mapped(desk, map_), tabs["map"], outbox)
    outbox.change(None, outbox, outbox, js=DOWNLOAD)


def _address(desk: Desk, keeping: Keeping, answers: Answers, ask: Ask, front: gr.Tabs) -> None:
    """What a link sets, once the page knows who looks; and what the page writes into it."""
    settings, parts = desk.settings, keeping.parts
    boxes = {**settings.boxes, "collection": desk.chosen, "mode": ask.mode, "compared": ask.compared}

    def opened(values: Values, request: gr.Request) -> Update:
        person, held = desk.person(request), from_address(request.query_params)
        one = desk.all(person).get(held["collection"] or "")
        update = settings.shown(held) | {ask.mode: held["mode"], ask.compared: held["compared"]}
        return update | keeping.shown(one, person) | {
            front: gr.Tabs(selected=held["tab"]), ask.examples: answers.examples(), **_files(desk, one, request),
            parts.embedder: _embedders(desk),
        }  # fmt: skip

    written = [*settings.all, ask.mode, ask.compared, *parts.written, front, ask.examples, parts.embedder]
    desk.bar.opened.then(opened, {desk.chosen}, written, **INTERNAL)

    def own(kind: str) -> Any:
        return gr.Slider(visible=True if kind == OWN else "hidden")

    settings.boxes["threshold"].input(own, settings.boxes["threshold"], settings.own, **INTERNAL)
    settings.reset.click(lambda: settings.shown(START), None, settings.all, **INTERNAL)
    keep_in_address(boxes, settings.own)


def _embedders(desk: Desk) -> Any:
    """Those of this machine, the default first."""
    from engine.rag.embedders import default_embedder, options

    usable = [one.name for one in options(desk.ui.engine) if one.problem is None]
    return gr.Dropdown(sorted(usable, key=lambda name: name != default_embedder()), value=default_embedder())


def _files(desk: Desk, one: Any, request: gr.Request) -> Update:
    """The files that a search can be kept to."""
    person = desk.person(request)
    one = one or next(iter(desk.all(person).values()), None)
    files = desk.files(one, person) if one is not None else ()
    choices = [(file.name, file.id) for file in files if file.state == "done"]
    return {desk.settings.boxes["files"]: gr.Dropdown(choices, value=[])}


def _shelf(keeping: Keeping, ask: Ask) -> None:
    parts, desk = keeping.parts, keeping.desk
    kept = [box for box in vars(parts).values() if isinstance(box, gr.components.FormComponent)]
    read = {desk.chosen, *kept}
    pairs = ((parts.create.click, keeping.create), (parts.rename.click, keeping.rename),
             (parts.share.input, keeping.share), (parts.rollback.click, keeping.rollback),
             (parts.sure.click, keeping.delete), (parts.remove.click, keeping.remove),
             (parts.reindex.click, keeping.reindex), (parts.go_on.click, keeping.reindex),
             (parts.cancel.click, keeping.cancel), (parts.add.click, keeping.add),
             (parts.sample.click, keeping.sample), (parts.chosen.input, keeping.look),
             (parts.search.click, keeping.search), (parts.query.submit, keeping.search))  # fmt: skip
    for event, handler in pairs:
        event(handler, read, parts.written, **INTERNAL)
    parts.delete.click(keeping.ask_twice, {desk.chosen}, parts.sure, **INTERNAL)
    # unprocessed, an upload keeps the name that it had
    parts.drop.upload(keeping.dropped, {desk.chosen, parts.drop}, parts.written, preprocess=False, **INTERNAL)
    parts.clock.tick(keeping.tick, {desk.chosen}, parts.written, **ONE_LAST)

    def files(values: Values, request: gr.Request) -> Update:
        return _files(desk, desk.found(values, desk.person(request)), request)

    gr.on([parts.ready.change, parts.chosen.change], files, {desk.chosen}, desk.settings.boxes["files"], **INTERNAL)


def _ask(answers: Answers, keeping: Keeping, outbox: gr.Textbox) -> None:
    parts, desk = answers.parts, answers.desk
    read = {desk.chosen, *desk.settings.all, *desk.bar.inputs, parts.question, parts.mode, parts.compared, parts.follow,
            parts.pending, parts.wanted, parts.held, parts.history}  # fmt: skip
    shelved = list(dict.fromkeys([*parts.begun, *keeping.parts.written]))
    given = parts.examples.click(answers.example, read, shelved, **INTERNAL)
    asks = [event(answers.ask, read, parts.begun, **INTERNAL) for event in (parts.ask.click, parts.question.submit)]
    ready = [given.then(answers.waiting, read, parts.begun, **INTERNAL),
             keeping.parts.ready.change(answers.waiting, read, parts.begun, **INTERNAL)]  # fmt: skip
    for begun in asks:  # the answer is to be in sight
        begun.success(lambda: gr.Accordion(open=False), None, keeping.parts.fold, **INTERNAL)
    for begun in (*asks, *ready):
        followed = begun.success(answers.follow, read, parts.followed, **INTERNAL)
        for one in (begun, followed):
            one.failure(answers.broken, None, [parts.progress, parts.alert, parts.ask, parts.stop], **INTERNAL)
        followed.then(answers.ended, {parts.wanted, parts.held, parts.history, parts.follow}, parts.ended, **INTERNAL)
    parts.stop.click(answers.stop, None, parts.progress, queue=False, **INTERNAL)
    parts.save.click(answers.save, {parts.held, parts.which}, outbox, **INTERNAL)


def _opening(opening: Opening, ask: Ask, search: Search, shelf: Shelf, opened: Opened) -> None:
    read, written = (
        {opening.desk.chosen, ask.held, search.found, shelf.file},
        [opened.drawer, opened.shown, opened.picture],
    )
    for event, handler in ((ask.links.choose, opening.cited), (ask.passages.choose, opening.passage),
                           (ask.left_out.choose, opening.left_out), (search.passages.choose, opening.found),
                           (shelf.open.click, opening.file)):  # fmt: skip
        event(handler, read, written, **INTERNAL)


def _search(searching: Searching, outbox: gr.Textbox) -> None:
    parts, desk = searching.parts, searching.desk
    written = [parts.told, parts.passages, parts.found, parts.save]
    gr.on([parts.go.click, parts.question.submit], searching.search,
          {desk.chosen, *desk.settings.all, parts.question}, written, **INTERNAL)  # fmt: skip
    parts.save.click(searching.save, {parts.found}, outbox, **INTERNAL)


def _traces(traces: Traces, ask: Ask) -> None:
    read = {ask.held, ask.which, ask.form, *traces.desk.bar.inputs}
    ask.trace.expand(traces.trace, read, ask.looked, **INTERNAL)
    gr.on([ask.code.expand, ask.form.input], traces.code, read, ask.text, **INTERNAL)

    def folded() -> list[Any]:
        return [gr.Accordion(open=False)] * 2

    ask.which.input(folded, None, [ask.trace, ask.code], **INTERNAL)


def _chunks(chunking: Chunking, tab: gr.Tab, shelf: Shelf, outbox: gr.Textbox) -> None:
    parts = chunking.parts
    read = {chunking.desk.chosen, parts.file, parts.kind, parts.size, parts.overlap, parts.screen}
    tab.select(chunking.opened, read, [parts.file, parts.kind, parts.size, parts.overlap, parts.screen, parts.told,
                                       parts.view], **INTERNAL)  # fmt: skip
    moved = [box.input for box in (parts.file, parts.kind, parts.size, parts.overlap, parts.screen)]
    gr.on(moved, chunking.cut, read, [parts.view, parts.told, parts.screen], **ONE_LAST)
    parts.save.click(chunking.save, read, outbox, **INTERNAL)


def _measures(measuring: Measuring, tab: gr.Tab, outbox: gr.Textbox) -> None:
    parts, desk = measuring.parts, measuring.desk
    form = {parts.set, parts.written, parts.where, parts.hit, parts.ways, parts.kinds, parts.sizes, parts.embedders,
            parts.judge, *desk.bar.inputs}  # fmt: skip
    read = {desk.chosen, *desk.settings.all, *form, parts.chosen, parts.measure}
    parts.set.input(measuring.kind, {parts.set, parts.where}, [parts.file, parts.written, parts.where], **INTERNAL)
    parts.start.click(measuring.start, {*read, parts.file}, parts.written_to, preprocess=False, **INTERNAL)
    for event, handler in ((tab.select, measuring.opened), (parts.cancel.click, measuring.cancel)):
        event(handler, read, parts.written_to, **INTERNAL)
    parts.clock.tick(measuring.tick, read, parts.written_to, **ONE_LAST)
    gr.on([parts.chosen.input, parts.measure.input], measuring.look, read, parts.written_to, **ONE_LAST)
    parts.csv.click(measuring.save_csv, read, outbox, **INTERNAL)
    parts.json.click(measuring.save_json, read, outbox, **INTERNAL)


def _map(mapped: Mapped, tab: gr.Tab, outbox: gr.Textbox) -> None:
    parts, desk = mapped.parts, mapped.desk
    read = {desk.chosen, *desk.settings.all, parts.question}
    gr.on([tab.select, parts.go.click, parts.question.submit], mapped.draw, read, parts.written, **INTERNAL)
    parts.save.click(mapped.save, {parts.rows}, outbox, **INTERNAL)
