"""What the events of the tab that adds models do. All of it is the teacher's; knows no layout."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_components import ended_of
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_models.adding import Adding
from apps.gradio_models.desk import Desk, paragraph
from apps.ui import bringing as shown
from apps.ui import model_files
from engine.errors import BadInput, EngineError
from engine.jobs import Job
from engine.models.curated import curated, curated_model
from engine.models.download import forget_partials, partials, start_download
from engine.models.hub import VISIT, Hub
from engine.models.hub_fit import fits
from engine.person import Person


class Bringing:
    """The handlers."""

    def __init__(self, desk: Desk, parts: Adding) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def opened(self, values: Values, request: gr.Request) -> Update:
        """What can be downloaded and quantized, as it is now."""
        parts, cards = self.parts, self.ui.engine.models()
        models = [(card.name, card.id) for card in cards if card.files and card.backend == "llamacpp" and not card.base]
        chosen = values[parts.quantize.model]
        model = chosen if chosen in (known := [one for _, one in models]) else next(iter(known), None)
        return {
            **self._curated(),
            parts.quantize.model: gr.Dropdown(models, value=model),
            **self._folders(request),
            **self._token_state(request),
            **self._unfinished(request),
        }

    def download(self, values: Values, request: gr.Request) -> Update:
        """One of ours."""

        def ask(person: Person) -> Job:
            row = curated_model(str(values[self.parts.download.curated] or ""))
            return self._fetched(person, row.repository, row.wanted, self._token(request))

        return self.desk.begun(request, ask)

    def fetch(self, values: Values, request: gr.Request) -> Update:
        """The file that was looked for."""
        parts = self.parts.download
        repository, file = (str(values[box] or "") for box in (parts.repository, parts.file))
        return self.desk.begun(request, lambda person: self._fetched(person, repository, file, self._token(request)))

    def search(self, values: Values, request: gr.Request) -> Update:
        """Repositories of that name; the files of the first one."""
        parts, t = self.parts.download, self.ui.t
        try:
            self.desk.teacher(request)
            hub = Hub(self.ui.engine.settings, self._token(request))
            found = hub.search(str(values[parts.words] or ""))
        except EngineError as error:
            return self._nothing(kit.error_html(error, self.ui))
        if not found:
            return self._nothing(lines_html([t("models_download.none")]))
        number = self.ui.words.number
        choices = [(" · ".join(part for part in (one.id, one.licence or "", f"{number(one.downloads)} ↓") if part),
                    one.id) for one in found]  # fmt: skip
        shown_: Update = {parts.repository: gr.Dropdown(choices, value=found[0].id, visible=True)}
        return shown_ | self._of(found[0].id, request)

    def files(self, values: Values, request: gr.Request) -> Update:
        """The files of the repository that is chosen."""
        try:
            self.desk.teacher(request)
        except EngineError as error:
            return self._nothing(kit.error_html(error, self.ui))
        return self._of(str(values[self.parts.download.repository] or ""), request)

    def keep(self, values: Values, request: gr.Request) -> Update:
        """The typed token, for this person and this visit; the field is emptied at once."""
        return self._keep(request, str(values[self.parts.download.token] or ""))

    def forget(self, request: gr.Request) -> Update:
        """The token is forgotten."""
        return self._keep(request, "")

    def clean(self, request: gr.Request) -> Update:
        """What unfinished downloads have left is removed."""
        parts, words = self.parts.download, self.ui.words

        def act() -> str:
            self.desk.teacher(request)
            freed = forget_partials(self.ui.engine.settings.models_dir)
            return paragraph(words.t("models_partial.removed", size=words.size(freed)))

        said = self.desk.said(act)
        return self._unfinished(request) | {parts.told: said}

    def _keep(self, request: gr.Request, token: str) -> Update:
        parts = self.parts.download
        try:
            person = self.desk.teacher(request)
            self.ui.engine.visit_keys.put(person.id, VISIT, token)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui), parts.token: ""}
        return self._token_state(request) | {parts.token: "", parts.told: ""}

    def _token(self, request: gr.Request) -> str | None:
        """The token that was typed for this visit."""
        return self.ui.engine.visit_keys.of(self.desk.person(request).id, VISIT)

    def _token_state(self, request: gr.Request) -> Update:
        parts, brought = self.parts.download, self._token(request) is not None
        told = lines_html([shown.token_state(brought, self.ui.words)]) if self.desk.is_teacher(request) else ""
        return {parts.token_state: told, parts.forget: gr.Button(visible=brought)}

    def _unfinished(self, request: gr.Request) -> Update:
        """What interrupted downloads have left, for the teacher."""
        parts, words = self.parts.download, self.ui.words
        found = partials(self.ui.engine.settings.models_dir) if self.desk.is_teacher(request) else ()
        rows = table_html(model_files.partial_head(words), model_files.partial_rows(found, words)) if found else ""
        title = f"<h4>{html.escape(words.t('models_partial.title'))}</h4>"
        note = lines_html([model_files.partial_note(found, words)])
        return {parts.left: gr.Column(visible=bool(found)), parts.unfinished: title + rows + note if found else ""}

    def about(self, values: Values, request: gr.Request) -> str:
        """What the chosen kind would weigh."""
        parts, words = self.parts.quantize, self.ui.words

        def told() -> str:
            card = self.ui.engine.catalog.card(str(values[parts.model] or ""))
            size = shown.quantized_size(card, str(values[parts.kind]))
            if size is None or not card.size_bytes:
                return ""
            before, after = words.size(card.size_bytes), words.size(size)
            return lines_html([words.t("models_quantize.from_to", before=before, after=after)])

        return self.desk.said(told)

    def quantize(self, values: Values, request: gr.Request) -> Update:
        """The chosen model in the chosen kind."""
        parts = self.parts.quantize

        def ask(person: Person) -> Job:
            from engine.models.quantize import start_quantize

            model, kind = (str(values[box] or "") for box in (parts.model, parts.kind))
            return start_quantize(self.ui.engine, person.id, model, kind, role=person.role)

        return self.desk.begun(request, ask)

    def converter(self, request: gr.Request) -> str:
        """Where llama.cpp's converter is, or how to get it."""
        from engine.models.convert import find_converter, how_to_get

        t, settings = self.ui.t, self.ui.engine.settings
        if not self.desk.is_teacher(request):
            return lines_html([t("models_add.teacher")])
        found = find_converter(settings)
        if found is not None and found.ready:
            return lines_html([t("models_convert.found", path=found.script)])
        commands = html.escape("\n".join(how_to_get(settings, found)))
        return f"{lines_html([t('models_convert.missing')])}<pre class='atelier-scroll'>{commands}</pre>"

    def convert(self, values: Values, request: gr.Request) -> Update:
        """The folder as one file."""
        parts = self.parts.convert

        def ask(person: Person) -> Job:
            from engine.models.convert import start_convert

            folder = _path(values[parts.folder], "folder")
            return start_convert(self.ui.engine, person.id, folder, str(values[parts.kind]), role=person.role)

        return self.desk.begun(request, ask)

    def bring(self, values: Values, request: gr.Request) -> Update:
        """A file of this machine copied among one's own models."""
        from engine.models.importing import start_import

        path = self.parts.bring.path

        def ask(person: Person) -> Job:
            return start_import(self.ui.engine, person.id, _path(values[path], "path"), role=person.role)

        return self.desk.begun(request, ask)

    def dropped(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """What the browser tells of an upload that has ended; the file itself is where it belongs."""
        ended, told = ended_of(event), self.parts.bring.told
        if ended is None:
            return {told: ""}
        said = kit.error_html(ended.error, self.ui) if ended.error else ""  # the rest the drop zone tells itself
        return self.opened(values, request) | {told: said}

    def add(self, values: Values, request: gr.Request) -> Update:
        """Look into that folder, too."""
        parts = self.parts.bring
        return self._changed(request, lambda: self.ui.engine.folders.add(_path(values[parts.folder], "folder"))) | {
            parts.folder: ""
        }

    def remove(self, values: Values, request: gr.Request) -> Update:
        """Look there no more."""
        parts = self.parts.bring
        return self._changed(request, lambda: self.ui.engine.folders.remove(_path(values[parts.kept], "folder")))

    def _changed(self, request: gr.Request, act: Any) -> Update:
        told = self.parts.bring.told
        try:
            self.desk.teacher(request)
            act()
            self.ui.engine.catalog.look_again()
        except EngineError as error:
            return {told: kit.error_html(error, self.ui)}
        return self._folders(request) | {told: ""}

    def _folders(self, request: gr.Request) -> Update:
        """The added folders, and those that could not be read; their names are the teacher's to know."""
        parts, t = self.parts.bring, self.ui.t
        if not self.desk.is_teacher(request):
            return {parts.folders: "", parts.kept: gr.Dropdown(visible=False), parts.remove: gr.Button(visible=False)}
        kept = [str(folder) for folder in self.ui.engine.folders.list()]
        troubles = [
            f"{t('models_table.unreadable', path=one.path)} ({one.reason})" for one in self.ui.engine.catalog.troubles()
        ]
        return {
            parts.folders: lines_html([*(kept or [t("models_import.no_folders")]), *troubles]),
            parts.kept: gr.Dropdown(kept, value=kept[0] if kept else None, visible=bool(kept)),
            parts.remove: gr.Button(visible=bool(kept)),
        }

    def _curated(self) -> Update:
        """The short list, as a choice and as a table."""
        parts, words, rows = self.parts.download, self.ui.words, curated()
        told = shown.curated_rows(rows, self.ui.engine.settings.models_dir, words)
        labels = [(f"{row.name} · {words.size(row.size_bytes)} · {line[-1]}", row.id)
                  for row, line in zip(rows, told, strict=True)]  # fmt: skip
        return {parts.curated: gr.Dropdown(labels, value=rows[0].id),
                parts.list: table_html(shown.curated_head(words), told)}  # fmt: skip

    def _fetched(self, person: Person, repository: str, wanted: str, token: str | None) -> Job:
        engine = self.ui.engine
        found = Hub(engine.settings, token).repository(repository)
        return start_download(engine, person.id, found, found.file(wanted or None), role=person.role, token=token)

    def _of(self, repository: str, request: gr.Request) -> Update:
        """The files of a repository to choose from, each with the memory that it would take."""
        parts, words, engine = self.parts.download, self.ui.words, self.ui.engine
        hub = Hub(engine.settings, self._token(request))
        try:
            found = hub.repository(repository)
        except EngineError as error:
            return self._no_files(kit.error_html(error, self.ui))
        if not found.files:
            return self._no_files(lines_html([words.t("models_download.no_files")]))
        fitting = fits(hub, found, engine.settings, engine.plain_slots)
        choices = [(shown.hub_file_label(file, fitting.get(file.name), words), file.name) for file in found.files]
        return {parts.file: gr.Dropdown(choices, value=found.file().name, visible=True), parts.told: "",
                parts.fetch: gr.Button(visible=True)}  # fmt: skip

    def _no_files(self, told: str) -> Update:
        parts = self.parts.download
        return {parts.file: gr.Dropdown([], value=None, visible=False), parts.fetch: gr.Button(visible=False),
                parts.told: told}  # fmt: skip

    def _nothing(self, told: str) -> Update:
        return self._no_files(told) | {self.parts.download.repository: gr.Dropdown([], value=None, visible=False)}


def _path(text: Any, name: str) -> Path:
    """The path that somebody typed. Raises BadInput for none."""
    typed = str(text or "").strip()
    if not typed:
        raise BadInput("a path is needed", what=name)
    return Path(typed).expanduser()
