"""How documents come in: dropped files, an address, a pasted text, our own samples."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import guard
from apps.ui.documents import sample_sources
from engine.errors import NotFound
from engine.rag import sources

UPLOAD_MB = 200
TEXT_MAX = 1_000_000


def adding(desk: Desk) -> None:
    """The drop zone in sight as long as there is no file; a word where the collection is somebody else's."""
    t = desk.ui.t
    if desk.collection is not None and not desk.mine:
        st.caption(t("documents.read_only"))
        return
    if desk.collection is None:
        st.markdown(t("documents.none"))
    if desk.collection is None or (desk.fills and not desk.files):
        with st.container(horizontal=True, vertical_alignment="bottom"):
            _drop(desk)
            fold = desk.key("fold.more")
            with st.popover(t("documents.more"), icon=":material/link:", on_change="rerun", key=fold) as box:
                if box.open:
                    with guard(desk.ui):
                        _more(desk)


def bring(desk: Desk) -> None:
    """The same, folded: the collection has files."""
    _drop(desk)
    _more(desk)


def _drop(desk: Desk) -> None:
    t = desk.ui.t
    st.file_uploader(
        t("documents.drop"), accept_multiple_files=True, key=desk.key(_drop_name(desk)),
        help=f"{t('documents.drop_help')} {t('documents.drop_most', size=desk.ui.words.size(UPLOAD_MB * 2**20))}",
        max_upload_size=UPLOAD_MB, on_change=_dropped, args=(desk,),
    )  # fmt: skip


def _drop_name(desk: Desk) -> str:
    """The name of the drop zone; another one empties it."""
    return f"drop.{desk.get('dropped', 0)}"


def _dropped(desk: Desk) -> None:
    files = st.session_state[desk.key(_drop_name(desk))]
    if files:
        brought = tuple(sources.upload(file.name, file.getvalue()) for file in files)
        desk.attempt(lambda: desk.index(brought))
        desk.set("dropped", desk.get("dropped", 0) + 1)
        _fold(desk)


def _fold(desk: Desk) -> None:
    """Close the form that was used: what it brought stands under it."""
    for name in ("bring", "more", "web"):
        if desk.get(f"fold.{name}"):
            st.session_state[desk.key(f"fold.{name}")] = False


def _more(desk: Desk) -> None:
    t = desk.ui.t
    st.text_input(t("documents.url"), placeholder=t("documents.url_hint"), key=desk.key("url"), max_chars=2000)
    st.text_area(t("documents.pasted"), key=desk.key("pasted"), max_chars=TEXT_MAX, height=120)
    st.button(t("documents.add"), icon=":material/add:", type="primary", key=desk.key("add"), on_click=_added,
              args=(desk,))  # fmt: skip
    st.button(t("documents.sample"), icon=":material/library_books:", key=desk.key("add_sample"),
              on_click=lambda: desk.attempt(lambda: desk.index(sample_sources())))  # fmt: skip
    with st.expander(t("documents_web.title")):
        web(desk)


def web(desk: Desk) -> None:
    """A search of the web, whose pages become a temporary collection; off until somebody allows it here."""
    t = desk.ui.t
    st.caption(t("documents_web.help"))
    allowed = st.toggle(t("documents_web.allow"), key=desk.key("web.allow"))
    st.text_input(t("documents_web.key"), type="password", key=desk.key("web.key"), max_chars=200,
                  help=t("documents_web.key_help"))  # fmt: skip
    st.text_input(t("documents_web.query"), key=desk.key("web.query"), max_chars=400, disabled=not allowed)
    if st.button(t("documents_web.add"), icon=":material/travel_explore:", key=desk.key("web.add"),
                 disabled=not allowed):  # fmt: skip
        with st.spinner(t("documents_web.searching")):
            desk.attempt(lambda: _search(desk))
        st.rerun()


def _search(desk: Desk) -> None:
    """Fetch what a provider finds, and open it; what could not be fetched is told beside it. Raises EngineError."""
    from engine.rag.websearch import gather

    ui = desk.ui
    found = gather(ui.engine, desk.owner, str(desk.get("web.query", "")), enabled=bool(desk.get("web.allow")),
                   key=desk.get("web.key") or None, role=ui.person.role, language=ui.lang)  # fmt: skip
    desk.set("web.found", found)
    if found.collection is not None:
        desk.open(found.collection.id)
    elif not found.pages:
        raise NotFound("the web has no page for it", what="page", key="")


def _added(desk: Desk) -> None:
    """Bring in what was typed; it goes from its fields once it is kept."""
    address, text = (str(desk.get(name, "")).strip() for name in ("url", "pasted"))
    brought = [sources.url(address)] if address else []
    if text:
        number = 1 + sum(file.source.startswith("text:") for file in desk.fresh.files)
        brought.append(sources.pasted(f"{desk.ui.t('documents.pasted_name', number=number)}.txt", text))
    if brought and desk.attempt(lambda: desk.index(tuple(brought))) is not None:
        st.session_state[desk.key("url")] = st.session_state[desk.key("pasted")] = ""
        _fold(desk)
