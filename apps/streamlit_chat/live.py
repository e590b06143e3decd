"""Answers that are being written, drawn while they come: one, or two at the same time."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_chat.pane import Pane
from apps.streamlit_kit import plain
from apps.ui import present
from engine.live import Live
from engine.writing import Writing

LOOK_EVERY_S = 0.1


@dataclass
class _Drawing:
    """One answer on screen: where it goes, None where another branch is shown, and what was drawn last."""

    pane: Pane
    writing: Writing
    place: DeltaGenerator | None
    last: Live | None = None
    second: int = -1

    def __post_init__(self) -> None:
        if self.place is not None:
            with self.place:
                self.reasoning, self.body = st.empty(), st.empty()

    def draw(self) -> bool:
        """Draw what is new; True once it is finished."""
        view = self.writing.view
        waited = time.monotonic() - self.writing.started
        if self.place is not None and (view is not self.last or (not view.text and int(waited) != self.second)):
            self.last, self.second = view, int(waited)
            self._draw(view, waited)
        if self.pane.chat.writing is self.writing:
            return False
        self.pane.set("paces", {**self.pane.get("paces", {}), self.writing.node_id: tuple(self.writing.pace)})
        return True

    def _draw(self, view: Live, waited: float) -> None:
        words = self.pane.ui.words
        if view.reasoning and not view.text:
            self.reasoning.caption(plain(view.reasoning))
        if view.text:
            self.body.markdown(present.safe_markdown(view.text))
        elif self.writing.stopping:
            self.body.caption(words.t("progress.stopping"))
        elif view.finished is None:
            progress = present.progress_text(view.waiting, words)
            self.body.progress(progress.share or 0.0, f"{progress.text} ({words.number(waited)} s)")


def follow(places: Mapping[Pane, DeltaGenerator | None]) -> None:
    """Draw every answer under way to its end, then draw the page anew with what stands under them."""
    drawings = [_Drawing(pane, pane.writing, place) for pane, place in places.items() if pane.writing is not None]
    if not drawings:
        return
    going = drawings
    while going := [drawing for drawing in going if not drawing.draw()]:
        time.sleep(LOOK_EVERY_S)
    st.rerun()
