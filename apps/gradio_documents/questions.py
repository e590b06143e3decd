"""Question, answers, passages and what stands under them, as components; then the search beside it. Knows no event."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_chat.acts import act_bar
from apps.gradio_components import passage_view, token_strip
from apps.gradio_kit import Ui
from apps.ui.citations import links_script
from apps.ui.documents import COMPARED
from engine.rag.grounding import MODES
from engine.snippets import FORMS

_LINKS = "citationLinks((number) => trigger('choose', { number }));"


@dataclass(frozen=True)
class Ask:
    """The components of the tab that answers."""

    examples: gr.HTML
    question: gr.Textbox
    ask: gr.Button
    stop: gr.Button
    mode: gr.Dropdown
    compared: gr.Radio
    follow: gr.Checkbox
    alert: gr.HTML
    progress: gr.HTML
    titles: tuple[gr.HTML, gr.HTML]
    answers: tuple[gr.Markdown, gr.Markdown]
    second: gr.Column
    said: gr.HTML
    passages: gr.HTML
    left_out: gr.HTML
    more: gr.Accordion
    links: gr.HTML
    under: gr.Column
    stats: gr.HTML
    which: gr.Radio
    trace: gr.Accordion
    prompt: gr.HTML
    strip: gr.HTML
    request: gr.Code
    response: gr.Code
    code: gr.Accordion
    form: gr.Radio
    text: gr.Code
    save: gr.Button
    pending: gr.State
    wanted: gr.State
    held: gr.State
    history: gr.State

    @property
    def begun(self) -> list[Any]:
        """What the beginning of an answer writes."""
        return [self.question, self.ask, self.stop, self.alert, self.progress, *self.titles, *self.answers, self.second,
                self.said, self.passages, self.left_out, self.more, self.under, self.examples, self.wanted,
                self.pending, self.trace, self.code]  # fmt: skip

    @property
    def followed(self) -> list[Any]:
        """What an answer writes while it comes; as little as possible."""
        return [self.progress, *self.answers, self.passages, self.held, self.alert]

    @property
    def ended(self) -> list[Any]:
        """What its end writes."""
        return [self.ask, self.stop, self.alert, self.progress, *self.answers, self.said, self.left_out, self.more,
                self.under, self.stats, self.which, self.follow, self.history, self.wanted]  # fmt: skip

    @property
    def looked(self) -> list[Any]:
        """What a look at the exact prompt writes."""
        return [self.prompt, self.strip, self.request, self.response]


@dataclass(frozen=True)
class Search:
    """The components of the tab that only looks for passages."""

    question: gr.Textbox
    go: gr.Button
    told: gr.HTML
    passages: gr.HTML
    save: gr.Button
    found: gr.State


@dataclass(frozen=True)
class Opened:
    """A passage in its document, at the right of the page."""

    drawer: gr.Accordion
    shown: gr.HTML
    picture: gr.HTML


def ask(ui: Ui) -> Ask:
    """Lay out the tab that answers."""
    t, made = ui.t, dict[str, Any]()
    made["examples"] = act_bar("documents-examples")
    with gr.Row(equal_height=True):
        made["question"] = gr.Textbox(label=t("documents_ask.question"), placeholder=t("documents_ask.question_hint"),
                                      max_lines=4, max_length=4000, scale=5, elem_id="documents-question")  # fmt: skip
        made["ask"] = gr.Button(t("documents_ask.ask"), variant="primary", scale=0, min_width=110,
                                elem_id="documents-ask")  # fmt: skip
        made["stop"] = gr.Button(t("documents_ask.stop"), scale=0, min_width=110, visible="hidden",
                                 elem_id="documents-stop")  # fmt: skip
    with gr.Row():
        made["mode"] = gr.Dropdown([(t(f"documents_ask.modes.{mode}"), mode) for mode in MODES], value=MODES[0],
                                   label=t("documents_ask.mode"), info=t("documents_ask.mode_help"),
                                   scale=3, min_width=200, elem_id="documents-mode")  # fmt: skip
        made["compared"] = gr.Radio([(t(f"documents_ask.compare.{one}"), one) for one in COMPARED], value=COMPARED[0],
                                    label=t("documents_ask.compared"), scale=4, min_width=300,
                                    elem_id="documents-compared")  # fmt: skip
        made["follow"] = gr.Checkbox(label=t("documents_ask.follow"), info=t("documents_ask.follow_help"),
                                     scale=3, min_width=200, visible=False, elem_id="documents-follow")  # fmt: skip
    made["alert"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-ask-alert")
    made["progress"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-ask-progress")
    _answers(ui, made)
    with gr.Column(visible=False) as made["under"]:
        _under(ui, made)
    made |= {name: gr.State(None) for name in ("pending", "wanted", "held")}
    return Ask(**made, history=gr.State(()))


def _answers(ui: Ui, made: dict[str, Any]) -> None:
    t = ui.t
    with gr.Row():
        with gr.Column(scale=3, min_width=280):
            first = gr.HTML(elem_classes="atelier-slot"), gr.Markdown(elem_id="documents-answer")
        with gr.Column(scale=3, min_width=280, visible=False) as made["second"]:
            second = gr.HTML(elem_classes="atelier-slot"), gr.Markdown(elem_id="documents-answer-without")
        with gr.Column(scale=2, min_width=280):
            made["passages"] = passage_view(elem_id="documents-passages")
            with gr.Accordion(t("documents_ask.left_out_title"), open=False, visible=False) as made["more"]:
                made["left_out"] = passage_view(elem_id="documents-left-out")
    made["titles"], made["answers"] = (first[0], second[0]), (first[1], second[1])
    made["links"] = gr.HTML("", js_on_load=links_script() + _LINKS, elem_classes="atelier-slot")
    made["said"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-said")


def _under(ui: Ui, made: dict[str, Any]) -> None:
    """Always in this order: statistics, exact prompt, code, save."""
    t = ui.t
    made["stats"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-stats")
    made["which"] = gr.Radio([(t(f"documents_ask.{name}_title"), name) for name in COMPARED[:2]], value=COMPARED[0],
                             show_label=False, container=False, visible=False,
                             label=t("documents_ask.compared"))  # fmt: skip
    with gr.Accordion(t("documents_ask.trace"), open=False, elem_id="documents-trace") as made["trace"]:
        made["prompt"] = gr.HTML(elem_classes="atelier-slot")
        with gr.Accordion(t("chat_trace.tokens"), open=False):
            made["strip"] = token_strip(elem_id="documents-tokens")
        with gr.Row():
            for name in ("request", "response"):
                made[name] = gr.Code("", "json", label=t(f"chat_trace.{name}"), interactive=False, lines=3,
                                     max_lines=16, wrap_lines=True)  # fmt: skip
    with gr.Accordion(t("documents_ask.code"), open=False, elem_id="documents-code") as made["code"]:
        names = [(t(f"code.{name}"), name) for name in FORMS]
        made["form"] = gr.Radio(names, value=names[0][1], label=t("documents_ask.code"), show_label=False)
        made["text"] = gr.Code("", label=t("documents_ask.code"), interactive=False, lines=3, max_lines=24)
    made["save"] = gr.Button(f"⤓ {t('documents_ask.save')}", size="sm", elem_id="documents-save")


def search(ui: Ui) -> Search:
    """Lay out the search."""
    t = ui.t
    with gr.Row(equal_height=True):
        question = gr.Textbox(label=t("documents_ask.question"), placeholder=t("documents_search.hint"), max_lines=4,
                              max_length=4000, scale=5, elem_id="documents-searched")  # fmt: skip
        go = gr.Button(t("documents_search.search"), variant="primary", scale=0, min_width=110,
                       elem_id="documents-search")  # fmt: skip
    told = gr.HTML(f"<p>{t('documents_search.empty')}</p>", elem_id="documents-search-told")
    passages = passage_view(elem_id="documents-found")
    save = gr.Button(f"⤓ {t('documents_search.save')}", size="sm", visible="hidden")
    return Search(question, go, told, passages, save, gr.State(None))


def opened(ui: Ui) -> Opened:
    """Lay out the panel of an opened passage."""
    with gr.Accordion(ui.t("documents_open.title"), open=False, elem_id="documents-opened",
                      elem_classes="atelier-drawer") as drawer:  # fmt: skip
        picture = gr.HTML(elem_classes="atelier-slot", elem_id="documents-page")
        shown = gr.HTML(elem_id="documents-around")
    return Opened(drawer, shown, picture)
