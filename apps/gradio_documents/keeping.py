"""Collections and their files: made, named, shared, filled, watched, deleted. Handlers; know no layout."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_documents.desk import Desk, Update, Values, lines_html, table_html
from apps.gradio_documents.shelf import LOOK_S, Shelf
from apps.gradio_documents.uploads import uploaded
from apps.ui import present
from apps.ui.documents import COLUMNS, file_rows, index_progress, sample_sources, summary, title_of, web_told
from engine.errors import EngineError, NotFound, error_from
from engine.jobs import Job
from engine.person import Person
from engine.rag import indexing, sources
from engine.rag.collections import Collection
from engine.rag.rows import CollectionFile
from engine.rag.values import Splitting

SHOWN = 100  # files


class Keeping:
    """What the events of the upper half do."""

    def __init__(self, desk: Desk, parts: Shelf) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def warm(self, values: Values, request: gr.Request) -> None:
        """Let the first search of this process find everything loaded: somebody begins to type a question."""
        one = self.desk.found(values, self.desk.person(request))
        if one is not None:
            self.ui.engine.embedders.warm(one.embedder)

    def look(self, values: Values, request: gr.Request) -> Update:
        """The open collection as it is now."""
        person = self.desk.person(request)
        return self.shown(self.desk.found(values, person), person) | {self.parts.found: ""}

    def tick(self, values: Values, request: gr.Request) -> Update:
        """How far its indexing is; everything anew at its end."""
        person = self.desk.person(request)
        one = self.desk.found(values, person)
        if one is None or self.desk.job(one) is None:
            return self.shown(one, person) | {self.parts.ready: str(time.time())}
        return self._running(one, self.desk.files(one, person), one.owner == person.id)

    def create(self, values: Values, request: gr.Request) -> Update:
        """A new one, open from now on."""
        parts = self.parts

        def act(person: Person) -> Collection:
            cut = Splitting(values[parts.kind], int(values[parts.size] or 0), int(values[parts.overlap] or 0))
            store = self.ui.engine.collections
            return store.create(person.id, values[parts.name] or "", values[parts.embedder] or None, cut)

        return self._did(act, values, request, {parts.name: ""})

    def rename(self, values: Values, request: gr.Request) -> Update:
        """The open one under another name."""
        name = values[self.parts.new_name] or ""
        return self._changed(lambda store, me, one: store.rename(me, one, name), values, request)

    def share(self, values: Values, request: gr.Request) -> Update:
        """For everybody to ask, or no longer."""
        wanted = bool(values[self.parts.share])
        return self._changed(lambda store, me, one: store.share(me, one, wanted), values, request)

    def rollback(self, values: Values, request: gr.Request) -> Update:
        """As it was in the version that is chosen."""
        number = int(values[self.parts.version] or 0)
        return self._changed(lambda store, me, one: store.rollback(me, one, number), values, request)

    def ask_twice(self, values: Values, request: gr.Request) -> Any:
        """The button that deletes it: nothing brings it back."""
        one = self.desk.found(values, self.desk.person(request))
        if one is None:
            return gr.Button(visible="hidden")
        asked = self.ui.t("documents.delete_sure", name=one.name)
        return gr.Button(f"{asked} {self.ui.t('documents.delete_yes')}", visible=True)

    def delete(self, values: Values, request: gr.Request) -> Update:
        """Gone with its files, its indexing ended first."""

        def act(person: Person) -> None:
            one = self.desk.open(values, person)
            job = self.desk.job(one) if one.owner == person.id else None
            if job is not None:
                self.ui.engine.jobs.cancel(job.id, person.id)
            self.ui.engine.collections.delete(person.id, one.id)

        return self._did(act, values, request)

    def remove(self, values: Values, request: gr.Request) -> Update:
        """The open collection without the chosen file."""
        file = str(values[self.parts.file] or "")
        return self._changed(lambda store, me, one: store.delete_file(me, one, file), values, request)

    def reindex(self, values: Values, request: gr.Request) -> Update:
        """Look again at all that it came from, and go on where it was interrupted."""
        return self._fill(lambda: (), values, request)

    def cancel(self, values: Values, request: gr.Request) -> Update:
        """The indexing ended; what is done stays."""

        def act(person: Person) -> Collection:
            one = self.desk.open(values, person)
            if (job := self.desk.job(one)) is not None:
                self.ui.engine.jobs.cancel(job.id, person.id)
            return one

        return self._did(act, values, request)

    def dropped(self, values: Values, request: gr.Request) -> Update:
        """What was dropped, brought in; it goes from the drop zone."""
        files = values[self.parts.drop] or []
        return self._fill(lambda: uploaded(files), values, request, {self.parts.drop: None})

    def add(self, values: Values, request: gr.Request) -> Update:
        """The address and the text that were typed."""
        parts = self.parts
        address, text = ((values[box] or "").strip() for box in (parts.url, parts.pasted))

        def brought() -> tuple[sources.Source, ...]:
            found = [sources.url(address)] if address else []
            if text:
                number = time.strftime("%Y-%m-%d %H.%M.%S")
                found.append(sources.pasted(f"{self.ui.t('documents.pasted_name', number=number)}.txt", text))
            return tuple(found)

        if not address and not text:
            return self.look(values, request)
        return self._fill(brought, values, request, {parts.url: "", parts.pasted: ""})

    def search(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """The web searched, its pages read into a temporary collection, which is then open."""
        from engine.rag.websearch import gather

        parts, ui = self.parts, self.ui
        yield {parts.found: kit.progress_html(present.Progress(ui.t("documents_web.searching")))}
        lines: Update = {parts.found: ""}

        def act(person: Person) -> Collection | None:
            found = gather(ui.engine, person.id, values[parts.query] or "", enabled=bool(values[parts.allow]),
                           key=values[parts.key] or None, role=person.role, language=ui.lang)  # fmt: skip
            if not found.pages:
                raise NotFound("the web has no page for it", what="page", key="")
            lines[parts.found] = lines_html(web_told(found, ui.words))
            return found.collection or self.desk.found(values, person)

        update = self._did(act, values, request)
        yield update | lines

    def sample(self, values: Values, request: gr.Request) -> Update:
        """Our twelve short documents."""
        return self._fill(sample_sources, values, request)

    def samples(self, values: Values, person: Person) -> Collection:
        """The person's collection of our documents, made and filled where there is none. Raises EngineError."""
        name, store = self.ui.t("documents.sample_name"), self.ui.engine.collections
        known = [one for one in self.desk.all(person).values() if (one.owner, one.name) == (person.id, name)]
        if known:
            return known[0]
        made = store.create(person.id, name)
        indexing.start(self.ui.engine, person.id, made.id, sample_sources())
        return made

    def shown(self, one: Collection | None, person: Person, error: EngineError | None = None) -> Update:
        """Everything that tells of this collection."""
        desk, parts, t = self.desk, self.parts, self.ui.t
        every = desk.all(person)
        one = one or next(iter(every.values()), None)
        mine = one is not None and one.owner == person.id
        files = desk.files(one, person) if one is not None else ()
        choices = [(title_of(found, person.id, self.ui.words), key) for key, found in every.items()]
        failed = any(file.state == "failed" for file in files)
        stays = mine and one is not None and not one.temporary
        said = summary(one, self.ui.words) if one is not None else t("documents.none")
        if one is not None and not stays:
            said += f" {t('documents_web.passing_help' if mine else 'documents.read_only')}"
        update = {
            parts.chosen: gr.Dropdown(choices, value=one.id if one is not None else None),
            parts.summary: f"<p>{html.escape(said)}</p>",
            parts.manage: gr.Accordion(visible=mine),
            parts.new_name: one.title if one is not None else "",
            parts.share: gr.Checkbox(value=one is not None and one.shared, visible=stays and person.role == "teacher"),
            parts.adding: gr.Accordion(visible=stays or one is None, open=not files),
            parts.files: gr.Accordion(visible=bool(files)),
            parts.file: gr.Dropdown([(file.name, file.id) for file in files], value=files[0].id if files else None),
            parts.remove: gr.Button(visible=mine), parts.sure: gr.Button(visible="hidden"),
        } | self._versions(one if mine else None, person)  # fmt: skip
        if not files or failed or self.desk.job(one) is not None:  # else it stays as it is
            update[parts.fold] = gr.Accordion(open=True)
        update |= self._running(one, files, mine) if one is not None else self._idle()
        return update | ({parts.alert: kit.error_html(error, self.ui)} if error is not None else {})

    def _running(self, one: Collection, files: tuple[CollectionFile, ...], mine: bool) -> Update:
        """How far the indexing is, what is left of one that was interrupted, and the table."""
        parts, words, job = self.parts, self.ui.words, self.desk.job(one)
        update = self._idle() | {parts.table: self._table(files)}
        if job is not None:
            told = kit.progress_html(index_progress(job, files, words))
            return update | {parts.progress: told, parts.cancel: gr.Button(visible=True),
                             parts.clock: gr.Timer(LOOK_S, active=True)}  # fmt: skip
        waiting = sum(file.state == "waiting" for file in files)
        last = self._last(one) if mine else None  # it tells paths of its owner's machine
        if last is not None and last.state == "failed" and last.error:
            update[parts.alert] = kit.error_html(error_from(dict(last.error)), self.ui)
        if waiting and mine:
            update[parts.progress] = f"<p>{html.escape(words.n('documents.waiting_left', waiting))}</p>"
            update[parts.go_on] = gr.Button(visible=True)
        return update

    def _idle(self) -> Update:
        parts, off = self.parts, gr.Button(visible="hidden")
        return {parts.alert: "", parts.progress: "", parts.cancel: off, parts.go_on: off, parts.table: "",
                parts.clock: gr.Timer(LOOK_S, active=False)}  # fmt: skip

    def _last(self, one: Collection) -> Job | None:
        """The latest indexing of that collection."""
        jobs = self.ui.engine.jobs.list(one.owner)
        return next((job for job in reversed(jobs) if job.task == indexing.TASK
                     and job.args.get("collection") == one.id), None)  # fmt: skip

    def _table(self, files: tuple[CollectionFile, ...]) -> str:
        t, words = self.ui.t, self.ui.words
        more = f"<p>{html.escape(t('documents.more_files', count=SHOWN))}</p>" if len(files) > SHOWN else ""
        return table_html((t(f"documents.column.{name}") for name in COLUMNS), file_rows(files[:SHOWN], words)) + more

    def _versions(self, one: Collection | None, person: Person) -> Update:
        known = self.ui.engine.collections.versions(person.id, one.id) if one is not None else ()
        several = len(known) > 1
        choices = [
            (self.ui.t("documents.version", when=time.strftime("%Y-%m-%d %H:%M", time.localtime(version.created)),
                       files=version.files, chunks=version.chunks), version.number)
            for version in known
        ]  # fmt: skip
        return {
            self.parts.version: gr.Dropdown(choices, value=known[0].number if known else None, visible=several),
            self.parts.rollback: gr.Button(visible=several),
        }

    def _fill(
        self, brought: Callable[[], tuple[sources.Source, ...]], values: Values, request: gr.Request,
        emptied: Update | None = None,
    ) -> Update:  # fmt: skip
        """Bring these into the open collection, which is made where there is none."""

        def act(person: Person) -> Collection:
            engine, came = self.ui.engine, brought()
            one = self.desk.found(values, person) or next(iter(self.desk.all(person).values()), None)
            if one is None:
                one = engine.collections.create(person.id, self.ui.t("documents.first_name"))
            indexing.start(engine, person.id, one.id, came)
            return one

        return self._did(act, values, request, emptied)

    def _changed(self, change: Callable[[Any, str, str], Any], values: Values, request: gr.Request) -> Update:
        def act(person: Person) -> Collection:
            one = self.desk.open(values, person)
            change(self.ui.engine.collections, person.id, one.id)
            return one

        return self._did(act, values, request)

    def _did(
        self, act: Callable[[Person], Collection | None], values: Values, request: gr.Request,
        emptied: Update | None = None,
    ) -> Update:  # fmt: skip
        """What is shown after it; what was typed stays where it failed."""
        person = self.desk.person(request)
        try:
            one = act(person)
        except EngineError as error:
            gr.Warning(present.error_text(error, self.ui.words).what)
            kept = {self.parts.drop: None} if self.parts.drop in (emptied or {}) else {}
            return self.shown(self.desk.found(values, person), person, error) | kept
        found = self.desk.all(person).get(one.id) if one is not None else None
        return self.shown(found, person) | (emptied or {})
