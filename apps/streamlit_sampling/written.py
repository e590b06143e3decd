"""The text so far with each token coloured by its probability, the tree of branches, the session as a file."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_components import chosen, scored_strip
from apps.streamlit_kit import plain
from apps.streamlit_sampling.desk import Desk
from apps.ui.branches import branches
from apps.ui.sampling import percent
from engine.errors import EngineError
from engine.sampling import Exploration

SHOWN = 60  # branches with a button of their own
LONGEST = 80  # characters of it
LARGEST_MB = 20


def written(desk: Desk) -> None:
    """What is written; an alternative that is clicked begins a branch."""
    t, exploration = desk.ui.t, desk.exploration
    assert exploration is not None
    st.markdown(f"**{t('sampling.written')}**")
    st.text(exploration.prompt[-400:])
    scored = [node.scored for node in exploration.path()]
    if scored:
        key = desk.key("strip")
        scored_strip(scored, desk.ui.words, key, on_choice=lambda: _instead(desk, key))
        if exploration.written[-1] in desk.open().vocabulary.ends:
            st.caption(t("sampling.ended"))
    else:
        st.caption(t("sampling.written_none"))
    if exploration.nodes:
        _tree(desk, exploration)


def _instead(desk: Desk, key: str) -> None:
    exploration = desk.fresh.exploration
    if exploration is None:
        return
    choice = chosen(key, [node.scored for node in exploration.path()])
    if choice is not None:
        desk.want("instead", choice=choice)


def _tree(desk: Desk, exploration: Exploration) -> None:
    """The branches, each deeper than what it forks from; a click goes to its end."""
    t, words = desk.ui.t, desk.ui.words
    found, more = branches(exploration, SHOWN)
    with st.expander(t("sampling.tree"), icon=":material/account_tree:"), st.container(gap=None):
        for branch in found:
            here = f"**{t('sampling.tree_here')}** " if branch.here else ""
            share = "" if branch.share is None else f" ({percent(branch.share, words)})"
            text = t("sampling.tree_start") if branch.node is None else branch.text[-LONGEST:]
            indent = "\u2003" * max(0, branch.depth - 1) + ("└ " if branch.depth else "")
            st.button(f"{indent}{here}{plain(text)}{share}", type="tertiary", key=desk.key(f"node.{branch.node}"),
                      on_click=_choose, args=(desk, branch.node))  # fmt: skip
        if more:
            st.caption(t("sampling.tree_more", count=SHOWN))


def _choose(desk: Desk, number: int | None) -> None:
    desk = desk.fresh
    desk.failed(None)
    if desk.exploration is not None:
        desk.keep(desk.exploration.choose(number))


def session(desk: Desk) -> None:
    """What was explored, to take away and to go on with."""
    t, exploration = desk.ui.t, desk.exploration
    if exploration is not None:
        st.download_button(t("sampling.export_json"), exploration.to_json(), "sampling.json", "application/json",
                           type="tertiary", icon=":material/download:", on_click="ignore",
                           key=desk.key("json"))  # fmt: skip
    with st.expander(t("sampling.import_json"), icon=":material/upload:"):
        st.file_uploader(t("sampling.import_json"), ["json"], key=desk.key("file"), on_change=_resume, args=(desk,),
                         max_upload_size=LARGEST_MB, label_visibility="collapsed")  # fmt: skip


def _resume(desk: Desk) -> None:
    desk, file = desk.fresh, st.session_state.get(desk.key("file"))
    if file is None:
        return
    desk.failed(None)
    try:
        found = Exploration.from_json(file.getvalue().decode("utf-8", "replace"))
        desk.ui.open(found.model)
    except EngineError as error:
        desk.failed(error)
        return
    st.session_state["model"] = found.model
    desk.keep(found)
