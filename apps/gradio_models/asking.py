"""What the events of the tab of endpoints do. A key that is typed goes to its own endpoint and is written nowhere.

Knows no layout.
"""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_documents.desk import Held, Update, Values, lines_html, table_html
from apps.gradio_models.desk import Desk, paragraph, whole
from apps.gradio_models.reaching import Endpoints
from apps.ui import doors
from apps.ui.endpoint_form import NO_KIND, WINDOW_MIN, Form, row_head, row_rows
from apps.ui.far_models import ordered_row, served_head, served_rows
from engine.connection import Connection
from engine.endpoints import detect
from engine.errors import EngineError
from engine.far_jobs import orders, start_order
from engine.jobs import Job
from engine.person import Person
from engine.providers import Provider

ANY = "/any"  # a key is kept for a model's endpoint: which model does not matter


class Asking:
    """The handlers."""

    def __init__(self, desk: Desk, parts: Endpoints) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def look(self, values: Values, request: gr.Request) -> Update:
        """Every endpoint, as far as it is known."""
        parts, words, engine = self.parts, self.ui.words, self.ui.engine
        person, rows = self.desk.person(request), engine.endpoints.rows()
        tested = _tested(values, parts)
        brought = [row for row in rows if engine.visit_keys.has(person.id, row + ANY)]
        told = table_html(doors.endpoint_head(words), doors.endpoint_rows(rows.values(), tested, brought, words))
        chosen = values[parts.chosen] if values[parts.chosen] in rows else next(iter(rows))
        return {
            parts.table: told + lines_html([words.t("models_endpoint.leaves")]),
            parts.chosen: gr.Dropdown([(row.name, name) for name, row in rows.items()], value=chosen),
            parts.own: gr.Accordion(visible=person.role == "teacher"),
            parts.nature: self._nature(rows[chosen]),
        }

    def test(self, values: Values, request: gr.Request) -> Update:
        """How the chosen one answers, and which models it has."""
        parts, words, engine = self.parts, self.ui.words, self.ui.engine
        person, name = self.desk.person(request), str(values[parts.chosen] or "")
        try:
            found = engine.endpoints.test(name, engine.visit_keys.of(person.id, name + ANY), role=person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui), parts.use: gr.Row(visible=False),
                    parts.far: gr.Accordion(visible=False)}  # fmt: skip
        best = next((one for one in found if one.problem is None), found[0])
        held = Held({**_tested(values, parts), name: best})
        lines = [f"{one.address} · {doors.connection_text(one, words)}" for one in found]
        problems = [one.problem for one in found if one.problem is not None]
        told = lines_html(lines) + (kit.error_html(problems[0], self.ui) if best.problem is not None else "")
        names = [one.id for one in best.models]
        use: Update = {parts.model: gr.Dropdown(names, value=names[0] if names else None),
                       parts.use: gr.Row(visible=best.problem is None)}  # fmt: skip
        use |= self._far(engine.endpoints.row(name), best, person.role == "teacher")
        return self.look({**values, parts.tested: held}, request) | use | {parts.told: told, parts.tested: held}

    def order(self, order: str) -> Callable[[Values, gr.Request], Update]:
        """The handler that has the chosen endpoint load, unload or fetch a model, as a job."""
        parts = self.parts

        def ordered(values: Values, request: gr.Request) -> Update:
            def ask(person: Person) -> Job:
                row, box = str(values[parts.chosen] or ""), parts.pull_name if order == "pull" else parts.model
                window = whole(values[parts.far_window], "window", low=WINDOW_MIN) if order == "load" else None
                key = self.ui.engine.visit_keys.of(person.id, row + ANY)
                model = str(values[box] or "")
                return start_order(self.ui.engine, person.id, order, row, model, window, role=person.role, key=key)

            return self.desk.begun(request, ask)

        return ordered

    def again(self, values: Values, request: gr.Request) -> Update:
        """The endpoint that was given an order, asked how it stands now that the order has been carried out."""
        person, job_id = self.desk.person(request), str(values[self.desk.work.ended] or "")
        try:
            row = ordered_row(self.ui.engine.jobs.get(job_id, person.id))
        except EngineError:  # wiped since, with all that was this person's
            row = None
        if row is None or row != values[self.parts.chosen]:
            return {self.parts.told: gr.skip()}
        return self.test(values, request)

    def _far(self, row: Provider, found: Connection, teacher: bool) -> Update:
        """What a server that takes orders has, and the orders that it takes."""
        parts, words = self.parts, self.ui.words
        seen = teacher and found.problem is None and bool(orders(row))
        told = table_html(served_head(words), served_rows(found.models, words)) if seen else ""
        return {parts.far: gr.Accordion(visible=seen), parts.served: told,
                parts.pulling: gr.Row(visible="pull" in orders(row))}  # fmt: skip

    def detect(self, values: Values, request: gr.Request) -> Update:
        """Which known servers run on this machine; the teacher's to know."""
        parts, words = self.parts, self.ui.words
        try:
            self.desk.teacher(request)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        found = detect()
        names = ", ".join(f"{one.name} ({one.base_url})" for one in found)
        key = "models_endpoint.detected" if found else "models_endpoint.detected_none"
        told = paragraph(words.t(key, names=names) if found else words.t(key))
        held = Held({**_tested(values, parts), **{one.row: one.connection for one in found}})
        chosen = found[0].row if found else values[parts.chosen]
        again = {**values, parts.tested: held, parts.chosen: chosen}
        return self.look(again, request) | {parts.told: told, parts.tested: held}

    def take(self, values: Values, request: gr.Request) -> Update:
        """The chosen model of the endpoint, for every page."""
        parts, engine = self.parts, self.ui.engine
        name = f"{values[parts.chosen]}/{values[parts.model] or ''}"
        try:
            card = engine.catalog.card(name)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        box = gr.Dropdown(choices=kit.model_choices(self.ui, card, request), value=card.id)
        return {parts.told: paragraph(self.ui.t("models_endpoint.used", name=card.name)), self.desk.bar.model: box}

    def keep(self, values: Values, request: gr.Request) -> Update:
        """The typed key, for this person and this visit; the field is emptied at once."""
        return self._key(values, request, str(values[self.parts.key] or ""))

    def forget(self, values: Values, request: gr.Request) -> Update:
        """The key is forgotten."""
        return self._key(values, request, "")

    def save(self, values: Values, request: gr.Request) -> Update:
        """A row of one's own, or another one in its place."""
        parts = self.parts
        try:
            person = self.desk.teacher(request)
            row = self.ui.engine.endpoints.add(self._fields(values), role=person.role, shared=self.ui.options.guarded)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        told = {parts.told: paragraph(self.ui.t("models_endpoint.added", name=row.name))}
        return self.look({**values, parts.chosen: row.id}, request) | told

    def remove(self, values: Values, request: gr.Request) -> Update:
        """A typed row, gone."""
        parts = self.parts
        name = str(values[parts.id] or values[parts.chosen] or "").strip()
        try:
            person = self.desk.teacher(request)
            self.ui.engine.endpoints.remove(name, role=person.role)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        return self.look(values, request) | {parts.told: paragraph(self.ui.t("models_endpoint.removed"))}

    def fill(self, values: Values, request: gr.Request) -> Update:
        """The chosen row in the form, and nothing yet of its models."""
        parts = self.parts
        row = self.ui.engine.endpoints.rows().get(str(values[parts.chosen] or ""))
        use: Update = {
            parts.nature: self._nature(row) if row else "",
            parts.use: gr.Row(visible=False),
            parts.told: "",
            parts.far: gr.Accordion(visible=False),
        }
        if row is None or not self.desk.is_teacher(request):
            return use
        form = Form.of(row)
        window = "" if form.window is None else str(form.window)
        lists = (list(form.params), form.token_field, list(form.quirks), list(form.capabilities), form.price)
        told = (form.id, form.name, form.urls, form.like, form.variable, window, form.students, *lists)
        return use | dict(zip(parts.form, told, strict=True))

    def _key(self, values: Values, request: gr.Request, key: str) -> Update:
        parts, person = self.parts, self.desk.person(request)
        try:
            row = self.ui.engine.endpoints.row(str(values[parts.chosen] or ""))
            self.ui.engine.visit_keys.put(person.id, row.id + ANY, key)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui), parts.key: ""}
        return self.look(values, request) | {parts.key: "", parts.told: ""}

    def _fields(self, values: Values) -> dict[str, Any]:
        parts = self.parts
        id_, name, urls, variable = (
            str(values[box] or "") for box in (parts.id, parts.name, parts.urls, parts.variable)
        )
        window = whole(values[parts.window], "window", low=WINDOW_MIN)
        like, students = str(values[parts.like] or NO_KIND), bool(values[parts.students])
        params, quirks, capabilities = (
            tuple(values[box] or ()) for box in (parts.params, parts.quirks, parts.capabilities)
        )
        spelled, price = str(values[parts.token_field] or ""), str(values[parts.price] or "")
        own = (params, spelled, quirks, capabilities, price)
        return Form(id_, name, urls, like, variable, window, students, *own).fields()

    def _nature(self, row: Provider) -> str:
        """What it takes and how, folded."""
        words = self.ui.words
        title = html.escape(words.t("models_row.title", name=row.name))
        return f"<details><summary>{title}</summary>{table_html(row_head(words), row_rows(row, words))}</details>"


def _tested(values: Values, parts: Endpoints) -> dict[str, Connection]:
    held: Held | None = values[parts.tested]
    return held.value if held is not None else {}
