"""Models from the Hugging Face hub: a short list for this course, or any repository with GGUF files."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import table
from apps.streamlit_models.desk import Desk
from apps.ui import bringing
from engine.errors import EngineError
from engine.models.curated import curated, curated_model
from engine.models.download import start_download
from engine.models.hub import Hub, HubRepository

WORDS_MAX = 200


def download(desk: Desk) -> None:
    """The curated list first; the search folded."""
    t = desk.ui.t
    st.caption(t("models_download.help"))
    rows = {row.id: row for row in curated()}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(t("models_download.choose"), list(rows), format_func=lambda name: rows[name].name,
                              key=desk.key("curated"), width=320)  # fmt: skip
        st.button(
            t("models_download.start"),
            icon=":material/download:",
            type="primary",
            key=desk.key("download.curated"),
            on_click=desk.teach,
            args=(_curated,),
            disabled=desk.job is not None,
            help=t("models_add.busy") if desk.job is not None else None,
        )
    with st.expander(t("models_download.curated"), expanded=True):
        folder = desk.ui.engine.settings.models_dir
        table(bringing.curated_head(desk.ui.words), bringing.curated_rows(rows.values(), folder, desk.ui.words))
    with st.expander(t("models_download.search"), icon=":material/search:", expanded=bool(desk.get("found"))):
        _search(desk)


def _curated(desk: Desk) -> None:
    """Ask the hub for that row's file, and queue its download. Raises Unreachable and what else the hub may say."""
    row = curated_model(str(desk.get("curated")))
    _start(desk, Hub(desk.ui.engine.settings).repository(row.repository), row.wanted)


def _start(desk: Desk, repository: HubRepository, wanted: str) -> None:
    ui = desk.ui
    start_download(ui.engine, ui.person.id, repository, repository.file(wanted), role=ui.person.role)


def _search(desk: Desk) -> None:
    """Words, then the repositories found, then the files of the chosen one."""
    t, words = desk.ui.t, desk.ui.words
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_download.search"), key=desk.key("search"), max_chars=WORDS_MAX, width=320,
                      placeholder=t("models_download.search_hint"))  # fmt: skip
        if st.button(t("models_download.search_button"), icon=":material/search:", key=desk.key("search.go")):
            with st.spinner(t("models_download.searching")):
                desk.teach(_find)
            st.rerun()
    found = desk.get("found")
    if found is None:
        return
    if not found:
        st.caption(t("models_download.none"))
        return
    table(bringing.hub_head(words), bringing.hub_rows(found, words))
    name = st.selectbox(t("models_download.results"), [model.id for model in found], None, key=desk.key("repository"))
    if name:
        _files(desk, name)


def _find(desk: Desk) -> None:
    desk.set("found", None)
    desk.set("found", Hub(desk.ui.engine.settings).search(str(desk.get("search") or "")))


def _files(desk: Desk, name: str) -> None:
    """The files of one repository, asked for once."""
    t, known = desk.ui.t, desk.get("files")
    if known is None or known.id != name:
        with st.spinner(t("models_download.searching")):
            known = _repository(desk, name)
    if known is None or not known.files:
        st.caption(t("models_download.no_files"))
        return
    folder, files = desk.ui.engine.settings.models_dir, {file.name: file for file in known.files}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            t("models_download.file"),
            list(files),
            key=desk.key(f"file.{name}"),
            width=420,
            format_func=lambda one: bringing.hub_file_label(files[one], folder, desk.ui.words),
        )
        st.button(
            t("models_download.start"),
            icon=":material/download:",
            key=desk.key("download.file"),
            on_click=desk.teach,
            args=(lambda now: _start(now, known, str(now.get(f"file.{name}"))),),
            disabled=desk.job is not None,
        )


def _repository(desk: Desk, name: str) -> HubRepository | None:
    """Raises nothing of the hub's: it is shown instead."""
    try:
        found = Hub(desk.ui.engine.settings).repository(name)
    except EngineError as error:
        desk.set("failure", error)
        desk.show_outcome()
        return None
    desk.set("files", found)
    return found
