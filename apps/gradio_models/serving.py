"""The tab of the server: addresses and routes, keys, log, a request to copy. Components and handlers."""

from __future__ import annotations

import html
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps import host
from apps.gradio_chat.trace import COLOURED
from apps.gradio_documents.desk import Update, Values, lines_html, table_html
from apps.gradio_kit import Ui
from apps.gradio_models.desk import Desk, paragraph, whole
from apps.gradio_models.parts import LINE, WRAP, button
from apps.gradio_models.publishing import Published, published
from apps.gradio_models.slots import Port, Slots, port, slots
from apps.ui import doors
from engine.errors import EngineError
from engine.requestlog import Level

LIVE_S = 2.0
DAYS_MAX = 36500


@dataclass(frozen=True)
class Where:
    """Addresses and routes, which sites may call them, and how often anybody may."""

    tab: gr.Tab
    shown: gr.HTML
    cors: gr.Column
    origins: gr.Textbox
    rate: gr.Textbox
    save: gr.Button
    told: gr.HTML
    port: Port


@dataclass(frozen=True)
class Keys:
    """API keys."""

    tab: gr.Tab
    form: gr.Column
    name: gr.Textbox
    days: gr.Textbox
    requests: gr.Textbox
    tokens: gr.Textbox
    create: gr.Button
    once: gr.HTML
    table: gr.HTML
    chosen: gr.Dropdown
    revoke: gr.Button

    @property
    def written(self) -> list[Any]:
        """What another state of the keys writes."""
        return [self.form, self.once, self.table, self.chosen]


@dataclass(frozen=True)
class Log:
    """Requests as they come."""

    tab: gr.Tab
    level: gr.Dropdown
    filter: gr.Textbox
    live: gr.Checkbox
    table: gr.HTML
    clock: gr.Timer


@dataclass(frozen=True)
class Asked:
    """A request to copy."""

    tab: gr.Tab
    route: gr.Dropdown
    stream: gr.Checkbox
    message: gr.Textbox
    form: gr.Radio
    code: gr.Code


@dataclass(frozen=True)
class Server:
    """The tab."""

    where: Where
    published: Published
    keys: Keys
    slots: Slots
    log: Log
    asked: Asked


def server(ui: Ui) -> Server:
    """Lay it out."""
    made: dict[str, Any] = {}
    with gr.Tabs(elem_id="models-server-tabs", **WRAP):
        parts = (("where", _where), ("published", published), ("keys", _keys), ("slots", slots), ("log", _log),
                 ("request", _asked))  # fmt: skip
        for name, build in parts:
            with gr.Tab(ui.t(f"models_server.{name}"), id=f"server-{name}", elem_id=f"server-{name}") as tab:
                made["asked" if name == "request" else name] = build(ui, tab)
    return Server(**made)


def _where(ui: Ui, tab: gr.Tab) -> Where:
    t = ui.t
    shown = gr.HTML(elem_id="server-addresses")
    with gr.Column(visible=False) as cors:
        origins = gr.Textbox("", label=t("models_server.cors"), info=t("models_server.cors_help"), lines=2,
                             max_lines=6, elem_id="server-origins")  # fmt: skip
        rate = gr.Textbox("", label=t("models_server.rate"), info=t("models_server.rate_help"),
                          elem_id="server-rate", **LINE)  # an empty number would be 0: no limit  # fmt: skip
        save = button(t("models_server.cors_save"), "server-cors-save")
    told = gr.HTML(elem_classes="atelier-slot", elem_id="server-told")
    return Where(tab, shown, cors, origins, rate, save, told, port(ui))


def _keys(ui: Ui, tab: gr.Tab) -> Keys:
    t = ui.t
    with gr.Column(visible=False) as form:
        with gr.Row():
            name = gr.Textbox("", label=t("models_keys.name"), max_length=80, elem_id="key-name", **LINE)
            days = gr.Textbox("", label=t("models_keys.days"), info=t("models_keys.days_help"), **LINE)
            requests = gr.Textbox("", label=t("models_keys.requests"), info=t("models_keys.limit_help"), **LINE)
            tokens = gr.Textbox("", label=t("models_keys.tokens"), info=t("models_keys.limit_help"), **LINE)
        create = button(t("models_keys.create"), "key-create", variant="primary")
        once = gr.HTML(elem_classes="atelier-slot", elem_id="key-once")
    table = gr.HTML(elem_id="keys-table")
    with gr.Row():
        chosen = gr.Dropdown([], label=t("models_keys.choose"), visible=False, min_width=200, elem_id="key-chosen")
        revoke = button(t("models_keys.revoke"), "key-revoke", variant="stop", visible=False)
    return Keys(tab, form, name, days, requests, tokens, create, once, table, chosen, revoke)


