"""The tab Blind vote: two answers without names, the vote, the board of the class as it fills."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import streamlit as st

from apps.streamlit_compare.desk import Desk
from apps.streamlit_kit import browser_watch, guard, plain, table
from apps.ui import compare_vote, present
from apps.ui.compare_vote import EXAMPLES, LETTERS, QUESTION_MAX, TAG_MAX, WINNERS
from engine.compare.arena import Vote
from engine.compare.blind import Blind, Look
from engine.compare.exchange import exported, imported

LOOK_EVERY_S = 0.1
BOARD_EVERY_S = 2.0
FILE_MB = 32
LASTS: Any = {"persist_state": "session"}  # else a value is gone as soon as another tab is in sight


def show(desk: Desk) -> None:
    """The question, the pair under way, the board; at last, the answers are drawn to their end."""
    st.markdown(desk.ui.t("compare_vote.intro"))
    pair: Blind | None = desk.get("vote.pair")
    _asking(desk, pair)
    desk.show_failure()
    places = None
    if pair is not None:
        with guard(desk.ui):
            places = _pair(desk, pair, pair.look())
    st.divider()
    st.fragment(_board, run_every=BOARD_EVERY_S)(desk)
    _manage(desk)
    if pair is not None and places is not None:
        _follow(pair, places)


def _asking(desk: Desk, pair: Blind | None) -> None:
    t = desk.ui.t
    st.text_area(t("compare_vote.question"), key=desk.key("vote.question"), max_chars=QUESTION_MAX, height=80, **LASTS)
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.text_input(t("compare_vote.tag"), key=desk.key("vote.tag"), max_chars=TAG_MAX, width=240,
                      help=t("compare_vote.tag_help"), **LASTS)  # fmt: skip
        st.button(t("compare_vote.start" if pair is None else "compare_vote.again"), icon=":material/casino:",
                  type="primary", key=desk.key("vote.start"), on_click=_ask, args=(desk,))  # fmt: skip
    if pair is None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.caption(t("compare_vote.examples"), width="content")
            for name in EXAMPLES:
                st.button(t(f"compare_vote.example.{name}"), key=desk.key(f"vote.example.{name}"),
                          on_click=_example, args=(desk, name))  # fmt: skip


def _example(desk: Desk, name: str) -> None:
    question, tag = compare_vote.example(name, desk.ui.words)
    st.session_state.update({desk.key("vote.question"): question, desk.key("vote.tag"): tag})
    _ask(desk)


def _ask(desk: Desk) -> None:
    desk.attempt(lambda: _begin(desk.fresh))


def _begin(desk: Desk) -> None:
    """A new pair for what is written in the form; the one before is over."""
    before: Blind | None = desk.get("vote.pair")
    if before is not None:
        before.stop()
    question, tag = str(desk.get("vote.question") or ""), str(desk.get("vote.tag") or "")
    made = Blind(desk.ui.engine, desk.ui.person, question, tag=tag, wanted=browser_watch())
    desk.set("vote.told", None)
    desk.set("vote.pair", made)


def _pair(desk: Desk, pair: Blind, look: Look) -> list[Any] | None:
    """Both answers beside each other. Gives their places while they are being written."""
    t, vote = desk.ui.t, desk.get("vote.told")
    st.markdown(f"**{plain(pair.question)}**")
    places = []
    for letter, text, column in zip(LETTERS, (look.left, look.right), st.columns(2, border=True), strict=True):
        with column:
            st.markdown(f"**{t('compare_vote.answer', letter=letter)}**")
            place = st.empty()
            place.markdown(present.safe_markdown(text) or "…")
            places.append(place)
    if look.running:
        st.caption(t("compare_vote.running"))
        st.button(t("compare_vote.stop"), icon=":material/stop_circle:", key=desk.key("vote.stop"), on_click=pair.stop)
        return places
    if vote is None:
        _voting(desk, pair, look)
    else:
        _revealed(desk, vote)
    return None


def _voting(desk: Desk, pair: Blind, look: Look) -> None:
    t = desk.ui.t
    st.caption(compare_vote.state(look, desk.ui.words))
    if look.failed:
        return
    with st.container(horizontal=True):
        for winner in WINNERS:
            st.button(t(f"compare_vote.vote.{winner}"), key=desk.key(f"vote.{winner}"), on_click=_vote,
                      args=(desk, pair, winner))  # fmt: skip


def _vote(desk: Desk, pair: Blind, winner: str) -> None:
    desk.attempt(lambda: desk.set("vote.told", pair.vote(winner)))


def _revealed(desk: Desk, vote: Vote) -> None:
    for line in compare_vote.revealed(vote, names(desk), desk.ui.words):
        st.markdown(plain(line))


def _follow(pair: Blind, places: list[Any]) -> None:
    """Draw what is new until both have ended; then the page anew, with the buttons to vote."""
    drawn: tuple[str, str] | None = None
    while (look := pair.look()).running:
        if (look.left, look.right) != drawn:
            drawn = look.left, look.right
            for place, text in zip(places, drawn, strict=True):
                place.markdown(present.safe_markdown(text) or "…")
        time.sleep(LOOK_EVERY_S)
    st.rerun()


def names(desk: Desk) -> Mapping[str, str]:
    """Names of this machine's models by their ids."""
    return {card.id: card.name for card in desk.cards}


