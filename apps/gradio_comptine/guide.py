"""The two ways in: the course sheet's sequence as a list of runs, and three examples. Knows no event."""

from __future__ import annotations

import html
from collections.abc import Mapping

from apps.gradio_chat import acts
from apps.gradio_kit import Ui
from engine.comptine.cell import Cell
from engine.comptine.guided import Step, steps

EXAMPLES: Mapping[str, Cell] = {
    "short": Cell(verses=10, first=1, last=5),
    "long": Cell(verses=30, first=1, last=10, variant="names", seed=1),
    "intruder": Cell(verses=20, kind="intruder", variant="intruder", seed=1),
}


def readings() -> dict[str, Cell]:
    """Every run of the sequence by its name."""
    return {name: cell for step in steps() for name, cell in {**step.readings, **step.hypotheses}.items()}


def guide(ui: Ui, today: Mapping[str, str]) -> str:
    """The sequence as HTML: what the sheet says, what it may mean, what came of it today; each runs at a click."""
    items = "".join(_step(ui, step, today) for step in steps())
    return f"<ol>{items}</ol><p><small>{html.escape(ui.t('comptine.origin'))}</small></p>"


def _step(ui: Ui, step: Step, today: Mapping[str, str]) -> str:
    t = ui.t
    said = html.escape(t(f"comptine.step.{step.id}_text"))
    parts = [f"<strong>{html.escape(t(f'comptine.step.{step.id}'))}</strong>",
             f"<div><em lang='fr'>{html.escape(step.quote)}</em> – {said}</div>",
             f"<div>{_buttons(ui, step.readings)}</div>"]  # fmt: skip
    for name in (*step.readings, *step.hypotheses):
        if name in today:
            said = f"{t('comptine.today')} · {t(f'comptine.reading.{name}')} – {today[name]}"
            parts.append(f"<div>▸ {html.escape(said)}</div>")
    if step.observed:
        parts.append(f"<div lang='fr'>{html.escape(t('comptine.observed', text=step.observed))}</div>")
    if step.hypotheses:
        title = html.escape(t("comptine.hypotheses"))
        parts.append(f"<details><summary>{title}</summary>{_buttons(ui, step.hypotheses)}</details>")
    return f"<li>{''.join(parts)}</li>"


def _buttons(ui: Ui, cells: Mapping[str, Cell]) -> str:
    return " ".join(acts.button("reading", f"▶ {ui.t(f'comptine.reading.{name}')}", name=name) for name in cells)
