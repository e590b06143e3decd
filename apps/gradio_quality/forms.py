"""The forms of the four tabs as components, and the job that each asks for. Knows no event."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps.gradio_documents.uploads import read_all
from apps.gradio_kit import Ui
from apps.ui.quality import EXAMPLES, MIXES, PLANS, QUICK, SETS, TABLES, WINDOWS, documents, example_text, numbers
from engine.errors import BadInput
from engine.jobs import Job
from engine.person import Person
from engine.quality import asking
from engine.quality.evaluating import METHODS, Method
from engine.quality.quantizations import KINDS
from engine.quality.results import Kind
from engine.quality.windows import WINDOW
from engine.runtime.load import KV_TYPES

Boxes = Mapping[str, Any]
Held = Mapping[str, Any]
LINE: dict[str, Any] = {"max_lines": 1, "min_width": 150}


def text(ui: Ui) -> Boxes:
    """A text of one's own or a file's."""
    t = ui.t
    boxes: dict[str, Any] = {
        "text": gr.Textbox("", label=t("quality_text.text"), info=t("quality_text.text_help"), lines=4, max_lines=10,
                           elem_id="quality-text")
    }  # fmt: skip
    with gr.Accordion(t("quality.more"), open=False):
        boxes["file"] = gr.File(file_types=[".txt", ".md"], height=120, label=t("quality.text_file"))
        boxes["window"] = _window(ui)
    return boxes


def kinds(ui: Ui) -> Boxes:
    """The number formats; a teacher's."""
    t = ui.t
    boxes: dict[str, Any] = {
        "kinds": gr.CheckboxGroup(list(KINDS), value=["Q8_0", "Q4_K_M", "Q2_K"], label=t("quality_kinds.kinds"),
                                  info=t("quality_kinds.kinds_help"), elem_id="quality-kinds")
    }  # fmt: skip
    with gr.Accordion(t("quality.more"), open=False):
        boxes["text"] = gr.Textbox("", label=t("quality_kinds.text"), info=t("quality_kinds.text_help"), lines=3,
                                   max_lines=10)  # fmt: skip
        boxes["window"] = _window(ui)
    return boxes


def speed(ui: Ui) -> Boxes:
    """What to read and write, after how much."""
    t, boxes = ui.t, dict[str, Any]()
    with gr.Row():
        for name, value in (("prompts", "512"), ("generated", "128"), ("depths", "0")):
            info = t("quality_speed.depths_help") if name == "depths" else t("quality.numbers")
            boxes[name] = gr.Textbox(value, label=t(f"quality_speed.{name}"), info=info, elem_id=f"quality-{name}",
                                     **LINE)  # fmt: skip
        boxes["repetitions"] = gr.Number(5, precision=0, label=t("quality_speed.repetitions"), min_width=120)
    with gr.Accordion(t("quality.more"), open=False), gr.Row():
        threads = str(ui.engine.settings.threads)
        boxes["threads"] = gr.Textbox(threads, label=t("quality_speed.threads"), info=t("quality.numbers"), **LINE)
        boxes["batches"] = gr.Textbox("2048", label=t("quality_speed.batches"), info=t("quality.numbers"), **LINE)
        boxes["kv_types"] = gr.Dropdown(list(KV_TYPES), value=["f16"], multiselect=True, label=t("quality_speed.kv"))
    return boxes


