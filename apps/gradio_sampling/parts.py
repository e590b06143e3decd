"""The components of the tab that handlers read and write. Knows no handler."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_sampling.boxes import Boxes

Update = dict[Any, Any]
Values = Mapping[Any, Any]


@dataclass(frozen=True)
class Parts:
    """The tab: what is asked for, the controls by name, what shows what came of it."""

    text: gr.Textbox
    way: gr.Radio
    look: gr.Button
    examples: gr.HTML
    asked: gr.Accordion
    explored: gr.Column
    params: Boxes
    form: Boxes
    order: gr.Radio
    less: gr.HTML
    step: gr.Button
    run: gr.Button
    stop: gr.Button
    back: gr.Button
    draw: gr.Button
    progress: gr.HTML
    alert: gr.HTML
    view: gr.State
    tabs: Mapping[str, gr.Tab]
    waterfall: gr.HTML
    told: gr.HTML
    draws: gr.HTML
    table: gr.HTML
    second: Boxes
    compared: gr.HTML
    one: gr.HTML
    other: gr.HTML
    samples: gr.Slider
    tokens: gr.Slider
    fill: gr.Button
    halt: gr.Button
    filling: gr.HTML
    cells: gr.HTML
    prompt: gr.HTML
    strip: gr.HTML
    ended: gr.HTML
    tree: gr.HTML
    files: Mapping[str, gr.Button]
    resumed: gr.UploadButton
    runtime: gr.HTML
    served: gr.Button
    gap: gr.HTML
    exercises: gr.HTML
    outbox: gr.Textbox

    @property
    def pictures(self) -> list[Any]:
        """What other settings alone change."""
        return [self.waterfall, self.told, self.draws, self.table, self.compared, self.one, self.other, self.less,
                self.alert, self.form["source"]]  # fmt: skip

    @property
    def writings(self) -> list[Any]:
        """What another place of the text changes besides."""
        return [self.prompt, self.strip, self.ended, self.tree, self.runtime, self.gap, self.asked, self.explored,
                self.progress, self.examples, self.run, self.stop, self.step, self.back]  # fmt: skip

    @property
    def all(self) -> list[Any]:
        """Both."""
        return [*self.pictures, *self.writings]
