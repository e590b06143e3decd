"""Which event of the chat tab calls which handler, and the JavaScript that needs no round trip. Knows no layout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps.gradio_chat import forms
from apps.gradio_chat.desk import Desk
from apps.gradio_chat.log import Follow
from apps.gradio_chat.pane import ADDRESS, Pane
from apps.gradio_chat.trace import Look
from apps.gradio_kit import INTERNAL, on

# What was typed stays: a question that failed goes back into the box, unless the next one stands there already.
GIVE_BACK = "(typed, kept) => [(typed ?? '').trim() || !kept ? typed : kept, '']"
# Both chats read what was sent from a box of its own; the time makes it a change, however often the same is said.
SENT = "(typed) => [JSON.stringify({ text: typed ?? '', at: Date.now() }), '']"
FOLD = "() => { document.getElementById('chat-list')?.classList.toggle('turned'); }"
IN_ADDRESS = """(id) => {{ const url = new URL(location.href);
if (id) url.searchParams.set({name}, id); else url.searchParams.delete({name});
if (url.href !== location.href) history.replaceState(null, "", url); }}"""
SHARED = """(two, id) => {{ const url = new URL(location.href);
if (two && id) url.searchParams.set({name}, id); else url.searchParams.delete({name});
history.replaceState(null, "", url); }}"""
DOWNLOAD = """(told) => { if (told) { const file = JSON.parse(told), link = document.createElement("a");
link.href = URL.createObjectURL(new Blob([file.text], { type: file.kind })); link.download = file.name;
link.click(); setTimeout(() => URL.revokeObjectURL(link.href), 10000); } return ""; }"""


def wire(
    blocks: gr.Blocks, panes: tuple[Pane, ...], desk: Desk, look: Look, trace: gr.Accordion, parts: Mapping[str, Any]
) -> None:
    """Connect everything."""
    for pane in panes:
        pane.panes = panes
    for pane in panes:
        _messages(pane)
        _settings(pane)
    _composer(panes, blocks, parts["beside"])
    _desk(desk, parts)
    _looks(panes, look, trace)


def _gives_back(pane: Pane, event: Any) -> None:
    composer = pane.composer
    event.failure(pane.broken, None, pane.outputs, **INTERNAL)
    event.then(None, [composer.box, composer.kept], [composer.box, composer.kept], js=GIVE_BACK)


def _messages(pane: Pane) -> None:
    parts, read, written = pane.parts, pane.inputs, pane.outputs
    on(
        read, written,
        (parts.history.select, pane.take),
        (parts.history.clear, pane.new),
        (parts.earlier.click, pane.earlier),
        (parts.extras["cancel"].click, pane.leave_editor),
        (parts.extras["save_edit"].click, pane.save),
        (parts.watch.tick, pane.look),
    )  # fmt: skip
    asking = on(
        read, written,
        (pane.bar.opened.then, pane.opened),  # asked at once, the model gets what the address says
        (parts.acts.click, pane.act),
        (parts.history.retry, pane.retry),
        (parts.history.undo, pane.undo),
        (parts.history.example_select, pane.example),
        (parts.alert.click, pane.choose_fit),
        (parts.strip.choose, pane.branch_at),
        (parts.extras["save_ask"].click, pane.save_and_ask),
    )  # fmt: skip
    for event in asking:
        _gives_back(pane, event)
    name = json.dumps(ADDRESS[pane.side])
    parts.address.change(None, parts.address, None, js=IN_ADDRESS.format(name=name))


def _settings(pane: Pane) -> None:
    parts = pane.parts
    boxes = parts.settings
    typed = [boxes[name] for name in ("system", "template_text", "output_source", "virtual_window")]
    chosen = [boxes[name] for name in ("policy", "token_view")]  # forms does the others
    changed = gr.on([box.blur for box in typed] + [box.submit for box in typed] + [box.input for box in chosen],
          pane.changed, pane.inputs, pane.outputs, **INTERNAL)  # fmt: skip
    forms.wire(pane, changed)


def _composer(panes: tuple[Pane, ...], blocks: gr.Blocks, beside: gr.Column) -> None:
    composer = panes[0].composer
    gr.on([composer.send.click, composer.box.submit], None, composer.box, [composer.asked, composer.box], js=SENT)
    for pane in panes:
        asked = composer.asked.change(pane.send, pane.inputs, pane.outputs, **INTERNAL)
        _gives_back(pane, asked)
        told = {composer.two, composer.target, *(one.parts.where for one in panes)}
        asked.then(pane.settled, told, [composer.send, composer.stop], **INTERNAL)
    left, right = panes
    composer.stop.click(left.halt, left.inputs, left.outputs, queue=False, **INTERNAL)
    shared = [beside, composer.target]
    composer.two.input(_shared, composer.two, shared, **INTERNAL).then(
        None, [composer.two, right.parts.address], None, js=SHARED.format(name=json.dumps(ADDRESS["right"]))
    )
    blocks.load(_named_two, None, [composer.two, *shared], **INTERNAL)
    composer.outbox.change(None, composer.outbox, composer.outbox, js=DOWNLOAD)


def _shared(two: bool) -> tuple[gr.Column, gr.Radio]:
    """The second chat, and who is meant by a message."""
    return gr.Column(visible=two), gr.Radio(visible=two)


def _named_two(request: gr.Request) -> tuple[Any, ...]:
    """Two chats where the address names two."""
    return (True, *_shared(True)) if request.query_params.get(ADDRESS["right"]) else (gr.skip(),) * 3


def _desk(desk: Desk, parts: Mapping[str, Any]) -> None:
    left, composer = desk.left, desk.composer
    read, written = left.inputs, left.outputs
    parts["fold"].click(None, None, None, js=FOLD)
    listing = ((parts["new"].click, left.new), (composer.listed.click, desk.act), (parts["export"].click, desk.act))
    for event in on(read, written, *listing):
        _gives_back(left, event)
    composer.search.input(desk.listed, read, composer.listed, trigger_mode="always_last", **INTERNAL)
    composer.name.submit(desk.rename, read, written, **INTERNAL)
    parts["take"].upload(desk.take, {*read, parts["take"]}, written, **INTERNAL)
    composer.attach.upload(desk.attach, {*read, composer.attach}, written, **INTERNAL)
    composer.files.click(desk.detach, read, written, **INTERNAL)


def _looks(panes: tuple[Pane, ...], look: Look, trace: gr.Accordion) -> None:
    drawer, focus = look.parts, panes[0].composer.focus
    shown = gr.State(False)
    given = [focus, drawer.form]
    trace.expand(lambda: True, None, shown, **INTERNAL).then(look.fill, given, drawer.written, **INTERNAL)
    Follow(look.ui, drawer.log).wire(drawer.others, trace)
    trace.collapse(lambda: False, None, shown, **INTERNAL)

    def follow(told: Any, form: str, seen: bool, request: gr.Request) -> dict[Any, Any]:
        """What is pointed at now, if the panel is open or is to be."""
        wanted = told[3] in ("trace", "code")
        if not (seen or wanted):
            return {trace: gr.skip()}
        opened = {trace: gr.Accordion(open=True), drawer.tabs: gr.Tabs(selected=told[3])} if wanted else {}
        return look.fill(told, form, request) | opened | {shown: True}

    focus.change(follow, [*given, shown], [*drawer.written, trace, drawer.tabs, shown], **INTERNAL)
    drawer.form.input(look.code, given, drawer.code, **INTERNAL)
    outbox = panes[0].composer.outbox
    for bar in (drawer.whole, drawer.scripts):
        bar.click(look.download, focus, outbox, **INTERNAL)
