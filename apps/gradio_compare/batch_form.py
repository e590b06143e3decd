"""The form, the progress and the results of batches as components. Knows no event."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_documents.desk import Held, file_button
from apps.gradio_kit import Ui, role_of
from apps.ui import batch
from engine.compare.batch_plan import REPETITIONS_MAX
from engine.compare.batch_results import FILTERS
from engine.person import PersonRole

LOOK_S = 1.5
LINE: dict[str, Any] = {"max_lines": 1, "min_width": 160}
TEXT: dict[str, Any] = {"lines": 2, "max_lines": 8, "min_width": 240}


@dataclass(frozen=True)
class Parts:
    """The components; `boxes` are the form by field, `table` holds the rows of a file that was brought, `watched` is
    the job that a page follows, `done` the file whose job has ended.
    """

    boxes: Mapping[str, Any]
    file: gr.File
    table: gr.State
    note: gr.HTML
    start: gr.Button
    examples: Mapping[str, gr.Button]
    told: gr.HTML
    cancel: gr.Button
    clock: gr.Timer
    watched: gr.State
    done: gr.State
    chosen: gr.Dropdown
    resume: gr.Button
    state: gr.HTML
    which: gr.Radio
    only: gr.Dropdown
    answers: gr.HTML
    measure: gr.Dropdown
    plot: gr.Plot
    pivot: gr.HTML
    files: Mapping[str, gr.Button]
    shown: gr.Column

    @property
    def followed(self) -> list[Any]:
        """What a look at the job writes."""
        return [self.told, self.cancel, self.clock, self.watched, self.done]

    @property
    def drawn(self) -> list[Any]:
        """What a look at the results writes; few enough for a browser."""
        return [self.chosen, self.resume, self.state, self.only, self.answers, self.plot, self.pivot, self.shown]

    @property
    def asked(self) -> set[Any]:
        """What the form holds."""
        return {self.table, *self.boxes.values()}

    @property
    def looked(self) -> set[Any]:
        """What the results are drawn from."""
        return {self.chosen, self.which, self.only, self.measure, self.done}

    def held(self, values: Mapping[Any, Any]) -> dict[str, Any]:
        """The form's values by field."""
        kept = values[self.table]
        told = {name: values[box] for name, box in self.boxes.items()}
        return told | ({"table": kept.value} if isinstance(kept, Held) and kept.value is not None else {})


def lay_out(ui: Ui) -> Parts:
    """Lay them out."""
    t = ui.t
    boxes, file, note = _form(ui)
    with gr.Row():
        start = gr.Button(t("compare_batch.start"), variant="primary", min_width=160, elem_id="batch-start")
        cancel = gr.Button(t("compare_batch.cancel"), variant="stop", min_width=120, visible="hidden",
                           elem_id="batch-cancel")  # fmt: skip
    with gr.Row():
        examples = {name: gr.Button(t(f"compare_batch.example.{name}"), size="sm", min_width=140,
                                    elem_id=f"batch-example-{name}") for name in batch.EXAMPLES}  # fmt: skip
    told = gr.HTML(elem_id="batch-told", elem_classes="atelier-slot")
    results = _results(ui)
    return Parts(boxes, file, gr.State(Held(None)), note, start, examples, told, cancel,
                 gr.Timer(LOOK_S, active=False), gr.State(""), gr.State(""), **results)  # fmt: skip


def model_choices(ui: Ui, role: PersonRole) -> list[tuple[str, str]]:
    """The models that somebody of that role can choose, as (name, id)."""
    return [(card.name, card.id) for card in ui.engine.models(role) if not card.problem]


def _form(ui: Ui) -> tuple[dict[str, Any], gr.File, gr.HTML]:
    t = ui.t
    gr.HTML(f"<p class='atelier-note'>{t('compare_batch.intro')}</p>")
    with gr.Row():
        boxes: dict[str, Any] = {"prompts": _text(ui, "prompts", lines=4, max_lines=10, min_width=280)}
        file = gr.File(file_types=[".csv", ".tsv", ".jsonl"], height=130, label=t("compare_batch.table"),
                       elem_id="batch-file")  # fmt: skip
    boxes["models"] = gr.Dropdown(model_choices(ui, role_of(ui)), value=[], multiselect=True, allow_custom_value=True,
                                  elem_id="batch-models", label=t("compare_batch.models"),
                                  info=t("compare_batch.models_help"))  # fmt: skip
    with gr.Row():
        boxes |= {name: _text(ui, name, **LINE) for name in ("template", "contains")}
    with gr.Accordion(t("compare_batch.more"), open=False):
        with gr.Row():
            boxes |= {name: _text(ui, name, **TEXT) for name in ("params", "system")}
        with gr.Row():
            boxes["repetitions"] = gr.Number(1, precision=0, minimum=1, maximum=REPETITIONS_MAX,
                                             label=t("compare_batch.repetitions"), min_width=120)  # fmt: skip
            boxes["regex"] = _text(ui, "regex", **LINE)
        with gr.Row():
            boxes |= {name: _text(ui, name, **TEXT) for name in ("schema", "similar")}
        with gr.Row():
            boxes["threshold"] = gr.Number(0.85, minimum=0, maximum=1, label=t("compare_batch.threshold"),
                                           info=t("compare_batch.threshold_help"), min_width=160)  # fmt: skip
            boxes["judge"] = _text(ui, "judge", **LINE)
        boxes["rubric"] = _text(ui, "rubric", **TEXT)
        with gr.Row():
            boxes["budget"] = _text(ui, "budget", **LINE)
            boxes["currency"] = gr.Textbox("USD", label=t("compare_batch.currency"), max_length=3, **LINE)
    return boxes, file, gr.HTML(elem_id="batch-note", elem_classes="atelier-slot")


def _text(ui: Ui, name: str, **shape: Any) -> gr.Textbox:
    key = f"compare_batch.{name}_help"
    info = ui.t(key) if ui.words.has(key) else None
    return gr.Textbox("", label=ui.t(f"compare_batch.{name}"), info=info, elem_id=f"batch-{name}", **shape)


def _results(ui: Ui) -> dict[str, Any]:
    t, made = ui.t, dict[str, Any]()
    with gr.Row(equal_height=True):
        made["chosen"] = gr.Dropdown([], value=None, label=t("compare_batch.earlier"), elem_id="batch-chosen")
        made["resume"] = gr.Button(t("compare_batch.resume"), size="sm", min_width=120, visible="hidden",
                                   elem_id="batch-resume")  # fmt: skip
    made["state"] = gr.HTML(elem_id="batch-state", elem_classes="atelier-slot")
    with gr.Column(visible=False) as shown:
        with gr.Row():
            filters = [(t(f"compare_batch.filters.{name}"), name) for name in FILTERS]
            made["which"] = gr.Radio(filters, value=FILTERS[0], label=t("compare_batch.filter"), elem_id="batch-filter")
            made["only"] = gr.Dropdown([], value=None, label=t("compare_batch.only"), elem_id="batch-only")
        made["answers"] = gr.HTML(elem_id="batch-answers")
        measures = list(batch.measures(ui.words).items())
        made["measure"] = gr.Dropdown(measures, value=measures[0][1], label=t("compare_batch.measure_chooser"),
                                      elem_id="batch-measure")  # fmt: skip
        made["plot"] = gr.Plot(show_label=False, label=t("compare_batch.measure_chooser"),
                               elem_classes="atelier-scroll")  # fmt: skip
        made["pivot"] = gr.HTML(elem_id="batch-pivot")
        with gr.Row():
            made["files"] = {form: file_button(form) for form in batch.FILES}
    return made | {"shown": shown}