def questions(ui: Ui) -> Boxes:
    """Our questions or a file's, and how they are judged."""
    t = ui.t
    sets = [(t(f"quality_questions.sets.{one}"), one) for one in SETS]
    methods = [(t(f"quality_questions.method.{one}"), one) for one in METHODS]
    with gr.Row():
        boxes: dict[str, Any] = {
            "set": gr.Radio(sets, value=ui.lang, label=t("quality_questions.set"), min_width=200,
                            info=t("quality_questions.set_help"), elem_id="quality-set"),
            "methods": gr.CheckboxGroup(methods, value=list(METHODS), label=t("quality_questions.methods"),
                                        info=t("quality_questions.methods_help"), min_width=200),
        }  # fmt: skip
    with gr.Accordion(t("quality.more"), open=False), gr.Row():
        boxes["file"] = gr.File(file_types=[".jsonl"], height=120, label=t("quality_questions.file"))
        boxes["limit"] = gr.Number(asking.ITEMS_MAX, precision=0, label=t("quality_questions.limit"),
                                   info=t("quality_questions.limit_help"), min_width=140)  # fmt: skip
    return boxes


FORMS = {"perplexity": text, "quantizations": kinds, "speed": speed, "evaluation": questions}


def examples(ui: Ui, kind: Kind) -> dict[str, gr.Button]:
    """Three buttons, each of which measures something."""
    with gr.Row():
        return {
            name: gr.Button(ui.t(f"{TABLES[kind]}.example.{name}"), size="sm", min_width=140,
                            elem_id=f"quality-example-{kind}-{name}")
            for name in EXAMPLES[kind]
        }  # fmt: skip


def _window(ui: Ui) -> gr.Dropdown:
    return gr.Dropdown([(ui.words.number(size), size) for size in WINDOWS], value=WINDOW, label=ui.t("quality.window"),
                       info=ui.t("quality.window_help"), min_width=140)  # fmt: skip


def ask(ui: Ui, kind: Kind, person: Person, model: str, held: Held) -> Job:
    """The job of what a form holds. Raises EngineError."""
    engine = ui.engine
    if kind == "perplexity":
        return asking.ask_text(engine, person, _text(held), model, _size(held))
    if kind == "quantizations":
        own = str(held["text"] or "").strip() or documents()
        return asking.ask_quantizations(engine, person, own, list(held["kinds"] or ()), model, _size(held))
    if kind == "speed":
        return asking.ask_speed(engine, person, _plan(held), model)
    source: str | bytes = str(held["set"])
    name = ""
    if source == "file":
        ((name, source),) = read_all([held["file"]]) if held["file"] else (("", b""),)
    methods = _methods(ui, model, held["methods"] or ())
    limit = max(1, int(held["limit"] or asking.ITEMS_MAX))
    return asking.ask_questions(engine, person, source, model, methods, name=name, limit=limit)


def ask_example(ui: Ui, kind: Kind, name: str, person: Person, model: str) -> Job:
    """The job of an example. Raises EngineError."""
    engine = ui.engine
    if kind == "perplexity":
        return asking.ask_text(engine, person, example_text(name, ui.words), model)
    if kind == "quantizations":
        return asking.ask_quantizations(engine, person, documents(), MIXES[name] or KINDS, model)
    if kind == "speed":
        return asking.ask_speed(engine, person, PLANS[name], model)
    if name == "quick":
        return asking.ask_questions(engine, person, ui.lang, model, _methods(ui, model, METHODS[:1]), limit=QUICK)
    return asking.ask_questions(engine, person, name, model)


def _methods(ui: Ui, model: str, chosen: Any) -> tuple[Method, ...]:
    """The methods chosen that the model has: into a remote one nobody can look."""
    local = ui.engine.catalog.card(model).backend == "llamacpp"
    return tuple(one for one in METHODS if one in chosen and (local or one == "answer"))


def _text(held: Held) -> str:
    if not held["file"]:
        return str(held["text"] or "")
    ((name, data),) = read_all([held["file"]])
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadInput(f"{name} is not UTF-8", reason="content_type") from error


def _size(held: Held) -> int:
    return int(held["window"] or WINDOW)


def _plan(held: Held) -> dict[str, Any]:
    names = ("prompts", "generated", "depths", "threads", "batches")
    lists = {name: numbers(str(held[name] or "")) for name in names}
    return {**lists, "kv_types": list(held["kv_types"] or ("f16",)), "repetitions": int(held["repetitions"] or 1)}