def _log(ui: Ui, tab: gr.Tab) -> Log:
    t = ui.t
    with gr.Row():
        levels = [(t(f"models_log.level_of.{level}"), level) for level in doors.ANY_LEVEL]
        level = gr.Dropdown(levels, value=doors.ANY_LEVEL[0], label=t("models_log.level"), min_width=120,
                            elem_id="log-level")  # fmt: skip
        filter_ = gr.Textbox("", label=t("models_log.filter"), placeholder=t("models_log.filter_hint"),
                             elem_id="log-filter", **LINE)  # fmt: skip
        live = gr.Checkbox(False, label=t("models_log.live"), min_width=160, elem_id="log-live")
    return Log(tab, level, filter_, live, gr.HTML(elem_id="log-table"), gr.Timer(LIVE_S, active=False))


def _asked(ui: Ui, tab: gr.Tab) -> Asked:
    t = ui.t
    with gr.Row():
        routes = [(f"{path} · {t(f'models_route.{name}')}", name) for _, path, name in doors.ROUTES
                  if name in doors.ASKED]  # fmt: skip
        route = gr.Dropdown(routes, value=doors.ASKED[0], label=t("models_request.route"), scale=3, min_width=220,
                            elem_id="request-route")  # fmt: skip
        stream = gr.Checkbox(True, label=t("models_request.stream"), info=t("models_request.stream_help"),
                             min_width=240)  # fmt: skip
    message = gr.Textbox(t("models_request.message_default"), label=t("models_request.message"), lines=2,
                         max_lines=6, elem_id="request-message")  # fmt: skip
    forms = [(t(f"code.{name}"), name) for name in doors.FORMS]
    form = gr.Radio(forms, value=doors.FORMS[0], label=t("models_request.copy"), elem_id="request-form")
    code = gr.Code(language="shell", label=t("models_request.copy"), interactive=False, elem_id="request-code")
    return Asked(tab, route, stream, message, form, code)


