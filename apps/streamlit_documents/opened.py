"""A passage in its document, at the right of the page: the text around it with the passage marked."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import guard, plain
from apps.ui.documents import around, around_html
from engine.documents import Document


def opened(desk: Desk) -> None:
    """Open it where it was asked for; it stays open until it is closed."""
    wanted = desk.get("opened")
    if wanted is None or desk.collection is None:
        return
    show = st.dialog(desk.ui.t("documents_open.title"), width="medium", position="right",
                     icon=":material/description:", on_dismiss=partial(desk.set, "opened", None))(_draw)  # fmt: skip
    show(desk, wanted)


def _draw(desk: Desk, wanted: Mapping[str, Any]) -> None:
    with guard(desk.ui):
        assert desk.collection is not None
        collection = wanted.get("collection") or desk.collection.id
        store = desk.ui.engine.collections
        document: Document = desk.kept("document", (collection, wanted["file"]),
                                       lambda: store.document(desk.owner, collection, wanted["file"]))  # fmt: skip
        _head(desk, document, wanted)
        shown = around(document.text, wanted.get("start", 0), wanted.get("end", 0))
        if shown.cut:
            st.caption(desk.ui.t("documents_open.cut"))
        st.html(around_html(shown))


def _head(desk: Desk, document: Document, wanted: Mapping[str, Any]) -> None:
    t = desk.ui.t
    number, page = wanted.get("number"), wanted.get("page")
    place = [f"\\[{number}\\]"] if number else []
    place.append(f"**{plain(document.name)}**")
    if page:
        place.append(t("documents_open.page", page=page, pages=len(document.pages)))
    st.markdown(" · ".join(place))
