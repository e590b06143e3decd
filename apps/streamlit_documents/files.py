"""The files of the open collection: how far their indexing is, and what was read of each."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import guard, plain, show_error, table
from apps.ui.documents import COLUMNS, SIGNS, file_rows, index_progress, summary
from engine.errors import error_from
from engine.jobs import OPEN

LOOK_EVERY_S = 1.0
SHOWN = 100


def files(desk: Desk) -> None:
    """Progress where something is being indexed, then the table."""
    if desk.collection is None:
        return
    if desk.job is not None:
        st.fragment(_running, run_every=LOOK_EVERY_S)(desk, desk.job.id)
    else:
        _left(desk)
    if desk.files:
        failed = any(file.state == "failed" for file in desk.files)
        with st.expander(_label(desk), expanded=desk.job is not None or failed, key=desk.key("table")):
            _table(desk)


def _running(desk: Desk, job_id: str) -> None:
    """How far it is and the button that ends it; the whole page anew at its end."""
    ui = desk.ui
    job = ui.engine.jobs.get(job_id, desk.owner)
    if job.state not in OPEN:
        desk.set("index_error", job.error if desk.mine else None)  # whose folders they are, it tells paths
        st.rerun()
    now = desk.fresh
    if now.collection is not None and now.collection.chunks and not (desk.collection and desk.collection.chunks):
        st.rerun()  # something can be asked already
    with guard(ui):
        told = index_progress(job, now.files, ui.words)
        st.progress(told.share or 0.0, told.text)
        st.button(ui.t("documents.cancel"), icon=":material/stop:", key=desk.key("cancel"),
                  on_click=lambda: desk.attempt(lambda: ui.engine.jobs.cancel(job_id, desk.owner)))  # fmt: skip


def _left(desk: Desk) -> None:
    """What an interrupted or failed indexing has left to do."""
    waiting = sum(file.state == "waiting" for file in desk.files)
    if failed := desk.get("index_error"):
        show_error(desk.ui, error_from(failed))
    if waiting and desk.mine:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(desk.ui.words.n("documents.waiting_left", waiting), width="content")
            st.button(desk.ui.t("documents.go_on"), icon=":material/resume:", key=desk.key("go_on"),
                      on_click=lambda: desk.attempt(desk.index))  # fmt: skip


def _label(desk: Desk) -> str:
    """The collection and its table in one line: what it holds, and how many files could not be read."""
    words, failed = desk.ui.words, sum(file.state == "failed" for file in desk.files)
    assert desk.collection is not None
    label = plain(summary(desk.collection, words))
    return label if not failed else f"{label} · {SIGNS['failed']} {words.n('documents.failed', failed)}"


def _table(desk: Desk) -> None:
    """What was read, and what may be done with one file."""
    t, words = desk.ui.t, desk.ui.words
    table((t(f"documents.column.{name}") for name in COLUMNS), file_rows(desk.files[:SHOWN], words))
    if len(desk.files) > SHOWN:
        st.caption(t("documents.more_files", count=SHOWN))
    names = {file.id: file.name for file in desk.files}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        chosen = st.selectbox(t("documents.choose_file"), list(names), format_func=lambda key: names[key],
                              key=desk.key("file_in_table"))  # fmt: skip
        st.button(t("documents.open"), icon=":material/description:", key=desk.key("open_file"), on_click=desk.set,
                  args=("opened", {"file": chosen}))  # fmt: skip
        if desk.mine:
            st.button(t("documents.delete_file"), icon=":material/delete:", key=desk.key("delete_file"),
                      disabled=desk.job is not None, on_click=_remove, args=(desk, chosen))  # fmt: skip


def _remove(desk: Desk, file_id: str) -> None:
    one = desk.collection
    assert one is not None
    desk.attempt(lambda: desk.ui.engine.collections.delete_file(desk.owner, one.id, file_id))
