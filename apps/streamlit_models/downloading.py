"""Models from the Hugging Face hub: a short list for this course, or any repository with GGUF files."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import plain, table
from apps.streamlit_models.desk import Desk
from apps.ui import bringing
from apps.ui.model_files import partial_head, partial_note, partial_rows
from engine.errors import EngineError
from engine.models.curated import curated, curated_model
from engine.models.download import forget_partials, partials, start_download
from engine.models.fit import Fit
from engine.models.hub import VISIT, Hub, HubRepository
from engine.models.hub_fit import fits
from engine.visit_keys import LENGTH_MAX

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
    _unfinished(desk)
    with st.expander(t("models_download.curated"), expanded=True):
        folder = desk.ui.engine.settings.models_dir
        table(bringing.curated_head(desk.ui.words), bringing.curated_rows(rows.values(), folder, desk.ui.words))
    with st.expander(t("models_download.search"), icon=":material/search:", expanded=bool(desk.get("found"))):
        _search(desk)
    with st.expander(t("models_token.title"), icon=":material/key:"):
        _tokens(desk)


def _curated(desk: Desk) -> None:
    """Ask the hub for that row's file, and queue its download. Raises Unreachable and what else the hub may say."""
    row = curated_model(str(desk.get("curated")))
    _start(desk, _hub(desk).repository(row.repository), row.wanted)


def _start(desk: Desk, repository: HubRepository, wanted: str) -> None:
    ui = desk.ui
    desk.watch(start_download(ui.engine, ui.person.id, repository, repository.file(wanted), role=ui.person.role,
                   token=_token(desk)))  # fmt: skip


def _token(desk: Desk) -> str | None:
    """The one that was typed for this visit."""
    return desk.ui.engine.visit_keys.of(desk.ui.person.id, VISIT)


def _hub(desk: Desk) -> Hub:
    return Hub(desk.ui.engine.settings, _token(desk))


def _tokens(desk: Desk) -> None:
    """A token in the memory of this process alone; the field is emptied at once."""
    t, field = desk.ui.t, desk.key("token")
    brought = desk.ui.engine.visit_keys.has(desk.ui.person.id, VISIT)
    st.caption(plain(f"{bringing.token_state(brought, desk.ui.words)} {t('models_token.help')}"))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_token.field"), type="password", key=field, max_chars=LENGTH_MAX, width=320)
        st.button(t("models_token.keep"), icon=":material/key:", key=desk.key("token.keep"), on_click=desk.teach,
                  args=(lambda now: _keep(now, field),))  # fmt: skip
        if brought:
            st.button(t("models_token.forget"), icon=":material/key_off:", key=desk.key("token.forget"),
                      on_click=desk.teach, args=(lambda now: _keep(now, None),))  # fmt: skip


def _keep(desk: Desk, field: str | None) -> None:
    token = str(st.session_state.get(field) or "") if field else ""
    if field:
        st.session_state[field] = ""
    desk.ui.engine.visit_keys.put(desk.ui.person.id, VISIT, token)
    desk.set("files", None)  # asked for without it, or with it


def _unfinished(desk: Desk) -> None:
    """What interrupted downloads have left."""
    t, words, folder = desk.ui.t, desk.ui.words, desk.ui.engine.settings.models_dir
    found = partials(folder)
    if not found:
        return
    st.markdown(f"**{t('models_partial.title')}**")
    table(partial_head(words), partial_rows(found, words))
    st.caption(partial_note(found, words))
    st.button(t("models_partial.remove"), help=t("models_partial.remove_help"), icon=":material/delete:",
              key=desk.key("partials"), on_click=desk.teach, args=(_forget,))  # fmt: skip


def _forget(desk: Desk) -> str:
    freed = forget_partials(desk.ui.engine.settings.models_dir)
    return desk.ui.t("models_partial.removed", size=desk.ui.words.size(freed))


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
    desk.set("found", _hub(desk).search(str(desk.get("search") or "")))


def _files(desk: Desk, name: str) -> None:
    """The files of one repository, asked for once."""
    t, kept = desk.ui.t, desk.get("files")
    if kept is None or kept[0].id != name:
        with st.spinner(t("models_download.searching")):
            kept = _repository(desk, name)
    if kept is None or not kept[0].files:
        st.caption(t("models_download.no_files"))
        return
    known, fitting = kept
    files = {file.name: file for file in known.files}
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            t("models_download.file"),
            list(files),
            key=desk.key(f"file.{name}"),
            width=420,
            format_func=lambda one: bringing.hub_file_label(files[one], fitting.get(one), desk.ui.words),
        )
        st.button(
            t("models_download.start"),
            icon=":material/download:",
            key=desk.key("download.file"),
            on_click=desk.teach,
            args=(lambda now: _start(now, known, str(now.get(f"file.{name}"))),),
            disabled=desk.job is not None,
        )


def _repository(desk: Desk, name: str) -> tuple[HubRepository, dict[str, Fit]] | None:
    """It, and how each of its files would fit. Raises nothing of the hub's: it is shown instead."""
    hub, engine = _hub(desk), desk.ui.engine
    try:
        repository = hub.repository(name)
        found = repository, fits(hub, repository, engine.settings, engine.plain_slots)
    except EngineError as error:
        desk.set("failure", error)
        desk.show_outcome()
        return None
    desk.set("files", found)
    return found