def _board(desk: Desk) -> None:
    """How the models stand now; drawn anew by itself as votes arrive."""
    t, words = desk.ui.t, desk.ui.words
    with guard(desk.ui):
        st.markdown(f"**{t('compare_vote.board')}**")
        every = desk.ui.engine.arena.board()
        labels = compare_vote.tags(every, words)
        tag = st.selectbox(t("compare_vote.topic"), list(labels), format_func=lambda one: labels.get(one, one),
                           key=desk.key("vote.topic"), width=240) if every.tags else ""  # fmt: skip
        board = desk.ui.engine.arena.board(tag or None) if tag else every
        if not board.ratings.standings:
            st.caption(t("compare_vote.board_empty"))
            return
        known = names(desk)
        table(compare_vote.head(words), compare_vote.rows(board, known, words))
        st.html(compare_vote.intervals_html(board, known, words))
        for note in compare_vote.notes(board, words):
            st.caption(plain(note))


def _manage(desk: Desk) -> None:
    """Files of votes; the teacher chooses who vies."""
    t, ui = desk.ui.t, desk.ui
    with st.expander(t("compare_vote.manage")):
        with st.container(horizontal=True):
            if ui.person.role == "teacher":
                _download(desk, "export", texts=False, help_=t("compare_vote.export_help"))
            _download(desk, "export_mine", texts=True)
        if ui.person.role == "teacher":
            _teacher(desk)


def _download(desk: Desk, name: str, *, texts: bool, help_: str | None = None) -> None:
    ui = desk.ui

    def file() -> str:
        return "".join(exported(ui.engine.arena, ui.person, texts=texts))

    st.download_button(ui.t(f"compare_vote.{name}"), file, "votes.jsonl", "application/jsonl", type="tertiary",
                       icon=":material/download:", on_click="ignore", help=help_,
                       key=desk.key(f"vote.{name}"))  # fmt: skip


def _teacher(desk: Desk) -> None:
    t, arena = desk.ui.t, desk.ui.engine.arena
    known = names(desk)
    st.multiselect(t("compare_vote.models"), list(dict.fromkeys((*known, *arena.models()))), list(arena.models()),
                   format_func=lambda one: known.get(one, one), accept_new_options=True, key=desk.key("vote.models"),
                   help=t("compare_vote.models_help"))  # fmt: skip
    for line in compare_vote.troubles(arena.turns.troubles(), known, desk.ui.words):
        st.caption(plain(line))
    st.button(t("compare_vote.save_models"), key=desk.key("vote.save_models"), on_click=_choose, args=(desk,))
    file = st.file_uploader(t("compare_vote.import"), ["jsonl", "json"], key=desk.key("vote.file"),
                            max_upload_size=FILE_MB)  # fmt: skip
    if file is not None:
        st.button(t("compare_vote.bring"), key=desk.key("vote.bring"), on_click=_bring, args=(desk, file))
    if (told := desk.get("vote.said")) is not None:
        st.caption(plain(told))
    if st.checkbox(t("compare_vote.clear"), key=desk.key("vote.sure")):
        st.button(t("compare_vote.clear_sure"), key=desk.key("vote.clear"), on_click=_clear, args=(desk,))


def _choose(desk: Desk) -> None:
    person = desk.ui.person
    chosen = desk.get("vote.models") or ()
    desk.attempt(lambda: desk.ui.engine.arena.choose(chosen, role=person.role))


def _bring(desk: Desk, file: Any) -> None:
    def bring() -> None:
        told = imported(desk.ui.engine.arena, desk.fresh.ui.person, file.getvalue(), file.name)
        desk.set("vote.said", desk.ui.t("compare_vote.brought", **told))

    desk.attempt(bring)


def _clear(desk: Desk) -> None:
    def clear() -> None:
        count = desk.ui.engine.arena.clear(role=desk.fresh.ui.person.role)
        desk.set("vote.said", desk.ui.t("compare_vote.cleared", count=count))
        desk.set("vote.pair", None)

    desk.attempt(clear)
