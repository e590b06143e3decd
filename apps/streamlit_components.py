"""Token strips, verses, chunks, passages, waterfalls, drop zones for Streamlit. Does not know what they are for."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import streamlit as st

from apps.ui import chunks, citations, dropzone, passages, sampling, strips, verses
from apps.ui.i18n import Words
from apps.ui.strips import Choice
from engine.token_view import Piece, Scored

_ROOT = '<div class="strips"></div>'
_TOKENS = """
export default ({ data, parentElement }) => tokenStrip(parentElement.querySelector(".strips"), data);
"""
_SCORED = """
export default ({ data, parentElement, setTriggerValue }) =>
  scoredStrip(parentElement.querySelector(".strips"), data, (choice) => setTriggerValue("chosen", choice));
"""
_VERSES = """
export default ({ data, parentElement }) => verseStrip(parentElement.querySelector(".strips"), data);
"""
_CHUNKS = """
export default ({ data, parentElement }) => chunkView(parentElement.querySelector(".strips"), data);
"""
_PASSAGES = """
export default ({ data, parentElement, setTriggerValue }) =>
  passageView(parentElement.querySelector(".strips"), data, (told) => setTriggerValue("opened", told.opened));
"""
_WATERFALL = """
export default ({ data, parentElement, setTriggerValue }) =>
  waterfallView(parentElement.querySelector(".strips"), data, (told) => setTriggerValue("chosen", told));
"""
_DROP = """
export default ({ data, parentElement, setTriggerValue }) =>
  dropZone(parentElement.querySelector(".strips"), data, (told) => setTriggerValue("ended", told));
"""
_LINKS = """
export default ({ setTriggerValue }) => citationLinks((number) => setTriggerValue("opened", number));
"""


def verse_strip(data: Mapping[str, Any], key: str) -> None:
    """The verses of an answer (`apps.ui.verses.strip_data`); drawn again with more of them, it changes what is new."""
    _verses()(data=dict(data), key=key)


def token_strip(pieces: Sequence[Piece], words: Words, key: str) -> None:
    """The prompt's tokens as boxes, each with its id."""
    _component("atelier_tokens", _TOKENS)(data=strips.token_data(pieces, words), key=key)


def scored_strip(
    scored: Sequence[Scored],
    words: Words,
    key: str,
    *,
    choosable: bool = True,
    on_choice: Callable[[], None] | None = None,
) -> Choice | None:
    """The alternative that was just clicked, once; the answer's tokens are coloured by their probability.

    `on_choice` is called before the page runs again; `chosen(key, scored)` tells there what it is.
    """
    data = strips.scored_data(scored, words, choosable=choosable)
    result = _component("atelier_scored", _SCORED)(data=data, key=key, on_chosen_change=on_choice or _nothing)
    return strips.choice_of(result.get("chosen"), scored)


def coloured_strip(data: Mapping[str, Any], key: str) -> None:
    """Tokens in the colours of their probabilities, of data made elsewhere (`apps.ui.quality.strip_data`)."""
    _component("atelier_scored", _SCORED)(data=dict(data), key=key, on_chosen_change=_nothing)


def chosen(key: str, scored: Sequence[Scored]) -> Choice | None:
    """What was clicked in the strip of that key; for its `on_choice`."""
    return strips.choice_of((st.session_state.get(key) or {}).get("chosen"), scored)


@functools.cache
def _component(name: str, mount: str) -> Any:
    return st.components.v2.component(name, html=_ROOT, css=strips.style(), js=strips.script() + mount)


@functools.cache
def _verses() -> Any:
    script = verses.script() + _VERSES
    return st.components.v2.component("atelier_verses", html=_ROOT, css=verses.style(), js=script)


def chunk_view(data: Mapping[str, Any], key: str) -> None:
    """A document with its chunks in colour (`apps.ui.chunks.chunk_data`); other data recolours it in place."""
    _chunks()(data=dict(data), key=key)


@functools.cache
def _chunks() -> Any:
    return st.components.v2.component("atelier_chunks", html=_ROOT, css=chunks.style(), js=chunks.script() + _CHUNKS)


def passage_view(data: Mapping[str, Any], key: str, on_opened: Callable[[], None] | None = None) -> None:
    """Numbered passages with their scores (`apps.ui.passages.passage_data`). `on_opened` is called before the page runs
    again; `apps.ui.passages.opened_of(st.session_state[key], sources)` tells there which was clicked.
    """
    _passages()(data=dict(data), key=key, on_opened_change=on_opened or _nothing)


@functools.cache
def _passages() -> Any:
    script = passages.script() + _PASSAGES
    return st.components.v2.component("atelier_passages", html=_ROOT, css=passages.style(), js=script)


def waterfall(data: Mapping[str, Any], key: str, on_choice: Callable[[], None] | None = None) -> None:
    """The waterfall of samplers (`apps.ui.sampling.waterfall_data`); other numbers move its bars. `on_choice` is called
    before the page runs again; `apps.ui.sampling.chosen_of(st.session_state[key]["chosen"], words)` tells there which
    token was clicked.
    """
    _waterfall()(data=dict(data), key=key, on_chosen_change=on_choice or _nothing)


@functools.cache
def _waterfall() -> Any:
    script = sampling.script() + _WATERFALL
    return st.components.v2.component("atelier_waterfall", html=_ROOT, css=sampling.style(), js=script)


def drop_zone(data: Mapping[str, Any], key: str, on_ended: Callable[[], None]) -> None:
    """A place to drop a file (`apps.ui.dropzone.drop_data`), which goes to our own route. `on_ended` is called before
    the page runs again; `apps.ui.dropzone.ended_of(st.session_state[key]["ended"])` tells there how it went.
    """
    _drop()(data=dict(data), key=key, on_ended_change=on_ended)


@functools.cache
def _drop() -> Any:
    script = dropzone.script() + _DROP
    return st.components.v2.component("atelier_drop", html=_ROOT, css=dropzone.style(), js=script)


def opened_passage(key: str, on_opened: Callable[[], None]) -> None:
    """Make the links to `#passage-<number>` on the page tell which was clicked: `opened` under `key`, before the page
    runs again.
    """
    _links()(key=key, on_opened_change=on_opened)


@functools.cache
def _links() -> Any:
    return st.components.v2.component("atelier_links", html="<span></span>", js=citations.links_script() + _LINKS)


def _nothing() -> None:
    """A trigger is in the result only where somebody listens."""
