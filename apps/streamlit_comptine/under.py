"""What stands under a run: statistics, trace, code, run file, always in this order; then what one may do with it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import closing
from typing import Any

import streamlit as st

from apps.streamlit_chat.pane import Pane
from apps.streamlit_comptine.desk import Desk
from apps.streamlit_comptine.running import Running
from apps.streamlit_kit import guard
from apps.ui import comptine, present
from engine.comptine.cell import Cell, CellResult
from engine.comptine.chart_data import to_csv
from engine.comptine.charts import surprise
from engine.comptine.perplexity import Perplexity, perplexity
from engine.comptine.runfile import record, run_card
from engine.comptine.talk import conversation_of
from engine.types import Outcome

CHAT = "pages/chat.py"


def under(desk: Desk, run: Running, result: CellResult) -> None:
    """Line of statistics and buttons, then the folded parts."""
    ui, t = desk.ui, desk.ui.t
    if result.outcome is not None:
        usage, stats = comptine.stats_of(result)
        outcome: Outcome = result.outcome  # type: ignore[assignment]
        st.caption(present.stats_line(outcome, usage, stats, ui.words))
    with st.container(horizontal=True, gap="small"):
        for name, icon in (("trace", ":material/visibility:"), ("code", ":material/terminal:")):
            st.button(t(f"comptine.{name}"), icon=icon, type="tertiary", key=desk.key(f"under.{name}"),
                      on_click=desk.set, args=("drawer", "prompt" if name == "trace" else "code"),
                      disabled=result.trace_id is None)  # fmt: skip
        st.download_button(
            t("comptine.save"), lambda: _json(_record(desk, run, result)),
            f"comptine-{result.cell.key}.json", "application/json", icon=":material/download:", type="tertiary",
            help=t("comptine.save_help"), on_click="ignore", key=desk.key("save"),
        )  # fmt: skip
        if result.status in ("done", "stopped") and st.button(
            t("comptine.to_chat"), icon=":material/forum:", type="tertiary", help=t("comptine.to_chat_help"),
            key=desk.key("to_chat"),
        ):  # fmt: skip
            _to_chat(desk, result)
    _surprise(desk, result.cell)
    _card(desk, run, result)


def _record(desk: Desk, run: Running, result: CellResult) -> Mapping[str, Any]:
    """The run file of the run in sight; made once, since it asks the model's server."""
    if run.record is not None:
        return run.record
    made: Mapping[str, Any] = desk.kept("record", run, lambda: record(desk.ui.engine, run.model, result))
    return made


def _json(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)


def _to_chat(desk: Desk, result: CellResult) -> None:
    """The run becomes a conversation of this person, which the chat page opens."""
    ui = desk.ui
    made = ui.engine.chats.adopt(ui.person.id, conversation_of(result))
    Pane(ui).open(made.id)
    st.switch_page(CHAT)


def _card(desk: Desk, run: Running, result: CellResult) -> None:
    """What makes the run repeatable."""
    ui, t = desk.ui, desk.ui.t
    with st.expander(t("comptine.card"), on_change="rerun", key=desk.key("card")) as box:
        if box.open:
            with guard(ui):
                st.code(_json(run_card(_record(desk, run, result))), language="json", wrap_lines=True)


def _surprise(desk: Desk, cell: Cell) -> None:
    """How much each verse surprises the model; measured on demand, a click elsewhere ends it."""
    ui, t = desk.ui, desk.ui.t
    with st.expander(t("comptine.surprise"), on_change="rerun", key=desk.key("surprise")) as box:
        if not box.open:
            return
        with guard(ui):
            st.caption(t("comptine.surprise_help"))
            asked = (ui.card.id, cell.verses, cell.variant, cell.language, cell.seed)
            known, found = desk.get("surprised", (None, None))
            if known != asked and st.button(t("comptine.run"), icon=":material/play_arrow:", key=desk.key("measure")):
                found = _measured(desk, cell)
                desk.set("surprised", (asked, found))
                st.rerun()
            if known == asked and found is not None:
                _surprised(desk, found)


def _measured(desk: Desk, cell: Cell) -> Perplexity:
    ui, found = desk.ui, None
    place = st.progress(0.0, ui.t("progress.sent"))
    st.button(ui.t("comptine.stop"), icon=":material/stop:", key=desk.key("measure_stop"))
    with closing(perplexity(ui.engine, cell.rhyme(), ui.model, owner=ui.person.id)) as steps:
        for news in steps:
            if isinstance(news, Perplexity):
                found = news
            elif news.total:
                told = ui.t("progress.prompt", done=round(news.done), total=round(news.total))
                place.progress(min(1.0, news.done / news.total), told)
    assert found is not None
    return found


def _surprised(desk: Desk, found: Perplexity) -> None:
    ui, verses = desk.ui, found.verses
    most = max(verses, key=lambda verse: verse.name_nats)
    text = ui.t("comptine.surprise_text", first=verses[0].name_nats, last=verses[-1].name_nats, verse=most.verse,
                name=most.name, most=most.name_nats)  # fmt: skip
    st.altair_chart(surprise(found, comptine.chart_words(ui.words)), alt=text)
    st.caption(text)
    st.download_button("CSV", to_csv(found.to_dict()["verses"]), "surprise.csv", "text/csv", on_click="ignore",
                       icon=":material/download:", type="tertiary", key=desk.key("surprise_csv"))  # fmt: skip
