"""The tab Batch: many questions to several models. A form, the batch that runs, what came of it."""

from __future__ import annotations

from typing import Any

import streamlit as st

from apps.streamlit_compare import batch_shown
from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import guard, plain
from apps.ui import batch
from engine.compare.batch_file import BatchFile, file_named, saved_files
from engine.compare.batch_job import open_job, submit
from engine.compare.batch_plan import REPETITIONS_MAX, Batch
from engine.compare.batch_table import VALUE_MAX, read_table
from engine.errors import BadFile, error_from
from engine.jobs import OPEN, Job

LOOK_EVERY_S = 1.0
FILE_MB = 8
LASTS: Any = {"persist_state": "session"}  # else a value is gone as soon as another tab is in sight


def show(desk: Desk) -> None:
    """The form, the batch under way, the one in sight."""
    t, job = desk.ui.t, open_job(desk.ui.engine, desk.ui.person)
    st.caption(t("compare_batch.intro"))
    with guard(desk.ui):
        _form(desk, job)
    with st.container():  # always there: else what follows would move, and be made anew
        if job is not None:
            st.fragment(_look, run_every=LOOK_EVERY_S)(desk, job.id)
        desk.show_failure()
    with guard(desk.ui):
        _chosen(desk, job)


def _form(desk: Desk, job: Job | None) -> None:
    t = desk.ui.t
    st.text_area(t("compare_batch.prompts"), key=_key(desk, "prompts"), height=120, max_chars=VALUE_MAX,
                 help=t("compare_batch.prompts_help"), **LASTS)  # fmt: skip
    file = st.file_uploader(t("compare_batch.table"), ["csv", "tsv", "jsonl"], key=_key(desk, "file"),
                            max_upload_size=FILE_MB, help=t("compare_batch.table_help"))  # fmt: skip
    choices = {card.id: card.name for card in desk.ui.engine.models(desk.ui.person.role) if not card.problem}
    st.multiselect(t("compare_batch.models"), list(choices), key=_key(desk, "models"), accept_new_options=True,
                   format_func=lambda name: choices.get(name, name), placeholder=t("compare_batch.models_help"),
                   **LASTS)  # fmt: skip
    template, contains = st.columns(2)
    _text(desk, template, "template")
    _text(desk, contains, "contains")
    with st.expander(t("compare_batch.more")):
        _more(desk)
    held = _held(desk, file)
    can, said = batch.estimate(held, desk.ui.card.id, desk.ui.words)
    if said:
        (st.caption if can else st.warning)(plain(said))
    st.button(t("compare_batch.start"), icon=":material/play_arrow:", type="primary", key=desk.key("batch.start"),
              on_click=_start, args=(desk, held), disabled=job is not None or not can,
              help=t("compare_batch.busy") if job else None)  # fmt: skip
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("compare_batch.examples"), width="content")
        for name in batch.EXAMPLES:
            st.button(t(f"compare_batch.example.{name}"), key=desk.key(f"batch.example.{name}"), on_click=_example,
                      args=(desk, name), disabled=job is not None)  # fmt: skip


def _more(desk: Desk) -> None:
    t = desk.ui.t
    left, right = st.columns(2)
    left.text_area(t("compare_batch.params"), key=_key(desk, "params"), height=90, max_chars=2000,
                   help=t("compare_batch.params_help"), **LASTS)  # fmt: skip
    right.text_area(t("compare_batch.system"), key=_key(desk, "system"), height=90, max_chars=VALUE_MAX, **LASTS)
    left.number_input(t("compare_batch.repetitions"), 1, REPETITIONS_MAX, 1, key=_key(desk, "repetitions"), **LASTS)
    _text(desk, right, "regex")
    left.text_area(t("compare_batch.schema"), key=_key(desk, "schema"), height=90, **LASTS)
    right.text_area(t("compare_batch.similar"), key=_key(desk, "similar"), height=90, max_chars=VALUE_MAX, **LASTS)
    _text(desk, left, "judge")
    right.number_input(t("compare_batch.threshold"), 0.0, 1.0, 0.85, 0.01, key=_key(desk, "threshold"),
                       help=t("compare_batch.threshold_help"), **LASTS)  # fmt: skip
    st.text_area(t("compare_batch.rubric"), key=_key(desk, "rubric"), height=90, max_chars=VALUE_MAX,
                 help=t("compare_batch.rubric_help"), **LASTS)  # fmt: skip
    budget, currency = st.columns([2, 1])
    _text(desk, budget, "budget")
    currency.text_input(t("compare_batch.currency"), "USD", key=_key(desk, "currency"), max_chars=3, **LASTS)


