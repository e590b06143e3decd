"""Which collection is open, a new one, and what its owner may do with it."""

from __future__ import annotations

import time
from collections.abc import Callable

import streamlit as st

from apps.streamlit_documents.adding import bring, web
from apps.streamlit_documents.desk import Desk
from apps.streamlit_kit import guard, plain
from apps.ui.documents import summary, title_of, web_told
from engine.rag.collections import Collection
from engine.rag.splitting import SIZE_MIN
from engine.rag.values import SPLITTING_KINDS, Splitting
from engine.rag.websearch import Web

SIZE_MAX = 2048  # the job says where an embedder takes less


def chooser(desk: Desk) -> None:
    """The chooser, the two folded forms beside it, and the open collection in one line."""
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        if desk.collection is not None:
            known, words = desk.collections, desk.ui.words
            st.selectbox(t("documents.collection"), list(known), help=t("glossary.collection.text"),
                         key=desk.bound("collection", desk.collection.id), on_change=_open, args=(desk,),
                         format_func=lambda key: title_of(known[key], desk.owner, words))  # fmt: skip
            if desk.fills and desk.files:
                _folded(desk, "bring", ":material/upload_file:", bring)
            elif desk.mine and not desk.fills:
                _folded(desk, "web", ":material/travel_explore:", web)
            _folded(desk, "new", ":material/add:", _new)
            if desk.mine:
                _folded(desk, "manage", ":material/settings:", _manage)
    if desk.collection is not None and not desk.files:
        st.caption(plain(summary(desk.collection, desk.ui.words)))
    desk.show_failure()
    _web_told(desk)


def _web_told(desk: Desk) -> None:
    """What became of the last search of the web, as long as its pages are open, or where there are none."""
    found: Web | None = desk.get("web.found")
    here = desk.collection.id if desk.collection is not None else None
    if found is None or (found.collection is not None and found.collection.id != here):
        return
    st.caption(plain("\n".join(web_told(found, desk.ui.words))).replace("\n", "  \n"))


def _open(desk: Desk) -> None:
    if desk.touched("collection"):
        desk.open(desk.shown("collection"))


def _folded(desk: Desk, name: str, icon: str, draw: Callable[[Desk], None]) -> None:
    """A popover whose content is made only when it is opened."""
    key = desk.key(f"fold.{name}")
    with st.popover(desk.ui.t(f"documents.{name}"), icon=icon, on_change="rerun", key=key) as box:
        if box.open:
            with guard(desk.ui):
                draw(desk)


def _new(desk: Desk) -> None:
    """Name, embedder and cutting: the last two are for good."""
    t = desk.ui.t
    name = st.text_input(t("documents.name"), max_chars=100, key=desk.key("new.name"))
    with st.expander(t("documents.cutting")):
        embedder = st.selectbox(
            t("documents.embedder"), embedders(desk), key=desk.key("new.embedder"), accept_new_options=True,
            help=f"{t('glossary.embedding.text')} {t('documents.embedder_help')}",
        )  # fmt: skip
        kind = st.selectbox(t("documents.kind"), SPLITTING_KINDS, key=desk.key("new.kind"),
                            help=t("glossary.chunk.text"),
                            format_func=lambda one: t(f"documents.kind_of.{one}"))  # fmt: skip
        start = Splitting()
        size = st.number_input(t("documents.size"), SIZE_MIN, SIZE_MAX, start.size, key=desk.key("new.size"))
        overlap = st.number_input(t("documents.overlap"), 0, size // 2, min(start.overlap, size // 2),
                                  key=desk.key("new.overlap"))  # fmt: skip
    cut = Splitting(kind, size, overlap)
    st.button(t("documents.create"), icon=":material/add:", type="primary", disabled=not name.strip(),
              key=desk.key("new.create"), on_click=_create, args=(desk, name, embedder, cut))  # fmt: skip


def embedders(desk: Desk) -> tuple[str, ...]:
    """The names of those that can be used here, the default first; their files are looked at once."""
    from engine.rag.embedders import default_embedder, options

    found = desk.kept("embedders", True, lambda: options(desk.ui.engine))
    usable = [one.name for one in found if one.problem is None]
    return tuple(sorted(usable, key=lambda name: name != default_embedder()))


def _create(desk: Desk, name: str, embedder: str | None, cut: Splitting) -> None:
    chosen = {"embedder": embedder} if embedder else {}
    if desk.attempt(lambda: desk.fresh.make(name, splitting=cut, **chosen)) is not None:
        desk.set("new.name", None)


def _manage(desk: Desk) -> None:
    ui, one = desk.ui, desk.collection
    assert one is not None
    store, t = ui.engine.collections, ui.t
    if one.temporary:
        st.caption(t("documents_web.passing_help"))
        _delete(desk, one)
        return
    name = st.text_input(t("documents.name"), one.name, max_chars=100, key=desk.key(f"renamed.{one.id}"))
    st.button(t("documents.rename"), icon=":material/edit:", disabled=name.strip() in ("", one.name),
              key=desk.key("rename"),
              on_click=lambda: desk.attempt(lambda: store.rename(desk.owner, one.id, name)))  # fmt: skip
    st.button(t("documents.reindex"), icon=":material/refresh:", help=t("documents.reindex_help"),
              key=desk.key("reindex"), disabled=desk.job is not None,
              on_click=lambda: desk.attempt(desk.index))  # fmt: skip
    if ui.person.role == "teacher":
        st.toggle(t("documents.share"), key=desk.bound("share", one.shared), help=t("documents.share_help"),
                  on_change=_share, args=(desk, one.id))  # fmt: skip
    _versions(desk, one)
    _delete(desk, one)


def _share(desk: Desk, collection_id: str) -> None:
    if desk.touched("share"):
        store, wanted = desk.ui.engine.collections, desk.shown("share")
        desk.attempt(lambda: store.share(desk.owner, collection_id, wanted))


def _versions(desk: Desk, one: Collection) -> None:
    """The states that it can go back to; the first of them is the present one."""
    ui, store = desk.ui, desk.ui.engine.collections
    known = {version.number: version for version in store.versions(desk.owner, one.id)}
    if len(known) < 2:
        return

    def told(number: int) -> str:
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(known[number].created))
        return ui.t("documents.version", when=when, files=known[number].files, chunks=known[number].chunks)

    number = st.selectbox(ui.t("documents.versions"), list(known), format_func=told, key=desk.key("version"))
    st.button(ui.t("documents.rollback"), icon=":material/history:", key=desk.key("rollback"),
              disabled=desk.job is not None,
              on_click=lambda: desk.attempt(lambda: store.rollback(desk.owner, one.id, number)))  # fmt: skip


def _delete(desk: Desk, one: Collection) -> None:
    """Asked once more: nothing brings it back."""
    t = desk.ui.t
    if desk.get("deleting") != one.id:
        st.button(t("documents.delete"), icon=":material/delete:", key=desk.key("delete"), on_click=desk.set,
                  args=("deleting", one.id))  # fmt: skip
        return
    st.caption(plain(t("documents.delete_sure", name=one.name)))
    st.button(t("documents.delete_yes"), icon=":material/delete:", type="primary", key=desk.key("delete_yes"),
              on_click=_deleted, args=(desk, one.id))  # fmt: skip


def _deleted(desk: Desk, collection_id: str) -> None:
    def act() -> None:
        engine = desk.ui.engine
        if (job := desk.fresh.job) is not None:
            engine.jobs.cancel(job.id, desk.owner)
        engine.collections.delete(desk.owner, collection_id)
        desk.open(None)

    desk.set("deleting", None)
    desk.attempt(act)