class Serving:
    """What the tab's events do."""

    def __init__(self, desk: Desk, parts: Server) -> None:
        self.desk, self.parts, self.ui = desk, parts, desk.ui

    def where(self, values: Values, request: gr.Request) -> Update:
        """The addresses, the routes and what a program needs to come in."""
        ui, words, parts = self.ui, self.ui.words, self.parts.where
        options = host.extra_port().shown(ui.options)
        told = table_html(doors.address_head(words), doors.address_rows(options, words))
        notes = ["models_server.class_needs_key" if options.guarded else "models_server.loopback"]
        notes += [] if options.lmstudio_port else ["models_server.lmstudio_off"]
        told += lines_html(words.t(key) for key in notes)
        routes = table_html(doors.route_head(words), doors.route_rows(words))
        told += f"<details><summary>{html.escape(words.t('models_server.routes'))}</summary>{routes}</details>"
        teacher = self.desk.is_teacher(request)
        origins = "\n".join(ui.engine.serving.origins()) if teacher else ""
        return {parts.shown: f"<p>{html.escape(words.t('models_server.running'))}</p>{told}", parts.told: "",
                parts.cors: gr.Column(visible=teacher), parts.origins: origins,
                parts.rate: str(ui.engine.serving.per_minute()) if teacher else ""}  # fmt: skip

    def allow(self, values: Values, request: gr.Request) -> Update:
        """These sites and so many requests from now on; an empty rate stays as it was."""
        parts, serving = self.parts.where, self.ui.engine.serving
        try:
            self.desk.teacher(request)
            rate = whole(values[parts.rate], "requests_per_minute", low=0)
            kept = serving.allow(str(values[parts.origins] or "").splitlines())
            if rate is not None:
                serving.limit(rate)
        except EngineError as error:
            return {parts.told: kit.error_html(error, self.ui)}
        told = paragraph(self.ui.t("models_server.cors_saved"))
        return {parts.told: told, parts.origins: "\n".join(kept), parts.rate: str(serving.per_minute())}

    def keys(self, values: Values, request: gr.Request) -> Update:
        """The teacher's keys, and what each has used today."""
        parts, words, engine = self.parts.keys, self.ui.words, self.ui.engine
        if not self.desk.is_teacher(request):
            return {parts.form: gr.Column(visible=False), parts.table: lines_html([words.t("models_keys.teacher")]),
                    parts.once: "", parts.chosen: gr.Dropdown(visible=False),
                    parts.revoke: gr.Button(visible=False)}  # fmt: skip
        found = engine.keys.list()
        rows = table_html(doors.key_head(words), doors.key_rows(found, engine.keys.spent(), words))
        open_ = [(f"{key.name or key.id} · {key.id}", key.id) for key in found if key.state() == "open"]
        chosen = gr.Dropdown(open_, value=open_[0][1] if open_ else None, visible=bool(open_))
        return {parts.form: gr.Column(visible=True), parts.chosen: chosen, parts.once: "",
                parts.table: rows if found else lines_html([words.t("models_keys.none")]),
                parts.revoke: gr.Button(visible=bool(open_))}  # fmt: skip

    def create(self, values: Values, request: gr.Request) -> Update:
        """A key; its text is shown this once."""
        parts = self.parts.keys
        try:
            person = self.desk.teacher(request)
            days = whole(values[parts.days], "days")
            limits = {"requests_per_day": whole(values[parts.requests], "requests_per_day"),
                      "tokens_per_day": whole(values[parts.tokens], "tokens_per_day")}  # fmt: skip
            lifetime = None if days is None else timedelta(days=min(days, DAYS_MAX))
            name = str(values[parts.name] or "")
            # it acts for the teacher, with no more powers than a student has
            _, raw = self.ui.engine.keys.create(person, name, lifetime=lifetime, role="student", **limits)
        except EngineError as error:
            return {parts.once: kit.error_html(error, self.ui)}
        told = f"{paragraph(self.ui.t('models_keys.once'))}<pre class='atelier-scroll'>{html.escape(raw)}</pre>"
        return self.keys(values, request) | {parts.once: told, parts.name: ""}

    def revoke(self, values: Values, request: gr.Request) -> Update:
        """The chosen key opens nothing any more."""
        try:
            self.desk.teacher(request)
            self.ui.engine.keys.revoke(str(values[self.parts.keys.chosen] or ""))
        except EngineError as error:
            return {self.parts.keys.once: kit.error_html(error, self.ui)}
        return self.keys(values, request)

    def log(self, values: Values, request: gr.Request) -> str:
        """The last requests of that level, those that match."""
        parts, words, engine = self.parts.log, self.ui.words, self.ui.engine

        def told() -> str:
            if not self.desk.is_teacher(request):
                return lines_html([words.t("models_log.teacher")])
            level: Level = values[parts.level] if values[parts.level] in doors.ANY_LEVEL else "info"
            served = engine.requests.list(level=level, limit=doors.LOGGED)
            names = {key.id: key.name for key in engine.keys.list()}
            rows = doors.log_rows(served, str(values[parts.filter] or ""), names, words)
            table = table_html(doors.log_head(words), rows) if rows else lines_html([words.t("models_log.none")])
            return table + lines_html([words.t("models_log.no_text")])

        return self.desk.said(told)

    def live(self, values: Values, request: gr.Request) -> Update:
        """The log looked at again and again, or no longer."""
        parts = self.parts.log
        on = bool(values[parts.live]) and self.desk.is_teacher(request)
        return {parts.clock: gr.Timer(LIVE_S, active=on), parts.table: self.log(values, request)}

    def code(self, values: Values, request: gr.Request) -> Any:
        """The request in the form that is chosen; embeddings have two forms."""
        parts, options = self.parts.asked, self.ui.options
        route = values[parts.route] if values[parts.route] in doors.ASKED else doors.ASKED[0]
        body = doors.request_body(route, str(values[self.desk.bar.model] or ""), str(values[parts.message] or ""),
                                  bool(values[parts.stream]))  # fmt: skip
        base = doors.bases(options)[-1 if options.guarded else 0]
        forms = {name: (language, text) for name, language, text in
                 doors.request_forms(route, body, base, options.guarded)}  # fmt: skip
        language, text = forms.get(str(values[parts.form]), next(iter(forms.values())))
        return gr.Code(text, language=COLOURED.get(language))
