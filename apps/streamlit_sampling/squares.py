"""The grid temperature × top-p: some continuations per cell, which fill in one after another and can be stopped."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import streamlit as st
from streamlit.delta_generator import DeltaGenerator

from apps.streamlit_kit import plain
from apps.streamlit_sampling.desk import Desk
from apps.ui.sampling import TEMPERATURES, TOP_PS, continuations_csv
from engine.errors import EngineError
from engine.sampling import Recipe, Sample, grid


@dataclass
class Filling:
    """A grid under way: what comes next, and what has come. The run of the page that shows it fills it."""

    of: tuple[tuple[int, ...], Recipe]
    coming: Iterator[Sample]
    samples: int
    tokens: int
    done: list[Sample] = field(default_factory=list)
    seconds: float = 0.0
    stopped: bool = False

    @property
    def total(self) -> int:
        """Continuations in all."""
        return len(TEMPERATURES) * len(TOP_PS) * self.samples

    def fill(self) -> bool:
        """One continuation more; whether there was one. Raises EngineError."""
        begun = time.monotonic()
        sample = next(self.coming, None)
        self.seconds += time.monotonic() - begun
        if sample is not None:
            self.done.append(sample)
        return sample is not None


def squares(desk: Desk) -> None:
    """How many and how long, then the cells."""
    t, values = desk.ui.t, desk.values
    counts, lengths, buttons = st.columns([2, 2, 3], vertical_alignment="bottom")
    counts.slider(t("sampling.grid_samples"), 1, 10, values["samples"], key=desk.bound("samples", values["samples"]),
                  on_change=desk.changed, args=("samples",))  # fmt: skip
    lengths.slider(t("sampling.grid_tokens"), 2, 24, values["tokens"], key=desk.bound("tokens", values["tokens"]),
                   on_change=desk.changed, args=("tokens",), help=t("sampling.grid_help"))  # fmt: skip
    filling: Filling | None = desk.get("filling")
    going = filling is not None and not filling.stopped and len(filling.done) < filling.total
    with buttons, st.container(horizontal=True):
        st.button(t("sampling.grid_start"), icon=":material/play_arrow:", on_click=_start, args=(desk,),
                  disabled=going, key=desk.key("grid_start"))  # fmt: skip
        st.button(t("sampling.grid_stop"), icon=":material/stop:", on_click=_stop, args=(desk,), disabled=not going,
                  key=desk.key("grid_stop"))  # fmt: skip
    if filling is not None:
        _filling(desk, filling, going)


def _start(desk: Desk) -> None:
    desk = desk.fresh
    exploration = desk.exploration
    if exploration is None:
        return
    desk.set("failure", None)
    text, values = (*exploration.ids, *exploration.written), desk.values
    try:
        recipe, known = desk.recipe, desk.open()
    except EngineError as error:
        desk.failed(error)
        return
    coming = grid(known.lens, desk.visitor, text, recipe, TEMPERATURES, TOP_PS, values["samples"], values["tokens"])
    desk.set("filling", Filling((text, recipe), coming, values["samples"], values["tokens"]))


def _stop(desk: Desk) -> None:
    filling: Filling | None = desk.get("filling")
    if filling is not None:
        filling.stopped = True


def _filling(desk: Desk, filling: Filling, going: bool) -> None:
    """The cells now; while it goes on they are drawn again after each continuation."""
    words, bar, cells = desk.ui.words, st.empty(), st.empty()
    _cells(desk, filling, cells)
    while going:
        try:
            more = filling.fill()
        except EngineError:
            filling.stopped = True
            raise
        if not more:
            break
        done, total = len(filling.done), filling.total
        left = filling.seconds / done * (total - done)
        bar.progress(done / total, words.t("sampling.grid_left", done=done, total=total, left=words.seconds(left)))
        _cells(desk, filling, cells)
    if going:
        st.rerun()
    bar.caption(words.t("sampling.grid_progress", done=len(filling.done), total=filling.total))
    st.caption(words.t("sampling.grid_told", samples=filling.samples, tokens=filling.tokens,
                       seed=str(filling.of[1].seed)))  # fmt: skip
    text = desk.open().vocabulary.text
    st.download_button(words.t("sampling.export_csv"), continuations_csv(filling.done, text), "grid.csv", "text/csv",
                       type="tertiary", icon=":material/download:", on_click="ignore",
                       key=desk.key("grid_csv"))  # fmt: skip


def _cells(desk: Desk, filling: Filling, place: DeltaGenerator) -> None:
    words, text = desk.ui.words, desk.open().vocabulary.text
    names = [words.number(top_p, 2) for top_p in TOP_PS]
    lines = [[f"{words.t('sampling.grid_corner')} \\ top-p", *names], ["---"] * (len(TOP_PS) + 1)]
    for temperature in TEMPERATURES:
        found = [[text(one.ids) for one in filling.done if (one.temperature, one.top_p) == (temperature, top_p)]
                 for top_p in TOP_PS]  # fmt: skip
        lines.append([words.number(temperature, 1), *(_cell(desk, one) for one in found)])
    place.markdown("\n".join(f"| {' | '.join(line)} |" for line in lines))


def _cell(desk: Desk, found: list[str]) -> str:
    if not found:
        return desk.ui.t("unit.unknown")
    head = desk.ui.t("sampling.grid_cell", distinct=len(set(found)), count=len(found))
    texts = "  ·  ".join(plain(" ".join(one.split())) for one in found)
    return f"**{plain(head)}**: {texts}"
