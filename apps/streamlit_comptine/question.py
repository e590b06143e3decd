"""Step 2: what is asked, in which window, and whether prompt and answer fit."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.streamlit_comptine.limits import limits
from apps.streamlit_kit import guard
from apps.ui import comptine, present
from apps.ui.comptine_cell import AUTO, MAX_WINDOW, MIN_WINDOW, WINDOWS
from engine.comptine.cell import Cell
from engine.comptine.grid import MAX_VERSES
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import KINDS, PLACES
from engine.comptine.running import Prepared, prepare
from engine.comptine.tokens import Tokens, count
from engine.errors import EngineError

PREFIXES = ("none", AUTO, "own")
OWN = 0  # stands for the model's own window


def question_step(desk: Desk) -> None:
    """The question at the left, window and policy at the right, then what that makes."""
    left, right = st.columns([3, 2])
    with left:
        _question(desk)
    with right:
        _window(desk)
    _fits(desk)
    limits(desk)


def told(desk: Desk) -> str:
    """The step in a few words."""
    values, t, number = desk.values, desk.ui.t, desk.ui.words.number
    parts = [t(f"comptine.kinds.{values['kind']}")]
    if values["kind"] in ("range", "custom"):
        parts.append(f"{number(values['first'])}–{number(values['last'])}")
    elif values["kind"] == "single":
        parts.append(number(values["first"]))
    if values["window"]:
        parts += [f"{t('comptine.window')} {number(values['window'])}", t(f"comptine.policies.{values['policy']}")]
    return " · ".join(parts)


def _question(desk: Desk) -> None:
    t, values = desk.ui.t, desk.values
    kind = values["kind"]
    asked, first, last = st.columns([3, 2, 2])
    asked.selectbox(t("comptine.kind"), KINDS, key=desk.bound("kind", kind), on_change=desk.changed, args=("kind",),
                    format_func=lambda name: t(f"comptine.kinds.{name}"))  # fmt: skip
    low = 0 if kind == "custom" else 1
    if kind != "intruder":
        label = t("comptine.single" if kind == "single" else "comptine.first")
        first.number_input(label, low, MAX_VERSES, key=desk.bound("first", max(low, values["first"])),
                           on_change=desk.changed, args=("first",))  # fmt: skip
    if kind in ("range", "custom"):
        last.number_input(t("comptine.last"), low, MAX_VERSES, key=desk.bound("last", max(low, values["last"])),
                          on_change=desk.changed, args=("last",))  # fmt: skip
    if kind == "custom":
        st.text_area(t("comptine.text"), key=desk.bound("text", values["text"]), on_change=desk.changed, height=80,
                     args=("text",), help=t("comptine.text_help"), max_chars=10_000)  # fmt: skip
    with st.expander(f"{t('comptine.shots')} · {t('comptine.place')} · {t('comptine.prefix')}"):
        _rarer(desk)


def _rarer(desk: Desk) -> None:
    """What is seldom changed: a solved example, the question's place, the beginning of the answer."""
    t, values = desk.ui.t, desk.values
    st.toggle(t("comptine.shots"), key=desk.bound("shots", bool(values["shots"])), help=t("comptine.shots_help"),
              on_change=desk.changed, args=("shots", int), disabled=values["kind"] == "custom")  # fmt: skip
    st.selectbox(t("comptine.place"), PLACES, key=desk.bound("place", values["place"]), on_change=desk.changed,
                 args=("place",), format_func=lambda name: t(f"comptine.places.{name}"))  # fmt: skip
    prefix = values["prefix"]
    kind = "own" if desk.get("own_prefix") or prefix not in ("", AUTO) else prefix or "none"
    st.selectbox(t("comptine.prefix"), PREFIXES, key=desk.bound("prefix_kind", kind), on_change=_prefix_kind,
                 args=(desk,), format_func=lambda name: t(f"comptine.prefixes.{name}"),
                 help=t("comptine.prefix_help"))  # fmt: skip
    if kind == "own":
        st.text_input(t("comptine.prefix_text"), key=desk.bound("prefix", "" if prefix == AUTO else prefix),
                      on_change=desk.changed, args=("prefix",), max_chars=1000)  # fmt: skip


