"""The components of the tab, from top to bottom. Knows no event."""

from __future__ import annotations

from typing import Any

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_components import scored_strip, waterfall
from apps.gradio_kit import Ui
from apps.gradio_sampling import boxes
from apps.ui.sampling import KINDS, START, WAYS

LONGEST = 60_000  # characters; what is too long for the window is refused with the numbers
VIEWS = ("waterfall", "two", "grid")
FILES = ("json", "svg", "csv")
Made = dict[str, Any]


def asked(ui: Ui, made: Made) -> None:
    """The text and how it is read; three examples."""
    t = ui.t
    with gr.Accordion(t("sampling.prompt"), open=True, elem_id="sampling-asked") as made["asked"]:
        made["text"] = gr.Textbox("", label=t("sampling.prompt"), show_label=False, lines=2, max_lines=8,
                                  max_length=LONGEST, elem_id="sampling-text")  # fmt: skip
        with gr.Row():
            ways = [(t(f"sampling.{way}"), way) for way in WAYS]
            made["way"] = gr.Radio(ways, value=START["way"], label=t("sampling.way"), info=t("sampling.way_help"),
                                   min_width=240, elem_id="sampling-way")  # fmt: skip
            made["look"] = gr.Button(t("sampling.look"), variant="primary", min_width=160, scale=0,
                                     elem_id="sampling-look")  # fmt: skip
        made["examples"] = act_bar("sampling-examples")
    made["alert"], made["progress"] = (gr.HTML(elem_classes="atelier-slot") for _ in range(2))


def settings(ui: Ui, made: Made) -> None:
    """The five settings in sight, the others folded."""
    made["params"] = boxes.first(ui)
    with gr.Accordion(ui.t("sampling.more"), open=False, elem_id="sampling-more"):
        others, made["form"] = boxes.more(ui)
        made["params"] |= others
    made["less"] = gr.HTML(elem_classes="atelier-slot")


def steps(ui: Ui, made: Made) -> None:
    """The buttons that write, and the order."""
    with gr.Row(equal_height=True):
        for name, look in (("step", "primary"), ("run", "secondary"), ("back", "secondary"), ("draw", "secondary")):
            made[name] = _button(ui, name, variant=look)
        made["stop"] = gr.Button(ui.t("sampling.grid_stop"), variant="stop", size="sm", min_width=100,
                                 visible="hidden", elem_id="sampling-stop")  # fmt: skip
    made["order"] = boxes.order(ui)


def views(ui: Ui, made: Made) -> None:
    """Waterfall, two settings, grid."""
    made["view"], made["tabs"] = gr.State(VIEWS[0]), {}
    with gr.Tabs(elem_id="sampling-tabs"):
        for name in VIEWS:
            made["tabs"][name] = gr.Tab(ui.t(f"sampling.tab_{name}"), id=name)
    with made["tabs"]["waterfall"]:
        made["waterfall"] = waterfall(elem_id="sampling-waterfall")
        made["told"], made["draws"] = (gr.HTML(elem_id=f"sampling-{name}", elem_classes="atelier-slot")
                                       for name in ("told", "draws"))  # fmt: skip
        with gr.Accordion(ui.t("sampling.table"), open=False):
            made["table"] = gr.HTML()
    with made["tabs"]["two"]:
        made["second"] = boxes.second(ui)
        made["compared"] = gr.HTML(elem_id="sampling-compared", elem_classes="atelier-slot")
        with gr.Row(equal_height=False):
            for name, title in (("one", "first_setting"), ("other", "second_setting")):
                with gr.Column(min_width=300):
                    gr.HTML(f"<p>{ui.t(f'sampling.{title}')}</p>")
                    made[name] = waterfall(elem_id=f"sampling-{name}")
    with made["tabs"]["grid"]:
        _grid(ui, made)


def _grid(ui: Ui, made: Made) -> None:
    t = ui.t
    with gr.Row(equal_height=True):
        made["samples"] = gr.Slider(1, 10, START["samples"], step=1, label=t("sampling.grid_samples"), min_width=160,
                                    elem_id="sampling-samples")  # fmt: skip
        made["tokens"] = gr.Slider(2, 24, START["tokens"], step=1, label=t("sampling.grid_tokens"), min_width=160,
                                   info=t("sampling.grid_help"), elem_id="sampling-tokens")  # fmt: skip
        made["fill"] = gr.Button(
            t("sampling.grid_start"), variant="primary", min_width=140, scale=0, elem_id="sampling-fill"
        )
        made["halt"] = gr.Button(t("sampling.grid_stop"), variant="stop", min_width=140, scale=0,
                                 visible="hidden", elem_id="sampling-halt")  # fmt: skip
    made["files"] = {"grid": gr.Button(f"⤓ {t('sampling.export_csv')}", size="sm", min_width=130)}
    made["filling"] = gr.HTML(elem_classes="atelier-slot")
    made["cells"] = gr.HTML(elem_id="sampling-cells", elem_classes="atelier-slot")


def written(ui: Ui, made: Made) -> None:
    """The text so far, the tree, what can be taken away."""
    t = ui.t
    made["prompt"] = gr.HTML(elem_id="sampling-prompt")
    made["strip"] = scored_strip(elem_id="sampling-strip")
    made["ended"] = gr.HTML(elem_classes="atelier-slot")
    with gr.Accordion(t("sampling.tree"), open=False, elem_id="sampling-branches"):
        made["tree"] = act_bar("sampling-tree")
    with gr.Row():
        made["files"] |= {name: gr.Button(f"⤓ {t(f'sampling.export_{name}')}", size="sm", min_width=130,
                                         elem_id=f"sampling-{name}") for name in FILES}  # fmt: skip
    made["runtime"] = gr.HTML(elem_id="sampling-runtime", elem_classes="atelier-slot")
    with gr.Accordion(t("sampling.differs"), open=False, elem_id="sampling-differs"):
        gr.HTML(f"<p>{t('sampling.differs_text')}</p>")
        made["served"] = gr.Button(t("sampling.served"), size="sm", elem_id="sampling-served")
        made["gap"] = gr.HTML(elem_classes="atelier-slot", elem_id="sampling-gap")


def under(ui: Ui, made: Made) -> None:
    """Going on with a session, what each stage does, the exercises."""
    t = ui.t
    made["resumed"] = gr.UploadButton(t("sampling.import_json"), file_types=[".json"], size="sm", scale=0,
                                      elem_id="sampling-import")  # fmt: skip
    with gr.Accordion(t("sampling.what"), open=False):
        kinds = "".join(f"<li><strong>{t(f'sampling.kind.{kind}')}</strong>: {t(f'sampling.does.{kind}')}</li>"
                        for kind in KINDS)  # fmt: skip
        gr.HTML(f"<ul>{kinds}</ul>")
    with gr.Accordion(t("sampling.exercises"), open=False, elem_id="sampling-practice"):
        made["exercises"] = act_bar("sampling-exercises")
    made["outbox"] = gr.Textbox("", label=t("sampling.export_json"), elem_classes="atelier-hidden")


def _button(ui: Ui, name: str, variant: Any) -> gr.Button:
    return gr.Button(ui.t(f"sampling.{name}"), variant=variant, size="sm", min_width=100, elem_id=f"sampling-{name}")
