"""The components of the rhyme's tab that handlers read and write. Knows no handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_comptine.boxes import Boxes
from engine.comptine.cell import CellResult

Update = dict[Any, Any]
Values = Mapping[Any, Any]
STEPS = ("rhyme", "question", "run", "sweep")


@dataclass(frozen=True, eq=False)
class Held:
    """A result in a page's state; Gradio hashes what lies there, and a result may hold JSON, which has no hash.

    `record` is the run file that a strict run has written itself.
    """

    result: CellResult
    record: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class Parts:
    """The tab without its sweeps: the steps by name, the controls by value name, and what shows what came of them."""

    steps: Mapping[str, gr.Accordion]
    boxes: Boxes
    way: gr.Radio
    guide: gr.HTML
    lines: gr.HTML
    text: gr.HTML
    bars: gr.HTML
    gauge: gr.HTML
    prompt: gr.HTML
    survivors: gr.HTML
    ends: gr.HTML
    examples: gr.HTML
    run: gr.Button
    stop: gr.Button
    alert: gr.HTML
    progress: gr.HTML
    answer: gr.Textbox
    strip: gr.HTML
    verdict: gr.HTML
    metrics: gr.HTML
    under: gr.Column
    wanted: gr.State
    result: gr.State
    today: gr.State
    outbox: gr.Textbox

    @property
    def counted(self) -> list[Any]:
        """What a change of rhyme or question writes anew."""
        return [self.lines, self.text, self.bars, self.gauge, self.prompt, self.survivors,
                self.boxes["text"], self.boxes["prefix_text"]]  # fmt: skip

    @property
    def readied(self) -> list[Any]:
        """What the beginning of a run writes."""
        return [*self.steps.values(), *self.boxes.values(), self.examples, self.run, self.stop, self.alert,
                self.progress, self.answer, self.strip, self.verdict, self.metrics, self.under, self.wanted,
                self.result]  # fmt: skip

    @property
    def followed(self) -> list[Any]:
        """What a run writes while it goes on."""
        return [self.progress, self.answer, self.strip, self.result, self.alert]

    @property
    def ended(self) -> list[Any]:
        """What the end of a run writes."""
        return [self.run, self.stop, self.answer, self.strip, self.verdict, self.metrics, self.alert, self.under,
                self.today, self.guide, self.steps["sweep"]]  # fmt: skip

    def opened(self, name: str) -> Update:
        """That step open and the others folded: only the current one is."""
        return {step: gr.Accordion(open=one == name) for one, step in self.steps.items()}