def _text(desk: Desk, place: Any, name: str) -> None:
    key = f"compare_batch.{name}_help"
    place.text_input(desk.ui.t(f"compare_batch.{name}"), key=_key(desk, name), max_chars=2000,
                     help=desk.ui.t(key) if desk.ui.words.has(key) else None, **LASTS)  # fmt: skip


def _key(desk: Desk, name: str) -> str:
    return desk.key(f"batch.{name}")


def _held(desk: Desk, file: Any) -> dict[str, Any]:
    """What the form holds, with the table that was brought; a bad one is said, and nothing is asked."""
    held = {name: st.session_state.get(_key(desk, name), start) for name, start in batch.START.items()}
    if file is not None:
        held["table"] = read_table(file.name, file.getvalue())
        columns = ", ".join(held["table"].columns)
        st.caption(plain(desk.ui.words.n("compare_batch.table_read", len(held["table"].rows), name=file.name,
                                         columns=columns)))  # fmt: skip
    return held


def _start(desk: Desk, held: dict[str, Any]) -> None:
    desk.attempt(lambda: _submit(desk, batch.batch_of(held, desk.fresh.ui.card.id)))


def _example(desk: Desk, name: str) -> None:
    ui = desk.fresh.ui
    desk.attempt(lambda: _submit(desk, batch.batch_of(batch.example(name, ui.words), ui.card.id)))


def _submit(desk: Desk, asked: Batch, file: BatchFile | None = None) -> None:
    """One at a time for each person."""
    ui = desk.fresh.ui
    if open_job(ui.engine, ui.person) is None:
        _, kept = submit(ui.engine, ui.person, asked, file, title=ui.t("compare_batch.title"))
        desk.set("batch.shown", kept.path.name)


def _look(desk: Desk, job_id: str) -> None:
    """How far it is, and the button that ends it; the whole page anew at its end."""
    ui = desk.ui
    job = ui.engine.jobs.get(job_id, ui.person.id)
    if job.state not in OPEN:
        desk.set("failure", error_from(job.error) if job.error else None)
        st.rerun()
    with guard(ui):
        told = batch.progress(job, ui.words)
        st.progress(told.share or 0.0, plain(told.text))
        st.button(ui.t("compare_batch.cancel"), icon=":material/stop:", key=desk.key("batch.cancel"),
                  on_click=ui.engine.jobs.cancel, args=(job.id, ui.person.id))  # fmt: skip


def _chosen(desk: Desk, job: Job | None) -> None:
    """The batch in sight: the one that was begun last, else the one that was chosen."""
    ui, t = desk.ui, desk.ui.t
    known = {one.path.name: one for one in saved_files(ui.engine.settings.home, ui.person.id)[: batch.LISTED]}
    if not known:
        st.caption(t("compare_batch.none"))
        return
    now = desk.get("batch.shown")
    now = now if now in known else next(iter(known))
    if len(known) > 1:
        st.selectbox(t("compare_batch.earlier"), list(known), key=desk.bound("batch.shown", now), on_change=_choose,
                     format_func=lambda name: batch.label(known[name], ui.words), args=(desk,))  # fmt: skip
    try:
        file = file_named(ui.engine.settings.home, ui.person.id, now)
        one = batch.opened(file)
    except BadFile:  # it is being begun, or was dropped as the oldest
        st.caption(t("compare_batch.none"))
        return
    if job is None:
        _state(desk, file, one)
    batch_shown.shown(desk, one)


def _state(desk: Desk, file: BatchFile, one: batch.Opened) -> None:
    """Whether the batch is whole; if not, the button that goes on."""
    t = desk.ui.t
    for line in batch.state_lines(one, desk.ui.words):
        st.caption(plain(line))
    if batch.unfinished(one):
        st.button(t("compare_batch.resume"), icon=":material/resume:", key=desk.key("batch.resume"), on_click=_resume,
                  args=(desk, file), help=t("compare_batch.resume_help"))  # fmt: skip


def _choose(desk: Desk) -> None:
    if desk.touched("batch.shown"):
        desk.set("batch.shown", desk.shown("batch.shown"))


def _resume(desk: Desk, file: BatchFile) -> None:
    """Go on with a batch, with the budget of the form where it says one."""
    budget = str(st.session_state.get(_key(desk, "budget")) or "")
    desk.attempt(lambda: _submit(desk, batch.resumed(file.read().batch, budget), file))
