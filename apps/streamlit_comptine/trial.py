"""Step 3: the run, live; the answer at the left, its verses at the right, what that means under both."""

from __future__ import annotations

import time

import streamlit as st

from apps.streamlit_components import verse_strip
from apps.streamlit_comptine.desk import Desk
from apps.streamlit_comptine.replay import replay
from apps.streamlit_comptine.running import Running
from apps.streamlit_comptine.under import under
from apps.streamlit_kit import guard, plain, show_error, table
from apps.ui import comptine, present
from apps.ui.verses import strip_data
from engine.comptine.cell import CellResult
from engine.errors import error_from

LOOK_EVERY_S = 0.2


def run_step(desk: Desk) -> None:
    """Settings, the button, then the run as it goes or as it ended."""
    _settings(desk)
    run = desk.run
    if not desk.busy:
        st.button(desk.ui.t("comptine.run"), icon=":material/play_arrow:", type="primary", on_click=desk.start,
                  key=desk.key("start"))  # fmt: skip
    desk.show_failure()
    if run is not None:
        st.fragment(_look, run_every=LOOK_EVERY_S if desk.busy else None)(desk, run)
        if not desk.busy:
            _ended(desk, run)
    replay(desk)


def told(desk: Desk) -> str:
    """The step in a few words: the verdict of the last run."""
    if desk.busy:
        return desk.ui.t("comptine.busy")
    return plain(comptine.verdict(desk.result, desk.ui.words)) if desk.result else ""


def _settings(desk: Desk) -> None:
    t = desk.ui.t
    with st.expander(t("comptine.more")):
        st.slider(t("comptine.temperature"), 0.0, 2.0, step=0.1, help=t("comptine.temperature_help"),
                  key=desk.bound("temperature", float(desk.values["temperature"])), on_change=desk.changed,
                  args=("temperature",))  # fmt: skip
        st.toggle(t("comptine.strict"), key=desk.bound("strict", bool(desk.values.get("strict"))),
                  on_change=desk.changed, args=("strict",), help=t("comptine.strict_help"))  # fmt: skip


def _look(desk: Desk, run: Running) -> None:
    """The run as it is now; the whole page anew once it has ended."""
    was_busy = not run.done
    with guard(desk.ui):
        if was_busy:
            st.button(desk.ui.t("comptine.stop"), icon=":material/stop:", on_click=run.stop, key=desk.key("stop"))
        _draw(desk, run, was_busy)
    if not was_busy and desk.get("drawn") is not run:
        desk.set("drawn", run)
        st.rerun()
    if was_busy:
        desk.set("drawn", None)


def _draw(desk: Desk, run: Running, busy: bool) -> None:
    ui, result = desk.ui, run.result
    text = result.answer if result else run.strip.text if run.strip else ""
    marks = result.marks if result else run.strip.marks if run.strip else ()
    if busy and not text:
        _waiting(desk, run)
    if not text and not marks:
        return
    answer, strip = st.columns(2)
    with answer, st.container(height=320):
        prefix = run.cell.prompt().prefix or ""
        st.text(f"{prefix}{text}")
    with strip:
        verse_strip(strip_data(marks, run.cell, ui.words), desk.key("strip"))


def _waiting(desk: Desk, run: Running) -> None:
    words = desk.ui.words
    if run.stopping:
        st.caption(words.t("progress.stopping"))
        return
    progress = present.progress_text(run.waiting, words)
    st.progress(progress.share or 0.0, f"{progress.text} ({words.number(time.monotonic() - run.started)} s)")


def _ended(desk: Desk, run: Running) -> None:
    """What came of it, in words and in numbers."""
    if run.error is not None:
        show_error(desk.ui, run.error)
        return
    result = run.result
    if result is None:
        raise RuntimeError("the run ended without a result")  # its traceback is in the log
    _verdict(desk, result)
    under(desk, run, result)


def _verdict(desk: Desk, result: CellResult) -> None:
    ui = desk.ui
    st.markdown(f"**{plain(comptine.verdict(result, ui.words))}**")
    if result.error is not None and result.status != "refused":  # which the verdict has said, with its numbers
        show_error(ui, error_from(result.error))
    if result.survivors is not None:
        st.html(comptine.survivors_html(result.survivors, ui.words))
    if result.marks:
        st.html(comptine.legend_html(ui.words))
    with st.expander(ui.t("comptine.metrics")):
        head = (ui.t(f"comptine.{name}") for name in ("metric", "value", "meaning"))
        table(head, ((row.name, row.value, row.help) for row in comptine.metrics(result, ui.words)))
