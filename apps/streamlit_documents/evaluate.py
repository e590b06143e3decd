"""How well passages are found: a question set, configurations compared on it, a table with intervals and a plot."""

from __future__ import annotations

from typing import Any, get_args

import streamlit as st

from apps.streamlit_documents.chooser import embedders
from apps.streamlit_documents.desk import Desk
from apps.streamlit_documents.measured import measured
from apps.streamlit_kit import guard, show_error
from apps.ui.evaluation import ANSWERS_MAX, COLUMNS, CONFIGURATIONS_MAX, WAYS, configurations, overlap, questions_csv
from engine.errors import error_from
from engine.jobs import OPEN, Job
from engine.rag.evaluation import Configuration, Hit
from engine.rag.values import SPLITTING_KINDS, Splitting

LOOK_EVERY_S = 1.0
SETS = ("samples", "file", "written")
WHERE = ("set", "collection")
HITS: tuple[Hit, ...] = get_args(Hit)
FILE_MB = 64
SIZES = (64, 128, 192, 256, 384)


def evaluate(desk: Desk) -> None:
    """The form, or the evaluation that runs; then the results in sight."""
    jobs = _jobs(desk)
    going = next((job for job in jobs if job.state in OPEN), None)
    if going is None:
        _form(desk)
        if jobs and jobs[-1].error is not None:
            show_error(desk.ui, error_from(dict(jobs[-1].error)))
    else:
        st.fragment(_running, run_every=LOOK_EVERY_S)(desk, going.id)
    done = {job.id: job for job in reversed(jobs) if job.state == "done" and job.result}
    if done:
        measured(desk, done)
    elif going is None:
        st.caption(desk.ui.t("documents_eval.none"))


def _jobs(desk: Desk) -> tuple[Job, ...]:
    """This person's evaluations, oldest first."""
    from engine.rag.evaluating import TASK

    return tuple(job for job in desk.ui.engine.jobs.list(desk.owner) if job.task == TASK)


def _running(desk: Desk, job_id: str) -> None:
    """How far it is and the button that ends it; the whole page anew at its end."""
    ui = desk.ui
    job = ui.engine.jobs.get(job_id, desk.owner)
    if job.state not in OPEN:
        st.rerun()
    with guard(ui):
        told = ui.t("documents.queued") if job.state == "queued" else ui.t("documents.starting")
        if job.total:
            left = ui.words.seconds(job.eta)
            told = ui.t("documents_eval.progress", done=job.done or 0, total=job.total, left=left)
        st.progress(min(1.0, (job.done or 0) / job.total) if job.total else 0.0, told)
        st.button(ui.t("documents.cancel"), icon=":material/stop:", key=desk.key("eval_cancel"),
                  on_click=lambda: desk.attempt(lambda: ui.engine.jobs.cancel(job_id, desk.owner)))  # fmt: skip


def _form(desk: Desk) -> None:
    """Questions, the documents that they are asked of, what is compared."""
    t = desk.ui.t
    kind = st.segmented_control(t("documents_eval.set"), SETS, default="samples", required=True,
                                key=desk.key("eval.set"), help=t("documents_eval.set_help"),
                                format_func=lambda one: t(f"documents_eval.sets.{one}"))  # fmt: skip
    file = _questions(desk, kind or "samples")
    asked, hit = st.columns(2)
    first = WHERE.index("collection" if kind == "written" else "set")
    where = asked.selectbox(t("documents_eval.where"), WHERE, first,
                            key=desk.key(f"eval.where.{kind}"), help=t("documents_eval.where_help"),
                            format_func=lambda one: t(f"documents_eval.wheres.{one}"))  # fmt: skip
    counted = hit.selectbox(t("documents_eval.hit"), HITS, key=desk.key("eval.hit"), help=t("documents_eval.hit_help"),
                            format_func=lambda one: t(f"documents_eval.hits.{one}"))  # fmt: skip
    wanted = _compared(desk, where == "set")
    st.number_input(t("documents_eval.judge"), 0, ANSWERS_MAX, key=desk.key("eval.answers"), width=200,
                    help=t("documents_eval.judge_help"))  # fmt: skip
    st.caption(desk.ui.words.n("documents_eval.count", len(wanted)))
    st.button(t("documents_eval.start"), icon=":material/play_arrow:", type="primary", key=desk.key("eval.start"),
              disabled=file is None or not 0 < len(wanted) <= CONFIGURATIONS_MAX, on_click=_start,
              args=(desk, file, wanted, counted, where == "collection"))  # fmt: skip


