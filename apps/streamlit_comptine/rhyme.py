"""Step 1: the rhyme, and how many tokens it has by whose count."""

from __future__ import annotations

import streamlit as st

from apps.streamlit_comptine.desk import Desk
from apps.ui import comptine
from apps.ui.comptine_cell import MAX_SEED
from engine.comptine.cell import Cell
from engine.comptine.grid import MAX_VERSES
from engine.comptine.rhyme import LANGUAGES, VARIANTS
from engine.comptine.tokens import Tokens, count
from engine.tokenizers import ENCODINGS, count_tiktoken

FIRST_LINES = 4


def rhyme_step(desk: Desk) -> None:
    """Controls, first lines, three bars against the window, the sheet's two files."""
    _controls(desk)
    cell = desk.cell
    made = cell.rhyme()
    lines = (*made.verses, made.refrain)
    st.caption(desk.ui.t("comptine.first_lines"))
    short = (*lines[:FIRST_LINES], *(("…",) if len(lines) > FIRST_LINES + 1 else ()), *lines[FIRST_LINES:][-1:])
    st.code("\n".join(short), language=None, wrap_lines=True)
    st.caption(desk.ui.t("comptine.tokens"))
    st.html(comptine.token_bars_html(_counted(desk, cell), desk.ui.words))
    _files(desk, made.text)


def told(desk: Desk) -> str:
    """The step in a few words."""
    values, t = desk.values, desk.ui.t
    variant = t(f"comptine.variants.{values['variant']}")
    return f"{desk.ui.words.n('comptine.count', values['n'])} · {variant}"


def _controls(desk: Desk) -> None:
    t, values = desk.ui.t, desk.values
    n, variant, language, seed = st.columns([2, 3, 2, 2])
    n.number_input(t("comptine.n"), 1, MAX_VERSES, key=desk.bound("n", values["n"]), help=t("comptine.n_help"),
                   on_change=desk.changed, args=("n",))  # fmt: skip
    variant.selectbox(
        t("comptine.variant"), VARIANTS, key=desk.bound("variant", values["variant"]),
        format_func=lambda name: t(f"comptine.variants.{name}"), help=t("comptine.variant_help"),
        on_change=desk.changed, args=("variant",),
    )  # fmt: skip
    language.selectbox(
        t("comptine.language"), LANGUAGES, key=desk.bound("rhyme", values["rhyme"]), on_change=desk.changed,
        args=("rhyme",), format_func=lambda name: t(f"language.{name}"),
    )  # fmt: skip
    seed.number_input(t("comptine.seed"), 0, MAX_SEED, key=desk.bound("seed", values["seed"]), on_change=desk.changed,
                      args=("seed",), help=t("comptine.seed_help"),
                      disabled=values["variant"] == "constant")  # fmt: skip


def _counted(desk: Desk, cell: Cell) -> Tokens:
    model = None if desk.busy else desk.counter  # counting would wait behind the answer
    window = min((size for size in (desk.ui.card.window, cell.window) if size), default=None)
    asked = (cell.rhyme().text, desk.ui.card.id, window, model is not None)
    if model is None:
        return count(cell.rhyme(), virtual_window=window)
    return desk.kept("rhyme_tokens", asked, lambda: count(cell.rhyme(), model, virtual_window=cell.window))


def _files(desk: Desk, text: str) -> None:
    t = desk.ui.t
    with st.container(horizontal=True, vertical_alignment="center"):
        st.caption(t("comptine.files"), width="content", help=t("comptine.files_help"))
        for name, made in (("comptine.txt", lambda: f"{text}\n"), ("comptine_tokens.txt", lambda: _token_lines(text))):
            st.download_button(name, made, name, "text/plain", icon=":material/download:", type="tertiary",
                               on_click="ignore", key=desk.key(name))  # fmt: skip
    with st.expander(t("comptine.whole_text"), on_change="rerun", key=desk.key("whole")) as box:
        if box.open:
            st.code(text, language=None, wrap_lines=True, height=240)


def _token_lines(text: str) -> str:
    return "".join(f"{name} {count_tiktoken(text, name)}\n" for name in ENCODINGS)
