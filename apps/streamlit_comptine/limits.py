"""Where the window ends: by the student's own bets, by bisection, and what each real engine does there."""

from __future__ import annotations

from dataclasses import replace

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_kit import guard, table
from engine.comptine.behaviours import BEHAVIOURS
from engine.comptine.cell import Cell
from engine.comptine.ends import ends
from engine.comptine.grid import MAX_VERSES
from engine.comptine.overflow import Bisection
from engine.comptine.running import prepare

COLUMNS = ("engine", "on_prompt", "on_full", "tell", "read")


def limits(desk: Desk) -> None:
    """Two folded parts: the limit to find, and the engines side by side."""
    t = desk.ui.t
    with st.expander(t("comptine.ends"), on_change="rerun", key=desk.key("ends_box")) as box:
        if box.open:
            with guard(desk.ui):
                _bets(desk)
                _bisection(desk)
    with st.expander(t("comptine.engines"), on_change="rerun", key=desk.key("engines_box")) as box:
        if box.open:
            _engines(desk)


def _bets(desk: Desk) -> None:
    """A number of verses, tried at a click; earlier tries stay in sight."""
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.number_input(t("comptine.guess"), 1, MAX_VERSES, desk.values["n"], help=t("comptine.guess_help"), width=160,
                        key=desk.key("guess"))  # fmt: skip
        st.button(t("comptine.guess_try"), on_click=_bet, args=(desk,), disabled=desk.busy, key=desk.key("bet"))
        st.button(t("comptine.ends"), help=t("comptine.ends_help"), icon=":material/search:", on_click=_search,
                  args=(desk,), disabled=desk.busy, key=desk.key("search"))  # fmt: skip
    kind, bets = desk.get("bets", (None, ()))
    if kind == _asked(desk):
        st.markdown("\n".join(f"- {bet}" for bet in bets))


def _asked(desk: Desk) -> tuple[str, Cell]:
    """What a bet is about: the model, and the cell but for its number of verses."""
    return desk.ui.card.id, replace(desk.cell, verses=1, policy="refuse")


def _bet(desk: Desk) -> None:
    def act() -> None:
        verses = int(st.session_state[desk.key("guess")] or 1)
        made = prepare(desk.ui.model, replace(desk.cell, verses=verses, policy="refuse"))
        numbers = {"verses": verses, "total": made.total, "needed": made.needed}
        said = desk.ui.t(f"comptine.guess_{made.status or 'fits'}", **numbers)
        kind, bets = desk.get("bets", (None, ()))
        before = bets if kind == _asked(desk) else ()
        desk.set("bets", (_asked(desk), (*dict.fromkeys((*before, said)),)))

    desk.attempt(act)


def _search(desk: Desk) -> None:
    found = desk.attempt(lambda: ends(desk.ui.model, desk.cell))
    desk.set("ends", (_asked(desk), found) if found else None)


def _bisection(desk: Desk) -> None:
    kind, found = desk.get("ends", (None, {}))
    if kind != _asked(desk):
        return
    for name in ("prompt", "answer"):
        one: Bisection = found[name]
        steps = " · ".join(f"{number}{'✓' if held else '✗'}" for number, held in one.steps)
        if one.last is None:
            st.markdown(desk.ui.t("comptine.ends_none"))
        else:
            st.markdown(f"**{desk.ui.t(f'comptine.ends_{name}', last=one.last, steps=len(one.steps))}**")
        st.caption(steps)


def _engines(desk: Desk) -> None:
    """Every engine in one table, then its own words, letter for letter."""
    t = desk.ui.t
    rows = (
        (one.name, t(f"comptine.prompts.{one.prompt}"), t(f"comptine.fulls.{one.full}"), one.tell,
         f"{t('comptine.measured' if one.measured else 'comptine.read')} · {one.source}")
        for one in BEHAVIOURS
    )  # fmt: skip
    table((t(f"comptine.{name}") for name in COLUMNS), rows)
    st.markdown(f"**{t('comptine.message')}**")
    for one in BEHAVIOURS:
        if one.text:
            st.caption(one.name)
            st.code(one.text, language=None, wrap_lines=True)
