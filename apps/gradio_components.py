"""Token strips, verses, chunks, passages, waterfalls, drop zones as Gradio components. Knows not what they are for."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

import gradio as gr

from apps.ui import chunks, dropzone, passages, sampling, strips, verses
from apps.ui.i18n import Words
from apps.ui.strips import Choice
from engine.token_view import Piece, Scored

# A constant template: Gradio never touches what is in it. The shadow root keeps Gradio's styles for prose out of it.
_TEMPLATE = '<div class="host"></div>'
_MOUNT = """
const shadow = element.querySelector(".host").attachShadow({{ mode: "open" }});
const look = document.createElement("style");
look.textContent = {style};
const root = document.createElement("div");
root.className = "strips";
shadow.append(look, root);
{script}
const draw = () => {function}(root, props.value, (choice) => trigger("{event}", {told}));
draw();
watch("value", draw);
"""


def token_strip(**options: Any) -> gr.HTML:
    """A strip of a prompt's tokens; its value is what `tokens_value` gives, or None."""
    return _html("tokenStrip", options)


def scored_strip(**options: Any) -> gr.HTML:
    """A strip of an answer's tokens; its value is what `scored_value` gives, or None. Its event `choose` calls a
    function whose gr.EventData `choice_of` reads.
    """
    return _html("scoredStrip", options)


def verse_strip(**options: Any) -> gr.HTML:
    """The verses of an answer; its value is what `apps.ui.verses.strip_data` gives, or None. With more of them it
    changes what is new.
    """
    return _html("verseStrip", options, verses.style(), verses.script())


def chunk_view(**options: Any) -> gr.HTML:
    """A document with its chunks in colour; its value is what `apps.ui.chunks.chunk_data` gives, or None."""
    return _html("chunkView", options, chunks.style(), chunks.script())


def passage_view(**options: Any) -> gr.HTML:
    """Numbered passages with their scores; its value is what `apps.ui.passages.passage_data` gives, or None. Its event
    `choose` calls a function with gr.EventData: `apps.ui.passages.opened_of(event._data, sources)` is what was clicked.
    """
    return _html("passageView", options, passages.style(), passages.script())


def waterfall(**options: Any) -> gr.HTML:
    """The waterfall of samplers; its value is what `apps.ui.sampling.waterfall_data` gives, or None. Its event `choose`
    calls a function with gr.EventData: `apps.ui.sampling.chosen_of(event._data, words)` is the token that was clicked.
    """
    return _html("waterfallView", options, sampling.style(), sampling.script())


def drop_zone(data: Mapping[str, Any], **options: Any) -> gr.HTML:
    """A place to drop a model file (`apps.ui.dropzone.drop_data`), which goes to our own route. Its event `ended` calls
    a function with gr.EventData, which `ended_of` reads.
    """
    made = {"value": dict(data), **options}
    # As text: what has a "path", as an error of ours may, Gradio takes for a file of its own
    mount = {"event": "ended", "told": "{ text: JSON.stringify(choice) }"}
    return _html("dropZone", made, dropzone.style(), dropzone.script(), **mount)


def ended_of(event: gr.EventData) -> dropzone.Ended | None:
    """How an upload ended; None for what is no such thing: a browser may say anything."""
    try:
        return dropzone.ended_of(json.loads(event._data["text"]))
    except (TypeError, KeyError, ValueError):
        return None


def tokens_value(pieces: Sequence[Piece], words: Words) -> dict[str, Any] | None:
    """What a token strip shows; None, which empties it, for no pieces."""
    return strips.token_data(pieces, words) if pieces else None


def scored_value(scored: Sequence[Scored], words: Words, *, choosable: bool = True) -> dict[str, Any] | None:
    """What a scored strip shows; None, which empties it, for no tokens."""
    return strips.scored_data(scored, words, choosable=choosable) if scored else None


def choice_of(event: gr.EventData, scored: Sequence[Scored]) -> Choice | None:
    """What was clicked, if the strip offers it."""
    return strips.choice_of(event._data, scored)


def _html(
    function: str,
    options: dict[str, Any],
    style: str = "",
    script: str = "",
    event: str = "choose",
    told: str = "choice",
) -> gr.HTML:
    look, code = style or strips.style(), script or strips.script()
    mount = _MOUNT.format(style=json.dumps(look), script=code, function=function, event=event, told=told)
    return gr.HTML(html_template=_TEMPLATE, js_on_load=mount, apply_default_css=False, **options)
