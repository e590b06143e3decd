"""The upper half of the tab as components: the collection, what its owner may do, the drop zone, the files.

Knows no event.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_kit import Ui
from engine.documents import READABLE
from engine.rag.splitting import SIZE_MIN
from engine.rag.values import SPLITTING_KINDS, Splitting

SIZE_MAX = 2048  # the job says where an embedder takes less
TEXT_MAX = 1_000_000
LOOK_S = 1.0


@dataclass(frozen=True)
class Shelf:
    """The components, in their order."""

    chosen: gr.Dropdown
    summary: gr.HTML
    fold: gr.Accordion
    new: gr.Accordion
    name: gr.Textbox
    embedder: gr.Dropdown
    kind: gr.Dropdown
    size: gr.Number
    overlap: gr.Number
    create: gr.Button
    manage: gr.Accordion
    new_name: gr.Textbox
    rename: gr.Button
    reindex: gr.Button
    share: gr.Checkbox
    version: gr.Dropdown
    rollback: gr.Button
    delete: gr.Button
    sure: gr.Button
    adding: gr.Accordion
    drop: gr.File
    url: gr.Textbox
    pasted: gr.Textbox
    add: gr.Button
    sample: gr.Button
    web: gr.Accordion
    allow: gr.Checkbox
    key: gr.Textbox
    query: gr.Textbox
    search: gr.Button
    found: gr.HTML
    alert: gr.HTML
    progress: gr.HTML
    cancel: gr.Button
    go_on: gr.Button
    files: gr.Accordion
    table: gr.HTML
    file: gr.Dropdown
    open: gr.Button
    remove: gr.Button
    clock: gr.Timer
    ready: gr.Textbox  # changes when an indexing has ended

    @property
    def looked(self) -> list[Any]:
        """What a look at a running indexing writes."""
        return [self.alert, self.progress, self.cancel, self.go_on, self.table, self.clock]

    @property
    def written(self) -> list[Any]:
        """What another state of the collection writes."""
        return [self.chosen, self.summary, self.fold, self.name, self.manage, self.new_name, self.share,
                self.version, self.rollback, self.sure, self.adding, self.drop, self.url, self.pasted, self.found,
                self.files, self.file, self.remove, self.ready, *self.looked]  # fmt: skip


def shelf(ui: Ui) -> Shelf:
    """Lay them out."""
    made: dict[str, Any] = {}
    with gr.Row(equal_height=False):
        made["chosen"] = gr.Dropdown([], value=None, label=ui.t("documents.collection"), scale=2, min_width=220,
                                     info=ui.t("glossary.collection.text"), elem_id="documents-collection")  # fmt: skip
        made["summary"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-summary")
    label = " · ".join(ui.t(f"documents.{name}") for name in ("table", "bring", "web", "new", "manage"))
    made["fold"] = gr.Accordion(label, open=False, elem_id="documents-shelf")
    with made["fold"]:
        _files(ui, made)
        _adding(ui, made)
        _web(ui, made)
        _new(ui, made)
        _manage(ui, made)
    made["found"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-web-found")
    made["alert"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-alert")
    made["progress"] = gr.HTML(elem_classes="atelier-slot", elem_id="documents-progress")
    with gr.Row():
        made["cancel"] = gr.Button(ui.t("documents.cancel"), size="sm", visible="hidden", elem_id="documents-cancel")
        made["go_on"] = gr.Button(ui.t("documents.go_on"), size="sm", visible="hidden", elem_id="documents-go-on")
    made["clock"] = gr.Timer(LOOK_S, active=False)
    made["ready"] = gr.Textbox("", label=ui.t("documents.table"), elem_classes="atelier-hidden")
    return Shelf(**made)


def _new(ui: Ui, made: dict[str, Any]) -> None:
    """Name, embedder and cutting: the last two are for good."""
    t, start = ui.t, Splitting()
    with gr.Accordion(t("documents.new"), open=False, elem_id="documents-new") as made["new"]:
        made["name"] = gr.Textbox(label=t("documents.name"), max_lines=1, elem_id="documents-name")
        with gr.Accordion(t("documents.cutting"), open=False):
            made["embedder"] = gr.Dropdown([], label=t("documents.embedder"), allow_custom_value=True,
                                           info=f"{t('glossary.embedding.text')} {t('documents.embedder_help')}",
                                           elem_id="documents-embedder")  # fmt: skip
            kinds = [(t(f"documents.kind_of.{kind}"), kind) for kind in SPLITTING_KINDS]
            with gr.Row():
                made["kind"] = gr.Dropdown(kinds, value=start.kind, label=t("documents.kind"), min_width=120,
                                           info=t("glossary.chunk.text"))  # fmt: skip
                made["size"] = gr.Number(start.size, minimum=SIZE_MIN, maximum=SIZE_MAX, precision=0, min_width=100,
                                         label=t("documents.size"))  # fmt: skip
                made["overlap"] = gr.Number(start.overlap, minimum=0, maximum=SIZE_MAX // 2, precision=0,
                                            label=t("documents.overlap"), min_width=100)  # fmt: skip
        made["create"] = gr.Button(t("documents.create"), size="sm", variant="primary", elem_id="documents-create")


def _manage(ui: Ui, made: dict[str, Any]) -> None:
    t = ui.t
    with gr.Accordion(t("documents.manage"), open=False, visible=False, elem_id="documents-manage") as made["manage"]:
        with gr.Row():
            made["new_name"] = gr.Textbox(label=t("documents.name"), max_lines=1, min_width=160)
            made["rename"] = gr.Button(t("documents.rename"), size="sm", min_width=100)
        made["reindex"] = gr.Button(t("documents.reindex"), size="sm", elem_id="documents-reindex")
        made["share"] = gr.Checkbox(label=t("documents.share"), info=t("documents.share_help"), visible=False)
        with gr.Row():
            made["version"] = gr.Dropdown([], label=t("documents.versions"), visible=False, min_width=200)
            made["rollback"] = gr.Button(t("documents.rollback"), size="sm", visible=False, min_width=120)
        made["delete"] = gr.Button(t("documents.delete"), size="sm", variant="stop", elem_id="documents-delete")
        made["sure"] = gr.Button(t("documents.delete_yes"), size="sm", variant="stop", visible="hidden",
                                 elem_id="documents-delete-yes")  # fmt: skip


def _adding(ui: Ui, made: dict[str, Any]) -> None:
    t = ui.t
    kinds = [f".{one}" for one in (*READABLE, "zip")]
    with gr.Accordion(t("documents.bring"), elem_id="documents-bring") as made["adding"]:
        made["drop"] = gr.File(file_count="multiple", file_types=kinds, label=f"{t('documents.drop')} – "
                               f"{t('documents.drop_help')}", height=150, elem_id="documents-drop")  # fmt: skip
        with gr.Accordion(t("documents.more"), open=False, elem_id="documents-more"):
            made["url"] = gr.Textbox(label=t("documents.url"), placeholder=t("documents.url_hint"), max_lines=1,
                                     max_length=2000)  # fmt: skip
            made["pasted"] = gr.Textbox(label=t("documents.pasted"), lines=4, max_lines=12, max_length=TEXT_MAX,
                                        elem_id="documents-pasted")  # fmt: skip
            with gr.Row():
                made["add"] = gr.Button(t("documents.add"), size="sm", variant="primary", elem_id="documents-add")
                made["sample"] = gr.Button(t("documents.sample"), size="sm", elem_id="documents-sample")


def _web(ui: Ui, made: dict[str, Any]) -> None:
    """A search of the web, whose pages become a temporary collection; off until somebody allows it here."""
    t = ui.t
    with gr.Accordion(t("documents_web.title"), open=False, elem_id="documents-web") as made["web"]:
        made["allow"] = gr.Checkbox(label=t("documents_web.allow"), info=t("documents_web.help"),
                                    elem_id="documents-web-allow")  # fmt: skip
        made["key"] = gr.Textbox(label=t("documents_web.key"), info=t("documents_web.key_help"), type="password",
                                 max_lines=1, max_length=200)  # fmt: skip
        with gr.Row(equal_height=True):
            made["query"] = gr.Textbox(label=t("documents_web.query"), max_lines=1, max_length=400, scale=4,
                                       elem_id="documents-web-query")  # fmt: skip
            made["search"] = gr.Button(t("documents_web.add"), variant="primary", scale=0, min_width=110,
                                       elem_id="documents-web-search")  # fmt: skip


def _files(ui: Ui, made: dict[str, Any]) -> None:
    t = ui.t
    with gr.Accordion(t("documents.table"), visible=False, elem_id="documents-files") as made["files"]:
        made["table"] = gr.HTML(elem_id="documents-table")
        with gr.Row():
            made["file"] = gr.Dropdown([], label=t("documents.choose_file"), scale=3, min_width=180,
                                       elem_id="documents-file")  # fmt: skip
            made["open"] = gr.Button(t("documents.open"), size="sm", min_width=90, elem_id="documents-open")
            made["remove"] = gr.Button(t("documents.delete_file"), size="sm", min_width=90)
