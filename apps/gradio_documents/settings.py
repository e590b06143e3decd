"""How passages are looked for, as components: a few in sight, the rarer ones folded; and what they hold.

Knows no event but that of the address.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui
from apps.ui.documents import ADDRESS, NONE, START, USUAL, retrieval_of
from engine.rag.collections import Collection
from engine.rag.retrieval import default
from engine.rag.rows import CollectionFile
from engine.rag.values import ARMS, FUSIONS, Retrieval

Values = Mapping[Any, Any]
OWN = "own"  # a threshold of one's own, on the slider
THRESHOLDS = (USUAL, NONE, OWN)
OWN_START = 0.8
_KEPT = ("arm", "k", "candidates", "fusion", "weight", "threshold", "diversity", "neighbours")


@dataclass(frozen=True)
class Settings:
    """The components by the names of `apps.ui.documents.START`; `own` is the slider of a threshold of one's own."""

    boxes: Mapping[str, Any]
    own: gr.Slider
    reset: gr.Button

    @property
    def all(self) -> list[Any]:
        """Every control."""
        return [*self.boxes.values(), self.own]

    def told(self, values: Values) -> dict[str, Any]:
        """What they hold; an emptied field holds what it started with."""
        held = {name: values[box] for name, box in self.boxes.items()}
        held = {name: START[name] if value in (None, "") else value for name, value in held.items()}
        if held["threshold"] == OWN:
            held["threshold"] = values[self.own]
        return {**START, **held, "reranker": held["reranker"] or None, "files": tuple(held["files"] or ())}

    def retrieval(self, values: Values, one: Collection, files: tuple[CollectionFile, ...]) -> Retrieval:
        """What they ask for in that collection."""
        held, known = self.told(values), {file.id for file in files}
        held["files"] = tuple(file for file in held["files"] if file in known)
        return retrieval_of(held, one.embedder)

    def shown(self, held: Mapping[str, Any]) -> dict[Any, Any]:
        """Updates that show these values."""
        threshold = held["threshold"]
        own = threshold not in (USUAL, NONE)
        updates: dict[Any, Any] = {self.boxes[name]: held[name] for name in _KEPT if name != "threshold"}
        updates[self.boxes["threshold"]] = OWN if own else threshold
        updates[self.own] = gr.Slider(value=threshold if own else OWN_START, visible=True if own else "hidden")
        return updates


def settings(ui: Ui, rerankers: tuple[str, ...]) -> Settings:
    """Lay them out, folded."""
    t = ui.t
    boxes: dict[str, Any] = {}

    def choice(name: str, known: list[tuple[str, str]]) -> None:
        boxes[name] = gr.Dropdown(known, value=START[name] or "", **_named(ui, name))

    def slider(name: str, low: float, high: float, step: float) -> None:
        boxes[name] = gr.Slider(low, high, value=START[name], step=step, **_named(ui, name))

    with gr.Accordion(t("documents_search.settings"), open=False, elem_id="documents-settings"):
        with gr.Row():
            arms = [arm for arm in ARMS if arm != "rerank" or rerankers]
            choice("arm", [(t(f"documents_search.arms.{arm}"), arm) for arm in arms])
            slider("k", 1, 100, 1)
            limits = [(_threshold(ui, kind), kind) for kind in THRESHOLDS]
            choice("threshold", limits)
            boxes["files"] = gr.Dropdown([], value=[], multiselect=True, label=t("documents_search.files"),
                                         info=t("documents_search.all_files"), min_width=150,
                                         elem_id="documents-in-files")  # fmt: skip
        own = gr.Slider(0, 1.1, value=OWN_START, step=0.005, label=t("documents_search.threshold"), visible="hidden")
        with gr.Accordion(t("documents_search.more"), open=False):
            with gr.Row():
                choice("fusion", [(t(f"documents_search.fusions.{one}"), one) for one in FUSIONS])
                slider("weight", 0, 1, 0.05)
                slider("diversity", 0, 1, 0.05)
            with gr.Row():
                slider("neighbours", 0, 10, 1)
                slider("candidates", 1, 1000, 1)
                choice("reranker", [(t("documents_search.no_reranker"), ""), *((one, one) for one in rerankers)])
            reset = gr.Button(t("documents_search.reset"), size="sm")
    return Settings(boxes, own, reset)


def rerankers(ui: Ui) -> tuple[str, ...]:
    """Those of this machine."""
    from engine.rag.rerank import rerankers as known

    return known(ui.engine)


def _named(ui: Ui, name: str) -> dict[str, Any]:
    told = {"label": ui.t(f"documents_search.{name}"), "info": ui.t(f"documents_search.{name}_help")}
    return {**told, "elem_id": f"documents-{name}", "min_width": 150}


def _threshold(ui: Ui, kind: str) -> str:
    if kind == USUAL:
        from engine.rag.embedders import default_embedder

        usual = default(default_embedder()).threshold
        return ui.t("documents_search.thresholds.usual", value=ui.words.number(usual, 2))
    return ui.t(f"documents_search.thresholds.{kind}")


# The address follows the controls without a round trip; no text travels.
_KEEP = """(...values) => {{ const url = new URL(location.href), names = {names}, starts = {starts};
const own = values.pop(); if (values[names.indexOf("threshold")] === "own") values[names.indexOf("threshold")] = own;
names.forEach((name, at) => {{ const value = values[at] === null || values[at] === undefined ? "" : String(values[at]);
  if (value === "" || value === starts[at]) url.searchParams.delete(name); else url.searchParams.set(name, value); }});
if (url.href !== location.href) history.replaceState(null, "", url); }}"""


def keep_in_address(boxes: Mapping[str, Any], own: gr.Slider) -> None:
    """What differs from the start stands in the page's address; `boxes` by value name."""
    names = {name: value for name, (value, _) in ADDRESS.items() if value in boxes}
    starts = ["" if START[value] is None else f"{START[value]:g}" if isinstance(START[value], float)
              else str(START[value]) for value in names.values()]  # fmt: skip
    kept = [*(boxes[value] for value in names.values()), own]
    js = _KEEP.format(names=json.dumps(list(names)), starts=json.dumps(starts))
    gr.on([box.input for box in kept], None, kept, None, js=js)
