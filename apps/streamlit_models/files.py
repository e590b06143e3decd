"""The files of a model: names, sizes, checksums, and copies of it elsewhere. Paths are the teacher's to see."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import plain, table
from apps.streamlit_models.desk import Desk
from apps.ui import model_card
from apps.ui.model_files import copy_head, sums
from engine.catalog import ModelCard
from engine.models.hashes import start_hashing


def files(desk: Desk, one: ModelCard) -> None:
    """A table, then path and SHA-256 of each, and what is the same elsewhere."""
    t = desk.ui.t
    if not one.files:
        st.caption(t("models_card.no_header"))
        return
    table(model_card.file_head(desk.ui.words), model_card.file_rows(one, desk.ui.words))
    if one.licence:
        st.caption(plain(f"{t('models.licence')} {one.licence}"))
    if desk.teacher:
        for file in one.files:
            st.code(str(file.path), language=None, wrap_lines=True)
    _checksums(desk, one)


def _checksums(desk: Desk, one: ModelCard) -> None:
    """What is known without reading; the rest is a job, of the files and of what may be their copies."""
    t, known = desk.ui.t, sums(desk.ui.engine, one, desk.ui.words, paths=desk.teacher)
    for name, digest in known.known.items():
        st.caption(f"{t('models_card.sha256')} · {plain(name)}")
        st.code(digest, language=None, wrap_lines=True)
    st.markdown(f"**{t('models_copies.title')}**")
    if known.copies:
        table(copy_head(desk.ui.words), known.copies)
    st.caption(known.note)
    if desk.teacher and known.unread:
        st.button(t("models_card.sha256_button"), help=t("models_card.sha256_help"), icon=":material/fingerprint:",
                  key=desk.key("sha256"), on_click=desk.teach, args=(lambda now: _compute(now, one),),
                  disabled=desk.job is not None)  # fmt: skip


def _compute(desk: Desk, one: ModelCard) -> None:
    """Have each file read once; what it was is remembered as long as the file stays as it is."""
    ui = desk.ui
    unread = sums(ui.engine, one, ui.words, paths=True).unread
    desk.watch(start_hashing(ui.engine, ui.person.id, unread, role=ui.person.role))
