"""One column of the page: who is asked, with which settings, what came, its four numbers."""

from __future__ import annotations

from dataclasses import dataclass

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_compare.desk import Desk
from apps.streamlit_compare.setting import setting
from apps.streamlit_kit import plain, show_error
from apps.ui import compare, present
from apps.ui.compare_figures import Figure, counted, figures, figures_html
from engine.compare.side import SideView

SCROLLED = """<style>
.st-key-compare-columns>[data-testid=stLayoutWrapper]>[data-testid=stHorizontalBlock]{overflow-x:auto;
scroll-snap-type:x proximity;padding-bottom:.5rem}
@media(min-width:641px){
.st-key-compare-columns>[data-testid=stLayoutWrapper]>[data-testid=stHorizontalBlock]{flex-wrap:nowrap}
.st-key-compare-columns>[data-testid=stLayoutWrapper]>[data-testid=stHorizontalBlock]>[data-testid=stColumn]
{flex:1 0 max(17rem,calc((100% - 2rem)/3));min-width:0;scroll-snap-align:start}}
</style>"""

LOOKS = (("trace", ":material/visibility:", "prompt"), ("code", ":material/terminal:", "code"))

BELOW = 5  # elements under an answer that has ended, at most


@dataclass
class Place:
    """Where an answer under way is drawn: its text, its numbers; and what was drawn last."""

    text: DeltaGenerator
    numbers: DeltaGenerator
    drawn: SideView | None = None
    second: int = -1
    shown: tuple[Figure, ...] = ()


def columns(desk: Desk) -> dict[int, Place]:
    """All columns beside each other, those beyond the third by scrolling. Gives the places of answers under way."""
    st.html(SCROLLED)
    views = desk.views
    rows = figures(views, desk.ui.words)
    places = {}
    with st.container(key="compare-columns"):
        for number, place in enumerate(st.columns(len(desk.settings), border=True)):
            with place:
                setting(desk, number)
                if views:
                    _earlier(desk, number)
                    found = _answer(desk, number, views[number], rows[number])
                    places |= {} if found is None else {number: found}
    return places


def _earlier(desk: Desk, number: int) -> None:
    """What this column was asked before, and what it said."""
    assert desk.run is not None
    before = desk.run.turns[:-1]
    if not before:
        return
    with st.expander(desk.ui.t("compare.earlier")):
        for turn in before:
            st.markdown(f"**{plain(compare.beginning(turn.question))}**")
            result = turn.views[number].result
            st.markdown(present.safe_markdown(result.text if result else "") or desk.ui.t("chat.no_text"))


def _answer(desk: Desk, number: int, view: SideView, row: tuple[Figure, ...]) -> Place | None:
    """The answer and its numbers; what comes back is their place while it is being written."""
    if view.status != "done":
        place = Place(st.empty(), st.empty())
        draw(desk, place, view, row)
        _stop(desk, number)
        blank(BELOW)
        return place
    _text(desk, view)
    st.html(figures_html(row))
    st.caption(plain(counted(view, desk.ui.words)))
    _buttons(desk, number)
    return None


def _text(desk: Desk, view: SideView) -> None:
    t, result = desk.ui.t, view.result
    text, reasoning = (result.text, result.reasoning) if result else (view.live.text, view.live.reasoning)
    if reasoning:
        with st.expander(t("chat.reasoning")):
            st.text(reasoning)
    if text or view.error is None:
        st.markdown(present.safe_markdown(text) or t("chat.no_text"))
    if view.error is not None:
        show_error(desk.ui, view.error)


def draw(desk: Desk, place: Place, view: SideView, row: tuple[Figure, ...]) -> None:
    """Draw what is new of an answer under way."""
    words = desk.ui.words
    if row != place.shown:
        place.shown = row
        place.numbers.html(figures_html(row))
    waited = int(view.waited)
    known = place.drawn
    if known is not None and known.live is view.live and (view.live.text or waited == place.second):
        return
    place.drawn, place.second = view, waited
    if view.live.text:
        place.text.markdown(present.safe_markdown(view.live.text))
    elif view.live.reasoning:
        place.text.caption(plain(view.live.reasoning))
    else:
        progress = present.progress_text(view.live.waiting, words)
        place.text.progress(progress.share or 0.0, f"{progress.text} ({words.number(waited)} s)")


def blank(count: int) -> None:
    """Take away what the run before had drawn there: while answers are followed, it would stay and take no click."""
    for _ in range(count):
        st.empty()


def _stop(desk: Desk, number: int) -> None:
    st.button(desk.ui.t("compare.stop", letter=compare.LETTERS[number]), icon=":material/stop_circle:",
              key=desk.key(f"stop.{number}"), on_click=desk.stop, args=(number,))  # fmt: skip


def _buttons(desk: Desk, number: int) -> None:
    t, letter = desk.ui.t, compare.LETTERS[number]
    with st.container(horizontal=True, gap="small", key=desk.key(f"under.{number}")):
        st.button(t("compare.regenerate", letter=letter), icon=":material/refresh:", type="tertiary",
                  help=t("compare.regenerate_help"), key=desk.key(f"again.{number}"), on_click=desk.again,
                  args=(number,))  # fmt: skip
        for name, icon, first in LOOKS:
            st.button(t(f"chat.{name}"), icon=icon, type="tertiary", key=desk.key(f"{name}.{number}"),
                      help=t(f"chat_act.{name}_help"), on_click=desk.set,
                      args=("drawer", (number, first)))  # fmt: skip
        st.button(t("compare.chain"), icon=":material/link:", type="tertiary", key=desk.key(f"chain.{number}"),
                  help=t("compare.chain_help"), on_click=desk.set, args=("drawer", (number, "chain")))  # fmt: skip
