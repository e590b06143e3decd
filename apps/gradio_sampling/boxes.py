"""The controls of the tab: those of the left column that matter most here, the order, the form. Knows no handler."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps.gradio_kit import Sidebar, Ui
from apps.ui.controls import Control, controls
from apps.ui.sampling import ADDRESS, ORDERS, SEED, START
from engine.output import KINDS

FIRST = ("temperature", "top_k", "top_p", "min_p")
MORE = (
    "typical_p", "top_n_sigma", "xtc_probability", "xtc_threshold", "dry_multiplier", "dry_base", "dry_allowed_length",
    "repeat_penalty", "repeat_last_n", "presence_penalty", "frequency_penalty", "dynatemp_range", "mirostat",
    "mirostat_tau", "mirostat_eta",
)  # fmt: skip
SECOND = tuple(f"{name}2" for name in FIRST)
Boxes = Mapping[str, Any]


def first(ui: Ui) -> dict[str, Any]:
    """The five that act most, in one line: parameters by name."""
    with gr.Row():
        found = {row.name: control(ui, row) for row in controls(ui.lang, FIRST)}
        (row,) = controls(ui.lang, ("seed",))
        found["seed"] = gr.Textbox("", label=row.label, info=row.help, placeholder=str(SEED), max_lines=1,
                                   min_width=130, elem_id="sampling-seed")  # fmt: skip
    return found


def more(ui: Ui) -> tuple[dict[str, Any], dict[str, Any]]:
    """The others: parameters by name; then the form of the answer, by value name."""
    t = ui.t
    with gr.Row():
        found = {row.name: control(ui, row) for row in controls(ui.lang, MORE)}
    kinds = [(t(f"sampling.form_{kind}"), kind) for kind in KINDS]
    form = {
        "kind": gr.Dropdown(kinds, value=START["kind"], label=t("sampling.form"), info=t("sampling.form_help"),
                            elem_id="sampling-kind"),
        "source": gr.Textbox(START["source"], label=t("sampling.form_source"), lines=4, max_lines=12, visible="hidden",
                             max_length=20_000, elem_id="sampling-source"),
    }  # fmt: skip
    return found, form


def order(ui: Ui, name: str = "order") -> gr.Radio:
    """In which order the samplers act."""
    orders = [(ui.t(f"sampling.orders_{one}"), one) for one in ORDERS]
    return gr.Radio(orders, value=START[name], label=ui.t("sampling.order"), info=ui.t("sampling.order_help"),
                    min_width=200, elem_id=f"sampling-{name}")  # fmt: skip


def second(ui: Ui) -> dict[str, Any]:
    """The second setting, by value name."""
    found: dict[str, Any] = {"order2": order(ui, "order2")}
    with gr.Row():
        for row in controls(ui.lang, FIRST):
            found[f"{row.name}2"] = control(ui, row, "2", START[f"{row.name}2"])
    return found


def control(ui: Ui, row: Control, suffix: str = "", value: Any = None) -> Any:
    """One parameter as a widget of this tab."""
    start = row.value if value is None else value
    shared: dict[str, Any] = {"label": row.label, "info": row.help, "value": start, "min_width": 130}
    shared["elem_id"] = f"sampling-{row.name}{suffix}"
    if row.kind == "slider":
        return gr.Slider(row.low, row.high, step=row.step, **shared)
    if row.kind == "choice":
        return gr.Dropdown(list(row.choices), **shared)
    return gr.Number(minimum=row.low, maximum=row.high, precision=0 if row.whole else None, **shared)


# A control of this tab and that of the left column are one value: the left one holds it, and the address follows.
_OUT = """(value) => {{ const url = new URL(location.href);
if (String(value ?? "") === {start}) url.searchParams.delete({name}); else url.searchParams.set({name}, String(value));
history.replaceState(null, "", url); return value; }}"""
_SAME = "(value) => value"
_KEEP = """(...values) => {{ const url = new URL(location.href), names = {names}, starts = {starts};
names.forEach((name, at) => {{ if (values[at] === starts[at]) url.searchParams.delete(name);
  else url.searchParams.set(name, String(values[at])); }});
if (url.href !== location.href) history.replaceState(null, "", url); }}"""


def mirror(bar: Sidebar, boxes: Boxes) -> None:
    """Have the controls say what the left column says, and the other way round."""
    for name, box in boxes.items():
        left = bar.params[name]
        start = "" if left.value is None else str(left.value)
        js = _OUT.format(name=json.dumps(name), start=json.dumps(start.removesuffix(".0")))
        box.input(None, box, left, js=js)
        left.change(None, left, box, js=_SAME)


def keep_in_address(boxes: Boxes) -> None:
    """What differs from the start stands in the page's address; no text travels."""
    kept = [boxes[own] for own, _ in ADDRESS.values()]
    starts = [str(START[own]) for own, _ in ADDRESS.values()]
    js = _KEEP.format(names=json.dumps(list(ADDRESS)), starts=json.dumps(starts))
    gr.on([box.change for box in kept], None, kept, None, js=js)
