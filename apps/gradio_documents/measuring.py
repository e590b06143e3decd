"""How well passages are found: a question set and configurations in, a table with intervals and a plot out.

Components and handlers; knows no layout of the rest of the tab.
"""

from __future__ import annotations

import html
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, get_args

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat.face import outgoing
from apps.gradio_documents.desk import Desk, Update, Values, file_button, lines_html, table_html
from apps.gradio_documents.uploads import read_all
from apps.gradio_kit import Ui
from apps.ui import evaluation as shown
from apps.ui import present
from engine.errors import BadInput, EngineError, error_from
from engine.jobs import OPEN, Job
from engine.person import Person
from engine.rag.collections import Collection
from engine.rag.evaluation import MEASURES, Configuration, Hit
from engine.rag.values import SPLITTING_KINDS, Retrieval, Splitting

LOOK_S = 1.0
SETS = ("samples", "file", "written")
WHERE = ("set", "collection")
SIZES = (64, 128, 192, 256, 384)
HITS: tuple[Hit, ...] = get_args(Hit)


@dataclass(frozen=True)
class Measures:
    """The components."""

    set: gr.Radio
    file: gr.File
    written: gr.Textbox
    where: gr.Radio
    hit: gr.Radio
    ways: gr.CheckboxGroup
    judge: gr.Number
    kinds: gr.CheckboxGroup
    sizes: gr.CheckboxGroup
    embedders: gr.CheckboxGroup
    start: gr.Button
    told: gr.HTML
    cancel: gr.Button
    results: gr.Column
    chosen: gr.Dropdown
    table: gr.HTML
    measure: gr.Dropdown
    plot: gr.Plot
    differences: gr.HTML
    csv: gr.Button
    json: gr.Button
    clock: gr.Timer

    @property
    def written_to(self) -> list[Any]:
        """What a look writes."""
        return [self.told, self.start, self.cancel, self.clock, self.results, self.chosen, self.table, self.measure,
                self.plot, self.differences, self.embedders]  # fmt: skip


def measures(ui: Ui) -> Measures:
    """Lay them out."""
    t, made = ui.t, dict[str, Any]()

    def radio(name: str, table: str, known: tuple[str, ...]) -> None:
        made[name] = gr.Radio([(t(f"documents_eval.{table}.{one}"), one) for one in known], value=known[0],
                              label=t(f"documents_eval.{name}"), info=t(f"documents_eval.{name}_help"),
                              min_width=200, elem_id=f"documents-eval-{name}")  # fmt: skip

    radio("set", "sets", SETS)
    made["file"] = gr.File(file_types=[".json", ".csv"], height=150, visible=False, elem_id="documents-eval-file",
                           label=f"{t('documents_eval.file')} – {t('documents_eval.file_help')}")  # fmt: skip
    made["written"] = gr.Textbox(label=t("documents_eval.set"), info=t("documents_gradio.written_help"), lines=4,
                                 max_lines=12, visible=False, elem_id="documents-eval-written",
                                 placeholder=t("documents_gradio.written_hint"))  # fmt: skip
    with gr.Row():
        radio("where", "wheres", WHERE)
        radio("hit", "hits", HITS)
    ways = [(t(f"documents_eval.ways.{way}"), way) for way in shown.WAYS]
    made["ways"] = gr.CheckboxGroup(ways, value=list(shown.WAYS[:-1]), label=t("documents_eval.compared"),
                                    info=t("documents_eval.compared_help"))  # fmt: skip
    made["judge"] = gr.Number(0, minimum=0, maximum=shown.ANSWERS_MAX, precision=0, label=t("documents_eval.judge"),
                              info=t("documents_eval.judge_help"), elem_id="documents-eval-judge")  # fmt: skip
    with gr.Accordion(t("documents_eval.sweep"), open=False):
        kinds = [(t(f"documents.kind_of.{kind}"), kind) for kind in SPLITTING_KINDS]
        made["kinds"] = gr.CheckboxGroup(kinds, value=[SPLITTING_KINDS[0]], label=t("documents.kind"))
        made["sizes"] = gr.CheckboxGroup(list(SIZES), value=[Splitting().size], label=t("documents.size"))
        made["embedders"] = gr.CheckboxGroup([], label=t("documents.embedder"))
    with gr.Row():
        made["start"] = gr.Button(t("documents_eval.start"), variant="primary", size="md", elem_id="documents-measure")
        made["cancel"] = gr.Button(t("documents.cancel"), size="md", visible="hidden")
    made["told"] = gr.HTML(elem_id="documents-eval-told")
    with gr.Column(visible=False) as made["results"]:
        _results(ui, made)
    made["clock"] = gr.Timer(LOOK_S, active=False)
    return Measures(**made)