def _questions(desk: Desk, kind: str) -> tuple[bytes, str] | str | None:
    """The set that was chosen: the name of ours, or a file's bytes with its suffix; None where there is none yet."""
    t = desk.ui.t
    if kind == "samples":
        st.caption(t("documents_eval.samples_help"))
        return "samples"
    if kind == "file":
        file = st.file_uploader(t("documents_eval.file"), ["json", "csv"], key=desk.key("eval.file"),
                                help=t("documents_eval.file_help"), max_upload_size=FILE_MB)  # fmt: skip
        return None if file is None else (file.getvalue(), ".csv" if file.name.lower().endswith(".csv") else ".json")
    names = [file.name for file in desk.files if file.state == "done"]
    lines = st.data_editor(
        [dict.fromkeys(COLUMNS, "")], num_rows="dynamic", key=desk.key("eval.written"), hide_index=True,
        column_config={
            "question": st.column_config.TextColumn(t("documents_ask.question"), width="large"),
            "answer": st.column_config.TextColumn(t("documents_eval.answer"), help=t("documents_eval.answer_help")),
            "document": st.column_config.SelectboxColumn(t("documents.column.name"), options=["", *names]),
        },
    )  # fmt: skip
    data = questions_csv(lines)
    return (data, ".csv") if data.count(b"\n") > 1 else None


def _compared(desk: Desk, cut_anew: bool) -> tuple[Configuration, ...]:
    """The ways that were chosen; with documents that are cut anew, each under every cutting and embedder chosen."""
    t, one = desk.ui.t, desk.collection
    assert one is not None
    ways = st.multiselect(t("documents_eval.compared"), WAYS, WAYS[:-1] if cut_anew else WAYS[:4],
                          key=desk.key(f"eval.ways.{cut_anew}"), help=t("documents_eval.compared_help"),
                          format_func=lambda name: t(f"documents_eval.ways.{name}"))  # fmt: skip
    if not cut_anew:
        return configurations(ways, [one.splitting], [one.embedder], desk.retrieval)
    with st.expander(t("documents_eval.sweep")):
        kinds = st.multiselect(t("documents.kind"), SPLITTING_KINDS, SPLITTING_KINDS[:1], key=desk.key("eval.kinds"),
                               format_func=lambda name: t(f"documents.kind_of.{name}"))  # fmt: skip
        sizes = st.multiselect(t("documents.size"), SIZES, [Splitting().size], key=desk.key("eval.sizes"))
        known = embedders(desk)
        chosen = st.multiselect(t("documents.embedder"), known, known[:1], key=desk.key("eval.embedders"))
    cuts = [Splitting(kind, size, overlap(size)) for kind in kinds for size in sizes]
    return configurations(ways, cuts, chosen, desk.retrieval)


def _start(desk: Desk, file: Any, wanted: tuple[Configuration, ...], hit: Hit, in_collection: bool) -> None:
    """Put it into the queue of heavy work; one at a time for each person."""

    def act() -> None:
        from engine.rag.evaluating import keep, start

        now = desk.fresh
        if any(job.state in OPEN for job in _jobs(now)):
            return
        ui, one = now.ui, now.collection
        assert one is not None
        place = file if isinstance(file, str) else str(keep(ui.engine.settings, *file))
        start(ui.engine, now.owner, place, wanted, hit, collection=one.id if in_collection else None,
              role=ui.person.role, answers=int(desk.get("eval.answers") or 0), model=ui.card.id)  # fmt: skip

    desk.attempt(act)
