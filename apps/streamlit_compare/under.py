"""What stands under the columns: differences of two answers word by word, the chain of the course, the report."""

from __future__ import annotations

from functools import partial

import streamlit as st

from apps.streamlit_compare.desk import Desk
from apps.ui import compare
from apps.ui.compare import LETTERS
from apps.ui.compare_figures import diff_html
from engine.compare.diff import word_diff
from engine.compare.running import Comparison


def under(desk: Desk) -> None:
    """Only where something was answered; the last line says what the address holds."""
    if desk.views:
        texts = {LETTERS[number]: view.result.text for number, view in enumerate(desk.views) if view.result}
        with st.container(horizontal=True, vertical_alignment="center", key=desk.key("under")):
            wanted = st.toggle(desk.ui.t("compare.diff"), key=desk.key("diff"), help=desk.ui.t("compare.diff_help"))
            _files(desk)
        if wanted:
            _difference(desk, texts)
    st.caption(desk.ui.t("compare.link_help"))


def _difference(desk: Desk, texts: dict[str, str]) -> None:
    t, letters = desk.ui.t, list(texts)
    if len(letters) < 2:
        st.caption(t("compare.diff_none"))
        return
    with st.container(horizontal=True):
        first = st.selectbox(t("compare.diff_first"), letters, key=desk.key("diff.first"), width=100)
        rest = [letter for letter in letters if letter != first]
        second = st.selectbox(t("compare.diff_second"), rest, key=desk.key("diff.second"), width=100)
    st.caption(t("compare.diff_help"))
    st.html(diff_html(word_diff(texts[first], texts[second])))


def _files(desk: Desk) -> None:
    run = desk.run
    assert run is not None
    for form, mime in compare.FILES.items():
        made = partial(_file, desk, run, form)
        st.download_button(form.upper(), made, f"comparison.{form}", mime, type="tertiary", icon=":material/download:",
                           on_click="ignore", disabled=desk.running, key=desk.key(f"save.{form}"))  # fmt: skip


def _file(desk: Desk, run: Comparison, form: str) -> str:
    return compare.file(form, run.report(), desk.ui.words)
