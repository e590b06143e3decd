"""The tab that adds models, the teacher's: download, quantize, convert, import, folders. Components."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from apps.gradio_components import drop_zone
from apps.gradio_kit import Ui
from apps.gradio_models.parts import LINE, WRAP, button
from apps.ui.dropzone import drop_data
from engine.models.convert import KINDS as CONVERTED
from engine.models.quantize import OFFERED
from engine.visit_keys import LENGTH_MAX

TO_QUALITY = """() => { document.querySelector('button[data-tab-id="quality"]')?.click(); }"""


@dataclass(frozen=True)
class Download:
    """From the hub: one of ours, or one that is looked for."""

    tab: gr.Tab
    curated: gr.Dropdown
    start: gr.Button
    list: gr.HTML
    words: gr.Textbox
    search: gr.Button
    repository: gr.Dropdown
    file: gr.Dropdown
    fetch: gr.Button
    token: gr.Textbox
    token_state: gr.HTML
    keep: gr.Button
    forget: gr.Button
    left: gr.Column
    unfinished: gr.HTML
    clean: gr.Button
    told: gr.HTML

    @property
    def found(self) -> list[Any]:
        """What a search writes."""
        return [self.repository, self.file, self.fetch, self.told]

    @property
    def kept(self) -> list[Any]:
        """What another token writes."""
        return [self.token, self.token_state, self.forget, self.told]

    @property
    def partial(self) -> list[Any]:
        """What another state of unfinished downloads writes."""
        return [self.left, self.unfinished, self.told]


@dataclass(frozen=True)
class Quantize:
    """A model in fewer bits."""

    tab: gr.Tab
    model: gr.Dropdown
    kind: gr.Dropdown
    start: gr.Button
    told: gr.HTML


@dataclass(frozen=True)
class Convert:
    """A folder of the hub's as a GGUF file."""

    tab: gr.Tab
    folder: gr.Textbox
    kind: gr.Dropdown
    start: gr.Button
    told: gr.HTML


@dataclass(frozen=True)
class Import:
    """A file dropped or named, and folders to look into."""

    tab: gr.Tab
    drop: gr.HTML
    path: gr.Textbox
    start: gr.Button
    told: gr.HTML
    folders: gr.HTML
    folder: gr.Textbox
    add: gr.Button
    kept: gr.Dropdown
    remove: gr.Button


@dataclass(frozen=True)
class Adding:
    """The tab."""

    download: Download
    quantize: Quantize
    convert: Convert
    bring: Import


def adding(ui: Ui) -> Adding:
    """Lay it out."""
    made: list[Any] = []
    with gr.Tabs(elem_id="models-add-tabs", **WRAP):
        for name, build in (
            ("download", _download),
            ("quantize", _quantize),
            ("convert", _convert),
            ("import", _import),
        ):
            with gr.Tab(ui.t(f"models_add.{name}"), id=f"add-{name}", elem_id=f"add-{name}") as tab:
                made.append(build(ui, tab))
    return Adding(*made)