def _prefix_kind(desk: Desk) -> None:
    if not desk.touched("prefix_kind"):
        return
    kind = st.session_state[desk.key("box.prefix_kind")]
    desk.set("own_prefix", True if kind == "own" else None)
    desk.change(prefix=AUTO if kind == AUTO else "")


def _window(desk: Desk) -> None:
    t, values = desk.ui.t, desk.values
    now = values["window"] or OWN
    sizes = list(dict.fromkeys([OWN, *WINDOWS, now]))
    st.selectbox(
        t("comptine.window"), sizes, key=desk.bound("window", now), help=t("comptine.window_help"),
        format_func=lambda size: str(size) if size else t("comptine.window_own"), accept_new_options=True,
        on_change=_new_window, args=(desk,),
    )  # fmt: skip
    st.selectbox(t("comptine.policy"), OVERFLOW_POLICIES, key=desk.bound("policy", values["policy"]),
                 format_func=lambda name: t(f"comptine.policies.{name}"), help=t("comptine.policy_help"),
                 on_change=desk.changed, args=("policy",))  # fmt: skip


def _new_window(desk: Desk) -> None:
    """Any number of tokens may be typed; what is none leaves the model's own window."""
    if not desk.touched("window"):
        return
    digits = "".join(sign for sign in str(st.session_state[desk.key("box.window")] or "") if sign in "0123456789")
    size = int(digits[:9] or OWN)
    desk.change(window=min(max(size, MIN_WINDOW), MAX_WINDOW) if size else None)


def _fits(desk: Desk) -> None:
    """Prompt and answer against the window, the verses that survive the policy, the exact prompt."""
    ui, cell = desk.ui, desk.cell
    asked = cell.prompt()
    tokens = _counted(desk, cell)
    if gauge := comptine.budget_gauge(tokens, ui.words):
        st.html(present.gauge_html(gauge))
    if desk.counter is not None or desk.busy:
        st.caption(("" if tokens.fits is not False else "⚠ ") + comptine.budget_text(tokens, ui.words))
    survivors(desk, cell)
    with st.expander(ui.t("comptine.prompt"), on_change="rerun", key=desk.key("prompt")) as box:
        if box.open:
            st.code(asked.text + (f"\n\n▸ {asked.prefix}" if asked.prefix else ""), language=None, wrap_lines=True,
                    height=240)  # fmt: skip
            st.caption(f"`{ui.t('comptine.sha256', sha256=asked.sha256)}`")


def _counted(desk: Desk, cell: Cell) -> Tokens:
    model = None if desk.busy else desk.counter
    if model is None:
        known = desk.get("prompt_tokens")
        if known is not None and known[0] == cell:
            found: Tokens = known[1]
            return found
        return count(cell.prompt(), virtual_window=cell.window)
    return desk.kept("prompt_tokens", cell, lambda: count(cell.prompt(), model, virtual_window=cell.window))


def survivors(desk: Desk, cell: Cell) -> None:
    """The picture of the verses that the policy leaves; nothing where all are left."""
    if cell.policy == "refuse" or desk.busy or desk.counter is None:
        return
    with guard(desk.ui):
        made = desk.kept("prepared", cell, lambda: _prepared(desk, cell))
        if isinstance(made, EngineError):
            raise made
        if made.survivors is not None:
            st.markdown(f"**{desk.ui.t('comptine.survivors')}**")
            st.html(comptine.survivors_html(made.survivors.to_dict(), desk.ui.words))


def _prepared(desk: Desk, cell: Cell) -> Prepared | EngineError:
    try:
        return prepare(desk.ui.model, cell)
    except EngineError as error:
        return error
