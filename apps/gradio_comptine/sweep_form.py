"""The sweep's form, progress and pictures as components, and the sweep that the form asks for. Knows no event."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui, role_of
from engine.comptine.charts import CHARTS
from engine.comptine.grid import Sweep
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import PLACES
from engine.comptine.rhyme import LANGUAGES, VARIANTS
from engine.comptine.summary import RATES
from engine.errors import BadInput

VIEWS = (*CHARTS, "table")
FILES = {"csv": "comptine_sweep.data", "json": "comptine_sweep.data", "svg": "comptine_sweep.image",
         "png": "comptine_sweep.image"}  # fmt: skip
LOOK_S = 1.5
MAX_SEEDS = 100


@dataclass(frozen=True)
class Sweeps:
    """The components; `boxes` are the form by factor, `files` the download buttons by kind."""

    boxes: Mapping[str, Any]
    estimate: gr.HTML
    start: gr.Button
    cancel: gr.Button
    progress: gr.HTML
    choose: gr.Dropdown
    resume: gr.Button
    view: gr.Radio
    help: gr.HTML
    depth: gr.Checkbox
    plot: gr.Plot
    table: gr.HTML
    files: Mapping[str, gr.Button]
    effective: gr.HTML
    first: gr.Dropdown
    second: gr.Dropdown
    metric: gr.Dropdown
    compared: gr.HTML
    clock: gr.Timer
    seen: gr.State
    shown: gr.Column

    @property
    def written(self) -> list[Any]:
        """What a look at a sweep writes."""
        return [self.start, self.cancel, self.progress, self.choose, self.resume, self.help, self.depth, self.plot,
                self.table, self.effective, self.first, self.second, self.clock, self.seen, self.shown]  # fmt: skip


def sweeps(ui: Ui) -> Sweeps:
    """Lay them out."""
    t = ui.t
    boxes = _form(ui)
    estimate = gr.HTML(elem_id="sweep-estimate", elem_classes="atelier-slot")
    with gr.Row():
        start = gr.Button(t("comptine_sweep.start"), variant="primary", min_width=150, elem_id="sweep-start")
        cancel = gr.Button(t("comptine_sweep.cancel"), variant="stop", min_width=150, visible="hidden",
                           elem_id="sweep-cancel")  # fmt: skip
    progress = gr.HTML(elem_id="sweep-progress", elem_classes="atelier-slot")
    with gr.Accordion(t("comptine_sweep.earlier"), open=False), gr.Row(equal_height=True):
        choose = gr.Dropdown([], value=None, label=t("comptine_sweep.choose"), elem_id="sweep-choose", min_width=240)
        resume = gr.Button(t("comptine_sweep.resume"), size="sm", min_width=120, elem_id="sweep-resume")
    with gr.Column(visible=False) as shown:
        views = [(t(f"comptine_sweep.{view}"), view) for view in VIEWS]
        view = gr.Radio(views, value=VIEWS[0], show_label=False, label=t("comptine_sweep.heat_map"), container=False,
                        elem_id="sweep-view")  # fmt: skip
        explained = gr.HTML(elem_classes="atelier-note")
        depth = gr.Checkbox(False, label=t("comptine_sweep.depth"), container=False)
        plot = gr.Plot(label=t("comptine_sweep.heat_map"), show_label=False, elem_id="sweep-plot")
        table = gr.HTML(elem_id="sweep-table", elem_classes="atelier-slot")
        with gr.Row():
            files = {kind: gr.Button(f"⤓ {kind.upper()}", size="sm", min_width=80, elem_id=f"sweep-{kind}")
                     for kind in FILES}  # fmt: skip
        effective = gr.HTML(elem_id="sweep-effective")
        first, second, metric, compared = _compare(ui)
    return Sweeps(boxes, estimate, start, cancel, progress, choose, resume, view, explained, depth, plot, table, files,
                  effective, first, second, metric, compared, gr.Timer(LOOK_S, active=False),
                  gr.State(("", -1, "", False)), shown)  # fmt: skip


def _form(ui: Ui) -> dict[str, Any]:
    t = ui.t

    def text(name: str, value: str, help_key: str) -> gr.Textbox:
        return gr.Textbox(value, label=t(f"comptine_sweep.{name}"), info=t(f"comptine_sweep.{help_key}"), max_lines=1,
                          min_width=150, elem_id=f"sweep-{name}")  # fmt: skip

    def several(name: str, label: str, choices: list[tuple[str, Any]], value: list[Any]) -> gr.Dropdown:
        return gr.Dropdown(choices, value=value, multiselect=True, label=t(label), min_width=200,
                           elem_id=f"sweep-{name}")  # fmt: skip

    def named(table: str, known: tuple[str, ...]) -> list[tuple[str, str]]:
        return [(t(f"{table}.{one}"), one) for one in known]

    with gr.Row():
        boxes: dict[str, Any] = {"verses": text("verses", "5,10,20,30,50", "lists_help"),
                                 "ranges": text("ranges", "1-10", "ranges_help")}  # fmt: skip
        boxes["seeds"] = gr.Number(3, precision=0, label=t("comptine_sweep.seeds"), info=t("comptine_sweep.seeds_help"),
                                   min_width=110, elem_id="sweep-seeds")  # fmt: skip
    with gr.Row():
        boxes["variants"] = several("variants", "comptine_sweep.variants", named("comptine.variants", VARIANTS),
                                    ["names"])  # fmt: skip
        boxes["windows"] = text("windows", "", "windows_help")
    with gr.Accordion(t("comptine_sweep.more"), open=False):
        with gr.Row():
            boxes["shots"] = several("shots", "comptine_sweep.shots", [("0", 0), ("1", 1)], [0])
            boxes["places"] = several("places", "comptine_sweep.places", named("comptine.places", PLACES), ["after"])
            boxes["languages"] = several("languages", "comptine.language", named("language", LANGUAGES), ["fr"])
        with gr.Row():
            models = [(card.name, card.id) for card in ui.engine.models(role_of(ui)) if not card.problem]
            boxes["models"] = several("models", "comptine_sweep.models", models, [])
            boxes["policy"] = gr.Dropdown(named("comptine.policies", OVERFLOW_POLICIES), value=OVERFLOW_POLICIES[0],
                                          min_width=200, label=t("comptine.policy"),
                                          elem_id="sweep-policy")  # fmt: skip
            boxes["strict"] = gr.Checkbox(False, label=t("comptine.strict"), info=t("comptine_sweep.strict_help"),
                                          elem_id="sweep-strict")  # fmt: skip
    return boxes


def _compare(ui: Ui) -> tuple[gr.Dropdown, gr.Dropdown, gr.Dropdown, gr.HTML]:
    t = ui.t
    with gr.Accordion(t("comptine_sweep.compare"), open=False, elem_id="sweep-compare"):
        with gr.Row():
            first, second = (
                gr.Dropdown([], value=None, label=t(f"comptine_sweep.compare_{name}"), min_width=200)
                for name in ("first", "second")
            )
            metrics = [(t(f"comptine.metric_name.{name}"), name) for name in (*RATES, "obedience")]
            metric = gr.Dropdown(metrics, value=RATES[0], label=t("comptine_sweep.compare_metric"), min_width=150)
        compared = gr.HTML(elem_id="sweep-compared", elem_classes="atelier-slot")
    return first, second, metric, compared


def sweep_of(boxes: Mapping[str, Any], values: Mapping[Any, Any], model: str) -> Sweep:
    """The sweep that the form asks for, of the page's model unless it names others. Raises BadInput."""
    held = {name: values[box] for name, box in boxes.items()}
    seeds = int(held["seeds"] or 0)
    if not 1 <= seeds <= MAX_SEEDS:
        raise BadInput(f"1 to {MAX_SEEDS} seeds", where="seeds", reason=str(seeds))
    several = {name: held[name] for name in ("variants", "shots", "places", "languages") if held[name]}
    return Sweep.of({
        **several,
        "verses": _parts(held["verses"]),
        "ranges": [re.split(r"\s*[-–:]\s*", part) for part in _parts(held["ranges"])],
        "windows": _parts(held["windows"]) or [None],
        "models": held["models"] or [model or None],
        "seeds": range(1, seeds + 1),
        "policy": held["policy"],
    })  # fmt: skip


def _parts(text: str | None) -> list[str]:
    return [part for part in re.split(r"[,;\s]+", (text or "").strip()) if part]
