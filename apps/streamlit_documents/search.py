"""A search without a model: every passage with all its scores and ranks, and how long each stage took."""

from __future__ import annotations

import json
from dataclasses import asdict

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_documents.passages import shown
from apps.streamlit_documents.settings import settings
from apps.streamlit_kit import plain
from apps.ui.documents import nothing, times
from engine.rag.grounding import source_of
from engine.rag.retrieval import Found


def search(desk: Desk) -> None:
    """The question, the controls in sight, what was found."""
    t = desk.ui.t
    with st.form(desk.key("search_form"), border=False), st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("documents_ask.question"), placeholder=t("documents_search.hint"), max_chars=4000,
                      key=desk.key("searched"))  # fmt: skip
        st.form_submit_button(t("documents_search.search"), icon=":material/search:", type="primary",
                              key=desk.key("search_go"))  # fmt: skip
    settings(desk, "search")
    question = str(desk.get("searched", "")).strip()
    if not question:
        st.caption(t("documents_search.empty"))
        return
    _found(desk, desk.kept("found", _asked(desk, question), lambda: _look(desk, question)))


def _asked(desk: Desk, question: str) -> tuple[object, ...]:
    """What a search depends on: it is done anew only when one of these has changed."""
    assert desk.collection is not None
    state = tuple((file.id, file.sha256, file.chunks) for file in desk.files)
    return question, desk.collection.id, desk.retrieval, hash(state)


def _look(desk: Desk, question: str) -> Found:
    from engine.rag.retrieval import search as look

    assert desk.collection is not None
    return look(desk.ui.engine, desk.owner, desk.collection.id, question, desk.retrieval)


def _found(desk: Desk, found: Found) -> None:
    t, words = desk.ui.t, desk.ui.words
    told = [words.n("documents_search.found", len(found.passages)), times(found.seconds, words)]
    if found.below:
        told.append(words.n("documents_ask.below", found.below))
    st.caption(plain(" · ".join(part for part in told if part)))
    if not found.passages:
        st.info(nothing(found, words), icon=":material/search_off:")
        return
    shown(desk, [source_of(passage, number) for number, passage in enumerate(found.passages, 1)], "found")
    st.download_button(
        t("documents_search.save"), lambda: json.dumps(asdict(found), ensure_ascii=False, indent=1), "passages.json",
        "application/json", icon=":material/download:", type="tertiary", on_click="ignore", key=desk.key("found_save"),
    )  # fmt: skip