def _download(ui: Ui, tab: gr.Tab) -> Download:
    t = ui.t
    with gr.Row(elem_classes="atelier-end"):
        curated = gr.Dropdown([], label=t("models_download.curated"), info=t("models_download.help"), scale=3,
                              min_width=220, elem_id="download-curated")  # fmt: skip
        start = button(t("models_download.start"), "download-start", variant="primary")
    label = " · ".join(t(f"models_download.{name}") for name in ("kind", "size", "licence", "fit"))
    with gr.Accordion(label, open=False):
        listed = gr.HTML(elem_id="download-list")
    with gr.Accordion(t("models_download.search"), open=False, elem_id="download-search-fold"):
        with gr.Row(elem_classes="atelier-end"):
            words = gr.Textbox("", label=t("models_download.search"), placeholder=t("models_download.search_hint"),
                               max_length=200, scale=3, elem_id="download-words", **LINE)  # fmt: skip
            search = button(t("models_download.search_button"), "download-search")
        with gr.Row(elem_classes="atelier-end"):
            repository = gr.Dropdown([], label=t("models_download.results"), visible=False, min_width=220,
                                     elem_id="download-repository")  # fmt: skip
            file = gr.Dropdown([], label=t("models_download.file"), visible=False, min_width=220,
                               elem_id="download-file")  # fmt: skip
        fetch = button(t("models_download.start"), "download-fetch", variant="primary", visible=False)
    with gr.Accordion(t("models_token.title"), open=False, elem_id="download-token-fold"):
        token_state = gr.HTML(elem_id="download-token-state")
        token = gr.Textbox("", label=t("models_token.field"), info=t("models_token.help"), type="password",
                           max_length=LENGTH_MAX, elem_id="download-token", **LINE)  # fmt: skip
        with gr.Row():
            keep = button(t("models_token.keep"), "download-token-keep")
            forget = button(t("models_token.forget"), "download-token-forget", visible=False)
    with gr.Column(visible=False) as left:
        unfinished = gr.HTML(elem_id="download-unfinished")
        clean = button(t("models_partial.remove"), "download-clean", variant="stop")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="download-told")
    return Download(tab, curated, start, listed, words, search, repository, file, fetch, token, token_state, keep,
                    forget, left, unfinished, clean, told)  # fmt: skip


def _quantize(ui: Ui, tab: gr.Tab) -> Quantize:
    t = ui.t
    with gr.Row():
        model = gr.Dropdown([], label=t("models_quantize.model"), scale=2, min_width=220, elem_id="quantize-model")
        kind = gr.Dropdown(list(OFFERED), value="Q4_K_M", label=t("models_quantize.kind"), min_width=160,
                           info=t("models_quantize.kind_help"), elem_id="quantize-kind")  # fmt: skip
    told = gr.HTML(elem_classes="atelier-slot", elem_id="quantize-told")
    with gr.Row():
        start = button(t("models_quantize.start"), "quantize-start", variant="primary")
        measure = button(t("models_quantize.measure"), "quantize-measure")
    measure.click(None, None, None, js=TO_QUALITY)
    return Quantize(tab, model, kind, start, told)


def _convert(ui: Ui, tab: gr.Tab) -> Convert:
    t = ui.t
    with gr.Row():
        folder = gr.Textbox("", label=t("models_convert.folder"), placeholder=t("models_convert.folder_hint"), scale=2,
                            max_length=2000, elem_id="convert-folder", **LINE)  # fmt: skip
        kind = gr.Dropdown(list(CONVERTED), value="F16", label=t("models_convert.kind"), min_width=140)
    start = button(t("models_convert.start"), "convert-start", variant="primary")
    return Convert(tab, folder, kind, start, gr.HTML(elem_classes="atelier-slot", elem_id="convert-told"))


def _import(ui: Ui, tab: gr.Tab) -> Import:
    t = ui.t
    drop = drop_zone(drop_data(ui.options, ui.words, ui.engine.settings.upload_gb * 2**30), elem_id="import-drop")
    with gr.Row(elem_classes="atelier-end"):
        path = gr.Textbox("", label=t("models_import.path"), placeholder=t("models_import.path_hint"), scale=3,
                          max_length=2000, elem_id="import-path", **LINE)  # fmt: skip
        start = button(t("models_import.button"), "import-start")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="import-told")
    with gr.Accordion(t("models_import.folders"), open=False, elem_id="import-folders"):
        folders = gr.HTML(elem_id="folders-list")
        with gr.Row(elem_classes="atelier-end"):
            folder = gr.Textbox("", label=t("models_import.folder"), info=t("models_import.folder_help"), scale=3,
                                max_length=2000, elem_id="folder-path", **LINE)  # fmt: skip
            add = button(t("models_import.add"), "folder-add")
        with gr.Row(elem_classes="atelier-end"):
            kept = gr.Dropdown([], label=t("models_import.folders"), visible=False, scale=3, min_width=220)
            remove = button(t("models_import.remove"), "folder-remove", visible=False)
    return Import(tab, drop, path, start, told, folders, folder, add, kept, remove)
