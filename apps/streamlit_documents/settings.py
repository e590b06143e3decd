"""How passages are looked for: four controls in sight, the rarer ones folded. For Ask and Search alike."""

from __future__ import annotations

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_documents.desk import Desk
from apps.ui.documents import NONE, USUAL
from engine.rag.retrieval import default
from engine.rag.values import ARMS, FUSIONS

THRESHOLDS = (USUAL, NONE, "own")


def settings(desk: Desk, place: str) -> None:
    """The controls, and the button that puts all back; `place` keeps those of two tabs apart."""
    t, values = desk.ui.t, desk.values
    arms, number, limit, files = st.columns([3, 2, 3, 3])
    known = [arm for arm in ARMS if arm != "rerank" or _rerankers(desk)]
    arms.selectbox(t("documents_search.arm"), known, key=desk.bound(f"{place}.arm", values["arm"]),
                   help=t("documents_search.arm_help"), on_change=_changed, args=(desk, place, "arm"),
                   format_func=lambda one: t(f"documents_search.arms.{one}"))  # fmt: skip
    number.number_input(t("documents_search.k"), 1, 100, key=desk.bound(f"{place}.k", values["k"]),
                        help=t("documents_search.k_help"), on_change=_changed, args=(desk, place, "k"))  # fmt: skip
    with limit:
        _threshold(desk, place)
    names = {file.id: file.name for file in desk.files if file.state == "done"}
    chosen = [key for key in values["files"] if key in names]
    files.multiselect(t("documents_search.files"), list(names), format_func=lambda key: names[key],
                      key=desk.bound(f"{place}.files", chosen), on_change=_changed, args=(desk, place, "files"),
                      placeholder=t("documents_search.all_files"))  # fmt: skip
    with st.expander(t("documents_search.more")):
        _rarer(desk, place)


def _rerankers(desk: Desk) -> tuple[str, ...]:
    """The rerankers of this machine; their files are looked at once for each catalogue."""
    from engine.rag.rerank import rerankers

    cards = tuple(card.id for card in desk.ui.engine.catalog.cards())
    return desk.kept("rerankers", cards, lambda: rerankers(desk.ui.engine))


def _threshold(desk: Desk, place: str) -> None:
    """The measured one of the embedder, none, or one of one's own."""
    t, value = desk.ui.t, desk.values["threshold"]
    assert desk.collection is not None
    usual = default(desk.collection.embedder).threshold
    kind = value if value in (USUAL, NONE) else "own"
    st.selectbox(t("documents_search.threshold"), THRESHOLDS, key=desk.bound(f"{place}.threshold_kind", kind),
                 help=t("documents_search.threshold_help"), on_change=_kind, args=(desk, place),
                 format_func=lambda one: _told(desk, one, usual))  # fmt: skip
    if kind == "own":
        st.slider(t("documents_search.threshold"), 0.0, 1.1, step=0.005, label_visibility="collapsed", format="%.3f",
                  key=desk.bound(f"{place}.threshold", float(value)), on_change=_changed,
                  args=(desk, place, "threshold"))  # fmt: skip


def _told(desk: Desk, kind: str, usual: float | None) -> str:
    if kind == USUAL:
        return desk.ui.t("documents_search.thresholds.usual", value=desk.ui.words.number(usual, 2))
    return desk.ui.t(f"documents_search.thresholds.{kind}")


def _kind(desk: Desk, place: str) -> None:
    name = f"{place}.threshold_kind"
    if desk.touched(name):
        kind = desk.shown(name)
        assert desk.collection is not None
        usual = default(desk.collection.embedder).threshold
        desk.change(threshold=kind if kind != "own" else usual or 0.5)


def _rarer(desk: Desk, place: str) -> None:
    t, values = desk.ui.t, desk.values
    fusion, weight = st.columns(2)
    fusion.selectbox(t("documents_search.fusion"), FUSIONS, key=desk.bound(f"{place}.fusion", values["fusion"]),
                     help=t("documents_search.fusion_help"), on_change=_changed, args=(desk, place, "fusion"),
                     disabled=values["arm"] != "hybrid",
                     format_func=lambda one: t(f"documents_search.fusions.{one}"))  # fmt: skip
    _slider(desk, weight, place, "weight", disabled=values["arm"] != "hybrid" or values["fusion"] != "weighted")
    diversity, around = st.columns(2)
    _slider(desk, diversity, place, "diversity")
    around.number_input(t("documents_search.neighbours"), 0, 10, help=t("documents_search.neighbours_help"),
                        key=desk.bound(f"{place}.neighbours", values["neighbours"]), on_change=_changed,
                        args=(desk, place, "neighbours"))  # fmt: skip
    candidates, reranker = st.columns(2)
    candidates.number_input(t("documents_search.candidates"), 1, 1000, help=t("documents_search.candidates_help"),
                            key=desk.bound(f"{place}.candidates", values["candidates"]), on_change=_changed,
                            args=(desk, place, "candidates"))  # fmt: skip
    known = (None, *_rerankers(desk))
    chosen = values["reranker"] if values["reranker"] in known else None
    reranker.selectbox(t("documents_search.reranker"), known, key=desk.bound(f"{place}.reranker", chosen),
                       help=t("documents_search.reranker_help"), on_change=_changed, args=(desk, place, "reranker"),
                       format_func=lambda one: one or t("documents_search.no_reranker"),
                       disabled=len(known) == 1)  # fmt: skip
    st.button(t("documents_search.reset"), icon=":material/restart_alt:", type="tertiary",
              key=desk.key(f"{place}.reset"), on_click=desk.back_to_start)  # fmt: skip


def _slider(desk: Desk, column: DeltaGenerator, place: str, name: str, disabled: bool = False) -> None:
    column.slider(desk.ui.t(f"documents_search.{name}"), 0.0, 1.0, step=0.05, disabled=disabled,
                    key=desk.bound(f"{place}.{name}", float(desk.values[name])), on_change=_changed,
                    help=desk.ui.t(f"documents_search.{name}_help"), args=(desk, place, name))  # fmt: skip


def _changed(desk: Desk, place: str, name: str) -> None:
    """Keep what the widget shows; an emptied field of numbers leaves what was there."""
    widget = f"{place}.{name}"
    value = desk.shown(widget)
    if value is None and name != "reranker":
        return
    if desk.touched(widget):
        desk.change(**{name: tuple(value) if name == "files" else value})
        if name == "reranker" and value is None and desk.values["arm"] == "rerank":
            desk.change(arm="hybrid")
        if name == "arm" and value == "rerank" and desk.values["reranker"] is None:
            desk.change(reranker=_rerankers(desk)[0])
