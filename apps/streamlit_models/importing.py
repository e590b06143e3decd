"""Model files that are somewhere already: dropped from a browser, on this machine's disk, in a folder to look into."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import streamlit as st

from apps import host
from apps.streamlit_components import drop_zone
from apps.streamlit_kit import plain
from apps.streamlit_models.desk import Desk
from apps.ui.dropzone import drop_data, ended_of
from engine.models.importing import start_import

PATH_MAX = 4000


def imported(desk: Desk) -> None:
    """The drop zone in sight, paths and folders below."""
    t, engine = desk.ui.t, desk.ui.engine
    data = drop_data(host.options(), desk.ui.words, engine.settings.upload_gb * 2**30)
    drop_zone(data, desk.key("drop"), lambda: _dropped(desk))
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_import.path"), key=desk.key("path"), placeholder=t("models_import.path_hint"),
                      max_chars=PATH_MAX, width=420)  # fmt: skip
        st.button(t("models_import.button"), icon=":material/input:", key=desk.key("import"), on_click=desk.teach,
                  args=(_import,), disabled=desk.job is not None)  # fmt: skip
    with st.expander(t("models_import.folders"), icon=":material/folder:"):
        _folders(desk)


def _dropped(desk: Desk) -> None:
    """What the browser tells of an upload that has ended; the file itself is where it belongs."""
    told: Any = st.session_state.get(desk.key("drop")) or {}
    ended = ended_of(told.get("ended"))
    if ended is not None:
        desk.set("failure", ended.error)
        desk.set("notice", None if ended.error else desk.ui.t("models_import.done", name=ended.name))


def _import(desk: Desk) -> None:
    """Have a file of this machine copied. Raises BadFile, ModelFileCorrupt for what can be told at once."""
    path, person = str(desk.get("path") or "").strip(), desk.ui.person
    if path:
        desk.watch(start_import(desk.ui.engine, person.id, Path(path).expanduser(), role=person.role))


def _folders(desk: Desk) -> None:
    """Those that were added, each with its button."""
    t, folders = desk.ui.t, desk.ui.engine.folders.list()
    st.caption(t("models_import.folder_help"))
    if not folders:
        st.caption(t("models_import.no_folders"))
    for number, folder in enumerate(folders):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.markdown(plain(str(folder)))
            st.button(
                t("models_import.remove"),
                icon=":material/delete:",
                key=desk.key(f"folder.{number}"),
                type="tertiary",
                on_click=desk.teach,
                args=(lambda now, path=folder: _change(now, remove=path),),
            )
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("models_import.folder"), key=desk.key("folder"), max_chars=PATH_MAX, width=420)
        st.button(
            t("models_import.add"),
            icon=":material/create_new_folder:",
            key=desk.key("folder.add"),
            on_click=desk.teach,
            args=(lambda now: _change(now, add=str(now.get("folder") or "").strip()),),
        )
    for trouble in desk.ui.engine.catalog.troubles():
        st.caption(plain(f"{t('models_table.unreadable', path=trouble.path)} ({trouble.reason})"))


def _change(desk: Desk, *, add: str = "", remove: Path | None = None) -> None:
    """Look there, or there no more. Raises BadFile, BadInput, NotFound."""
    folders = desk.ui.engine.folders
    if remove is not None:
        folders.remove(remove)
    elif add:
        folders.add(Path(add))
        st.session_state[desk.key("folder")] = ""
    desk.ui.engine.catalog.look_again()