def _results(ui: Ui, made: dict[str, Any]) -> None:
    t = ui.t
    made["chosen"] = gr.Dropdown([], label=t("documents_eval.earlier"), elem_id="documents-eval-chosen")
    made["table"] = gr.HTML(elem_id="documents-eval-table")
    made["measure"] = gr.Dropdown([], label=t("documents_eval.plot"), elem_id="documents-eval-measure")
    made["plot"] = gr.Plot(show_label=False, label=t("documents_eval.plot"), elem_classes="atelier-scroll")
    made["differences"] = gr.HTML(elem_id="documents-eval-differences")
    with gr.Row():
        made["csv"] = file_button("csv")
        made["json"] = file_button("json")


class Measuring:
    """What the events of an evaluation do."""

    def __init__(self, desk: Desk, parts: Measures) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def kind(self, values: Values) -> Update:
        """The field of the question set that is chosen."""
        kind = values[self.parts.set]
        return {
            self.parts.file: gr.File(visible=kind == "file"),
            self.parts.written: gr.Textbox(visible=kind == "written"),
            self.parts.where: "collection" if kind == "written" else values[self.parts.where],
        }

    def opened(self, values: Values, request: gr.Request) -> Update:
        """The evaluation that runs, or the latest one, and the embedders of this machine."""
        from engine.rag.embedders import default_embedder, options

        usable = [one.name for one in options(self.ui.engine) if one.problem is None]
        person = self.desk.person(request)
        boxes = gr.CheckboxGroup(usable, value=values[self.parts.embedders] or [default_embedder()])
        return self._looked(values, person, latest=True) | {self.parts.embedders: boxes}

    def start(self, values: Values, request: gr.Request) -> Update:
        """Put it into the queue of heavy work; one at a time for each person."""
        from engine.rag.evaluating import start

        person, hit = self.desk.person(request), values[self.parts.hit]
        try:
            if hit not in HITS:
                raise BadInput("no such hit", name="hit", value=str(hit)[:100])
            if self._going(person) is None:
                one = self.desk.open(values, person) if values[self.parts.where] == "collection" else None
                wanted = self._configurations(values, one, person)
                judged = max(0, min(int(values[self.parts.judge] or 0), shown.ANSWERS_MAX))
                start(self.ui.engine, person.id, self._questions(values), wanted, hit, role=person.role,
                      collection=one.id if one is not None else None, answers=judged,
                      model=self.desk.bar.chosen(values)[0])  # fmt: skip
        except EngineError as error:
            return {self.parts.told: kit.error_html(error, self.ui)}
        return self._looked(values, person)

    def cancel(self, values: Values, request: gr.Request) -> Update:
        """The one that runs, ended."""
        person = self.desk.person(request)
        if (job := self._going(person)) is not None:
            self.ui.engine.jobs.cancel(job.id, person.id)
        return self._looked(values, person)

    def tick(self, values: Values, request: gr.Request) -> Update:
        """How far it is; its results once they are there."""
        person = self.desk.person(request)
        return self._looked(values, person, latest=self._going(person) is None)

    def look(self, values: Values, request: gr.Request) -> Update:
        """The evaluation and the measure that are chosen."""
        return self._looked(values, self.desk.person(request), draw=True)

    def save_csv(self, values: Values, request: gr.Request) -> str:
        """The measures as a table, for the browser to save."""
        results = self._chosen(values, request)
        return f"[{outgoing('evaluation.csv', 'text/csv', shown.results_csv(results))}]" if results else ""

    def save_json(self, values: Values, request: gr.Request) -> str:
        """Everything that was measured, for the browser to save."""
        results = self._chosen(values, request)
        return f"[{outgoing('evaluation.json', 'application/json', shown.results_json(results))}]" if results else ""

    def _questions(self, values: Values) -> str:
        """The set that is chosen, kept for the job. Raises BadInput."""
        from engine.rag.evaluating import SAMPLES, keep

        kind, settings = values[self.parts.set], self.ui.engine.settings
        if kind == "file" and values[self.parts.file]:
            ((name, data),) = read_all([values[self.parts.file]])
            return str(keep(settings, data, ".csv" if name.lower().endswith(".csv") else ".json"))
        if kind == "written":
            return str(keep(settings, shown.questions_csv(shown.written(values[self.parts.written] or "")), ".csv"))
        if kind == "samples":
            return SAMPLES
        raise BadInput("no question to measure with", reason="no_questions")

    def _configurations(self, values: Values, one: Collection | None, person: Person) -> tuple[Configuration, ...]:
        parts = self.parts
        if one is not None:
            cuts, embedders = [one.splitting], [one.embedder]
        else:
            sizes = [int(size) for size in values[parts.sizes] or ()]
            cuts = [Splitting(kind, size, shown.overlap(size)) for kind in values[parts.kinds] or () for size in sizes]
            embedders = list(values[parts.embedders] or ())
        open_ = one or self.desk.found(values, person)
        mine = self.desk.retrieval(values, open_, person) if open_ is not None else Retrieval()
        ways = [way for way in values[parts.ways] or () if way in shown.WAYS]
        found = shown.configurations(ways, cuts, embedders, mine)
        if len(found) > shown.CONFIGURATIONS_MAX:
            raise BadInput(f"{len(found)} configurations", reason="too_many_configurations")
        return found

    def _jobs(self, person: Person) -> list[Job]:
        """This person's evaluations, oldest first."""
        from engine.rag.evaluating import TASK

        return [job for job in self.ui.engine.jobs.list(person.id) if job.task == TASK]

    def _going(self, person: Person) -> Job | None:
        return next((job for job in self._jobs(person) if job.state in OPEN), None)

    def _chosen(self, values: Values, request: gr.Request) -> Mapping[str, Any] | None:
        jobs = {job.id: job for job in self._jobs(self.desk.person(request))}
        job = jobs.get(values[self.parts.chosen] or "")
        return job.result if job is not None else None

    def _looked(self, values: Values, person: Person, *, latest: bool = False, draw: bool = False) -> Update:
        """How far the one that runs is; the `latest` results, or those that are chosen, where they are to be drawn."""
        parts, jobs = self.parts, self._jobs(person)
        going = next((job for job in jobs if job.state in OPEN), None)
        done = {job.id: job for job in reversed(jobs) if job.state == "done" and job.result}
        update: Update = {
            parts.told: self._told(going, jobs, bool(done)),
            parts.start: gr.Button(interactive=going is None),
            parts.cancel: gr.Button(visible=True if going is not None else "hidden"),
            parts.clock: gr.Timer(LOOK_S, active=going is not None),
            parts.results: gr.Column(visible=bool(done)),
        }
        if not done or not (latest or draw):
            return update
        key = values[parts.chosen] if draw and values[parts.chosen] in done else next(iter(done))
        choices = [(self._name(job), job.id) for job in done.values()]
        return update | {parts.chosen: gr.Dropdown(choices, value=key)} | self._drawn(done[key].result, values)

    def _drawn(self, results: Mapping[str, Any], values: Values) -> Update:
        parts, words, t = self.parts, self.ui.words, self.ui.t
        known = shown.plotted(results)
        measure = values[parts.measure] if values[parts.measure] in known else known[0] if known else None
        names = [(t(f"documents_eval.measure.{shown.key_of(name)}"), name) for name in known]
        told = shown.differences(results, measure, words) if measure in MEASURES else ()
        text = [shown.chart_text(results, measure, words)] if measure else []
        return {
            parts.table: table_html(shown.head(words), shown.rows(results, words))
            + lines_html([t("documents_eval.intervals")]),
            parts.measure: gr.Dropdown(names, value=measure),
            parts.plot: gr.Plot(shown.chart(results, measure, words) if measure else None),
            parts.differences: lines_html([*text, *told]) + self._answers(results),
        }

    def _answers(self, results: Mapping[str, Any]) -> str:
        """How well a model answered, where one was asked; what ended it too early."""
        words = self.ui.words
        told, rows = shown.answers_told(results, words), shown.answer_rows(results, words)
        if told is None:
            return ""
        error = results["answers"].get("error")
        said = table_html(shown.answer_head(words), rows) + lines_html([told]) if rows else ""
        return said + (kit.error_html(error_from(error), self.ui) if error else "")

    def _told(self, going: Job | None, jobs: list[Job], some: bool) -> str:
        t = self.ui.t
        if going is None:
            if jobs and jobs[-1].error is not None:
                return kit.error_html(error_from(dict(jobs[-1].error)), self.ui)
            return "" if some else f"<p>{html.escape(t('documents_eval.none'))}</p>"
        told = present.Progress(t("documents.queued") if going.state == "queued" else t("documents.starting"))
        if going.total:
            left = self.ui.words.seconds(going.eta)
            said = t("documents_eval.progress", done=going.done or 0, total=going.total, left=left)
            told = present.Progress(said, min(1.0, (going.done or 0) / going.total))
        return kit.progress_html(told)

    def _name(self, job: Job) -> str:
        words, results = self.ui.words, job.result or {}
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(job.created))
        count = words.n("documents_eval.count", len(results["configurations"]))
        return " · ".join((when, words.n("documents_eval.questions", results["questions"]), count))
