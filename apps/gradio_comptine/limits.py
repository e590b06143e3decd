"""Where the window ends: guess it, find it by bisection, and what each real engine does there. Knows no handler."""

from __future__ import annotations

import html
from dataclasses import dataclass

import gradio as gr

from apps.gradio_kit import Ui
from engine.comptine.behaviours import BEHAVIOURS, Behaviour


@dataclass(frozen=True)
class Limits:
    """The components."""

    guess: gr.Number
    attempt: gr.Button
    tried: gr.HTML
    search: gr.Button
    ends: gr.HTML


def limits(ui: Ui) -> Limits:
    """Lay them out, folded."""
    t = ui.t
    with gr.Accordion(t("comptine.ends"), open=False, elem_id="comptine-limits"):
        with gr.Row(equal_height=True):
            guess = gr.Number(100, precision=0, label=t("comptine.guess"), info=t("comptine.guess_help"), min_width=140,
                              elem_id="comptine-guess")  # fmt: skip
            attempt = gr.Button(t("comptine.guess_try"), size="sm", min_width=100, elem_id="comptine-try")
        tried = gr.HTML(elem_id="comptine-tried", elem_classes="atelier-slot")
        gr.HTML(f"<p>{html.escape(t('comptine.ends_help'))}</p>")
        search = gr.Button(t("comptine.ends"), size="sm", min_width=150, elem_id="comptine-search")
        ends = gr.HTML(elem_id="comptine-ends", elem_classes="atelier-slot")
    with gr.Accordion(t("comptine.engines"), open=False, elem_id="comptine-engines"):
        gr.HTML(_engines(ui))
    return Limits(guess, attempt, tried, search, ends)


def _engines(ui: Ui) -> str:
    names = ("engine", "on_prompt", "on_full", "tell", "message")
    head = "".join(f"<th>{html.escape(ui.t(f'comptine.{name}'))}</th>" for name in names)
    rows = "".join(_engine(ui, one) for one in BEHAVIOURS)
    return f"<div class='atelier-scroll'><table class='atelier-table'><tr>{head}</tr>{rows}</table></div>"


def _engine(ui: Ui, one: Behaviour) -> str:
    t, source = ui.t, ui.t(f"comptine.{'measured' if one.measured else 'read'}")
    title = html.escape(t("comptine.message"))
    folded = f"<details><summary>{title}</summary><code>{html.escape(one.text)}</code></details>"
    cells = (
        f"<strong>{html.escape(one.name)}</strong><br><small>{html.escape(source)} · {html.escape(one.source)}</small>",
        html.escape(t(f"comptine.prompts.{one.prompt}")),
        html.escape(t(f"comptine.fulls.{one.full}")),
        f"<code>{html.escape(one.tell)}</code>",
        folded if one.text else "–",
    )
    return f"<tr>{''.join(f'<td>{cell}</td>' for cell in cells)}</tr>"
