"""The controls of rhyme and question: their components, and what they hold as the values of a cell. Knows no event."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui
from apps.ui.comptine_cell import ADDRESS, AUTO, START, WINDOWS
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import KINDS, PLACES
from engine.comptine.rhyme import LANGUAGES, VARIANTS

OWN = "*"  # the prefix that stands in a text box of its own
Boxes = Mapping[str, Any]


def rhyme(ui: Ui) -> dict[str, Any]:
    """What makes the rhyme, by value name."""
    t = ui.t
    with gr.Row():
        boxes: dict[str, Any] = {
            "n": _whole(ui, "n", help_key="n_help"),
            "variant": _choice(ui, "variant", VARIANTS, "variants", help_key="variant_help"),
            "rhyme": gr.Dropdown([(t(f"language.{one}"), one) for one in LANGUAGES], value=START["rhyme"],
                                 label=t("comptine.language"), min_width=140, elem_id="comptine-rhyme"),
            "seed": _whole(ui, "seed", help_key="seed_help"),
        }  # fmt: skip
    return boxes


def question(ui: Ui) -> dict[str, Any]:
    """What is asked, by value name; the rarer part is folded."""
    t = ui.t
    with gr.Row():
        boxes: dict[str, Any] = {
            "kind": _choice(ui, "kind", KINDS, "kinds"),
            "first": _whole(ui, "first"),
            "last": _whole(ui, "last"),
        }
    boxes["text"] = gr.Textbox("", label=t("comptine.text"), info=t("comptine.text_help"), lines=2, visible="hidden",
                               elem_id="comptine-text")  # fmt: skip
    with gr.Accordion(f"{t('comptine.shots')} · {t('comptine.place')} · {t('comptine.prefix')}", open=False):
        with gr.Row():
            boxes["shots"] = gr.Checkbox(False, label=t("comptine.shots"), info=t("comptine.shots_help"),
                                         elem_id="comptine-shots")  # fmt: skip
            boxes["place"] = _choice(ui, "place", PLACES, "places")
            prefixes = [(t("comptine.prefixes.none"), ""), (t("comptine.prefixes.auto"), AUTO),
                        (t("comptine.prefixes.own"), OWN)]  # fmt: skip
            boxes["prefix"] = gr.Dropdown(prefixes, value="", label=t("comptine.prefix"), min_width=140,
                                          info=t("comptine.prefix_help"), elem_id="comptine-prefix")  # fmt: skip
        boxes["prefix_text"] = gr.Textbox("", label=t("comptine.prefix_text"), visible="hidden", max_lines=1,
                                          elem_id="comptine-prefix-text")  # fmt: skip
    return boxes


def window(ui: Ui) -> dict[str, Any]:
    """The window and what happens beyond it, by value name."""
    t = ui.t
    sizes = [(t("comptine.window_own"), ""), *((ui.words.number(size), str(size)) for size in WINDOWS)]
    return {
        "window": gr.Dropdown(sizes, value="", allow_custom_value=True, label=t("comptine.window"), min_width=140,
                              info=t("comptine.window_help"), elem_id="comptine-window"),
        "policy": _choice(ui, "policy", OVERFLOW_POLICIES, "policies", help_key="policy_help"),
    }  # fmt: skip


def settings(ui: Ui) -> dict[str, Any]:
    """How the run is made, by value name."""
    t = ui.t
    with gr.Row():
        return {
            "temperature": gr.Slider(0, 2, START["temperature"], step=0.1, label=t("comptine.temperature"),
                                     info=t("comptine.temperature_help"), elem_id="comptine-temperature"),
            "strict": gr.Checkbox(False, label=t("comptine.strict"), info=t("comptine.strict_help"),
                                  elem_id="comptine-strict"),
        }  # fmt: skip


def _whole(ui: Ui, name: str, *, help_key: str | None = None) -> gr.Number:
    info = ui.t(f"comptine.{help_key}") if help_key else None
    # no bounds here: Gradio would complain in English, the engine does it in a sentence
    return gr.Number(START[name], precision=0, label=ui.t(f"comptine.{name}"), info=info, min_width=110,
                     elem_id=f"comptine-{name}")  # fmt: skip


def _choice(ui: Ui, name: str, known: tuple[str, ...], table: str, *, help_key: str | None = None) -> gr.Dropdown:
    info = ui.t(f"comptine.{help_key}") if help_key else None
    return gr.Dropdown([(ui.t(f"comptine.{table}.{one}"), one) for one in known], value=START[name], min_width=140,
                       label=ui.t(f"comptine.{name}"), info=info, elem_id=f"comptine-{name}")  # fmt: skip


def told(boxes: Boxes, values: Mapping[Any, Any]) -> dict[str, Any]:
    """The values that the controls hold, as `cell_of` takes them."""
    held = {name: values[box] for name, box in boxes.items()}
    own, _ = held.pop("prefix_text") or "", held.pop("strict")
    held["prefix"] = own if held["prefix"] == OWN else held["prefix"] or ""
    held["window"] = "".join(sign for sign in str(held["window"] or "") if sign.isdigit()) or None
    return {**START, **{name: START[name] if value is None else value for name, value in held.items() if name in START},
            "window": held["window"]}  # fmt: skip


def shown(boxes: Boxes, values: Mapping[str, Any]) -> dict[Any, Any]:
    """What the controls show for these values."""
    own = values["prefix"] not in ("", AUTO)
    updates: dict[Any, Any] = {boxes[name]: value for name, value in values.items() if name in boxes}
    updates[boxes["shots"]] = bool(values["shots"])
    updates[boxes["window"]] = str(values["window"] or "")
    updates[boxes["prefix"]] = OWN if own else values["prefix"]
    return updates | fields(boxes, values["kind"], OWN if own else values["prefix"], values)


def fields(boxes: Boxes, kind: str, prefix: str, values: Mapping[str, Any] | None = None) -> dict[Any, Any]:
    """The text boxes that this kind of question and this prefix need; the others are hidden."""
    known: dict[str, Any] = {} if values is None else {"text": values["text"], "prefix": values["prefix"]}
    text = {"value": known["text"]} if known else {}
    own = {"value": known["prefix"]} if known and prefix == OWN else {}
    return {
        boxes["text"]: gr.Textbox(visible=True if kind == "custom" else "hidden", **text),
        boxes["prefix_text"]: gr.Textbox(visible=True if prefix == OWN else "hidden", **own),
    }


# The address follows the controls without a round trip; no text travels.
_KEEP = """(...values) => {{ const url = new URL(location.href), names = {names}, starts = {starts};
names.forEach((name, at) => {{ let value = values[at] ?? ""; if (typeof value === "boolean") value = value ? "1" : "0";
  value = String(value); if (value === "*" || value === starts[at]) url.searchParams.delete(name);
  else url.searchParams.set(name, value); }});
if (url.href !== location.href) history.replaceState(null, "", url); }}"""


def keep_in_address(boxes: Boxes) -> None:
    """What differs from the start stands in the page's address."""
    kept = [boxes[own] for own, _ in ADDRESS.values()]
    starts = ["" if START[own] is None else str(START[own]) for own, _ in ADDRESS.values()]
    js = _KEEP.format(names=json.dumps(list(ADDRESS)), starts=json.dumps(starts))
    gr.on([box.change for box in kept], None, kept, None, js=js)
