"""Which event of the side by side part calls which handler. Knows no layout."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import gradio as gr

from apps.gradio_compare.desk import Desk
from apps.gradio_compare.form import COLLECT
from apps.gradio_compare.place import Place
from apps.gradio_comptine.events import DOWNLOAD
from apps.gradio_kit import INTERNAL

# The form is read when it is needed, into the box of that place among what the handler is given.
_TELL = "(...given) => {{ given[{at}] = ({collect})(); return given; }}"


def wire(desk: Desk, place: Place) -> None:
    """Connect everything."""
    parts, read = desk.parts, desk.inputs
    told = _TELL.format(at=_place(read, parts.told), collect=COLLECT)
    seen = [place.section.select, place.tab.select]
    gr.on(seen, desk.opened, read, [parts.form, parts.answers, parts.question], js=told, **INTERNAL)
    asking = (
        gr.on([parts.ask.click, parts.question.submit], desk.asked, read, parts.written, js=told, **INTERNAL),
        parts.form.click(desk.acted, read, parts.written, trigger_mode="multiple", **INTERNAL),
        parts.answers.click(desk.clicked, read, parts.written, **INTERNAL),
    )
    under = [parts.under, parts.pair, parts.diff, parts.files]
    for event in asking:
        event.failure(desk.broken, None, [parts.alert, parts.ask, parts.stop], **INTERNAL)
        event.then(desk.ended, read, under, **INTERNAL)
    parts.stop.click(desk.stop, read, parts.alert, queue=False, **INTERNAL)
    parts.new.click(desk.new, read, parts.written, **INTERNAL).then(desk.ended, read, under, **INTERNAL)
    parts.pair.input(desk.differ, read, parts.diff, **INTERNAL)
    parts.files.click(desk.save, read, parts.outbox, **INTERNAL)
    parts.outbox.change(None, parts.outbox, parts.outbox, js=DOWNLOAD)


def _place(read: Iterable[Any], box: Any) -> int:
    """Where Gradio puts the value of that box among those of a set: it sorts them as they were made."""
    return sorted(read, key=lambda one: one._id).index(box)
