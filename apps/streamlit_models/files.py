"""The files of a model: names, sizes, checksums, and copies of it elsewhere. Paths are the teacher's to see."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_kit import plain, table
from apps.streamlit_models.desk import Desk
from apps.ui import model_card
from engine.catalog import ModelCard
from engine.models.hashes import Hashes


def files(desk: Desk, one: ModelCard) -> None:
    """A table, then path and SHA-256 of each."""
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
    t, hashes = desk.ui.t, Hashes(desk.ui.engine.settings)
    known = {file.path: hashes.known(file.path) for file in one.files}
    for path, digest in known.items():
        if digest:
            st.caption(f"{t('models_card.sha256')} · {plain(path.name)}")
            st.code(digest, language=None, wrap_lines=True)
    if desk.teacher and not all(known.values()):
        st.button(t("models_card.sha256_button"), help=t("models_card.sha256_help"), icon=":material/fingerprint:",
                  key=desk.key("sha256"), on_click=desk.teach, args=(lambda now: _compute(now, one),))  # fmt: skip


def _compute(desk: Desk, one: ModelCard) -> None:
    """Read each file once; what it was is remembered as long as the file stays as it is."""
    hashes = Hashes(desk.ui.engine.settings)
    with st.spinner(desk.ui.t("models_card.sha256_help")):
        for file in one.files:
            hashes.of(file.path)
