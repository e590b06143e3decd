"""A passage in its document, at the right of the page: of a PDF the page as a picture, of others the text around it,
with the passage marked.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import guard, plain, show_error
from apps.ui.documents import around, around_html, on_page
from engine.documents import Document
from engine.documents.picture import Picture, picture
from engine.errors import EngineError


def opened(desk: Desk) -> None:
    """Open it where it was asked for; it stays open until it is closed."""
    wanted = desk.get("opened")
    if wanted is None or desk.collection is None:
        return
    show = st.dialog(desk.ui.t("documents_open.title"), width="medium", position="right",
                     icon=":material/description:", on_dismiss=partial(desk.set, "opened", None))(_draw)  # fmt: skip
    show(desk, wanted)


def _draw(desk: Desk, wanted: Mapping[str, Any]) -> None:
    """The page as a picture where there is one, the text under it; else the text."""
    with guard(desk.ui):
        assert desk.collection is not None
        collection = wanted.get("collection") or desk.collection.id
        store, file = desk.ui.engine.collections, wanted["file"]
        document: Document = desk.kept("document", (collection, file),
                                       lambda: store.document(desk.owner, collection, file))  # fmt: skip
        _head(desk, document, wanted)
        if document.unit == "page" and _pictured(desk, collection, document, wanted):
            with st.expander(desk.ui.t("documents_open.text")):
                _text(desk, document, wanted)
        else:
            _text(desk, document, wanted)


def _pictured(desk: Desk, collection: str, document: Document, wanted: Mapping[str, Any]) -> bool:
    """Whether the page could be drawn; why not is said."""
    t, page = desk.ui.t, wanted.get("page") or 1
    place = (wanted.get("start", 0), wanted.get("end", 0))
    try:
        shown = desk.kept("picture", (collection, wanted["file"], page, *place),
                          lambda: _picture(desk, collection, document, page, place, wanted["file"]))  # fmt: skip
    except EngineError as error:
        show_error(desk.ui, error)
        return False
    if shown is None:
        return False
    st.image(shown.png, caption=t("documents_open.marked" if shown.marks else "documents_open.page_only", page=page))
    return True


def _picture(
    desk: Desk, collection: str, document: Document, page: int, place: tuple[int, int], file: str
) -> Picture | None:
    before, passage = on_page(document, page, *place)
    with st.spinner(desk.ui.t("documents_open.drawing")):
        original = desk.ui.engine.collections.original(desk.owner, collection, file)
        return picture(document.name, original, page, before, passage)


def _text(desk: Desk, document: Document, wanted: Mapping[str, Any]) -> None:
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
