"""Answers from documents that are being written, drawn while they come: passages first, then the words."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_documents.desk import Desk
from apps.streamlit_documents.passages import cards
from apps.streamlit_kit import plain
from apps.ui import present
from apps.ui.asking import Asked, Look

LOOK_EVERY_S = 0.1


@dataclass
class _Drawing:
    """One answer on screen: the places of its words and of its passages, and what was drawn last."""

    desk: Desk
    asked: Asked
    searched: bool
    body: DeltaGenerator
    passages: DeltaGenerator
    last: Look | None = None
    second: int = -1

    def draw(self) -> bool:
        """Draw what is new; whether it goes on."""
        look = self.asked.look
        waited = time.monotonic() - look.started
        if look.grounding is not None and (self.last is None or self.last.grounding is None):
            with self.passages.container():
                cards(self.desk, look.grounding)
        if look is not self.last or (not look.text and int(waited) != self.second):
            self.last, self.second = look, int(waited)
            self._say(look, waited)
        return not look.done

    def _say(self, look: Look, waited: float) -> None:
        words = self.desk.ui.words
        if look.text:
            self.body.markdown(present.safe_markdown(look.text))
        elif look.live.reasoning:
            self.body.caption(plain(look.live.reasoning))
        elif look.stopping:
            self.body.caption(words.t("progress.stopping"))
        elif not look.done:
            progress = self._progress(look)
            self.body.progress(progress.share or 0.0, f"{progress.text} ({words.number(waited)} s)")

    def _progress(self, look: Look) -> present.Progress:
        """What comes before the first word: the search, the parts of a summary, the model's queue and its reading."""
        words = self.desk.ui.words
        if look.reading is not None:
            done, total = look.reading.done, look.reading.total
            told = words.t("documents_ask.reading", done=done, total=total)
            return present.Progress(told, done / total if total else None)
        if self.searched and look.grounding is None:
            return present.Progress(words.t("documents_ask.searching"))
        return present.progress_text(look.live.waiting, words)


def follow(desk: Desk, places: Mapping[str, tuple[DeltaGenerator, DeltaGenerator]]) -> None:
    """Draw every answer under way to its end, then the page anew with what stands under them."""
    found: Mapping[str, Asked] = desk.get("asked", {})
    drawings = [_Drawing(desk, found[name], name == "with", *place) for name, place in places.items()]
    while any([drawing.draw() for drawing in drawings]):
        time.sleep(LOOK_EVERY_S)
    st.rerun()
