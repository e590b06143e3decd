"""What every Gradio tab shares: header, sidebar with model and parameters, errors as sentences.

The mirror of `streamlit_kit`, verb by verb. Knows no backend; what a person does is kept in `gr.State` and `Ui.opened`.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any, Literal

import gradio as gr

from apps import gradio_status as status
from apps import host
from apps.gradio_chat.opened import Opened
from apps.options import Options
from apps.ui import present
from apps.ui.controls import GROUPS, Control, controls, followed
from apps.ui.i18n import LANGUAGES, Language, Words, words
from apps.ui.sections import Section
from engine.catalog import ModelCard
from engine.engine import Engine
from engine.errors import EngineError, UnknownModel
from engine.model import Model
from engine.params import BY_NAME, Params
from engine.person import Person
from engine.support import unsupported

# Shown on nothing, not hidden alone: of hidden progress too the browser notes the state of every output at every event,
# each found by a walk through all components, which was three quarters of the processor that opening the page took.
INTERNAL: dict[str, Any] = {"api_visibility": "private", "show_progress": "hidden", "show_progress_on": []}
STATE_EVERY_S = 10.0
LOADING_EVERY_S = 2.0


@dataclass(frozen=True)
class Ui:
    """One interface in one language over one engine; `opened` belongs to the process, the rest are values."""

    engine: Engine
    lang: Language
    options: Options
    opened: Opened = field(default_factory=Opened)

    @property
    def words(self) -> Words:
        """The texts of this interface."""
        return words(self.lang)

    def t(self, key: str, **values: Any) -> str:
        """The text under `key`."""
        return self.words.t(key, **values)

    def person(self, request: gr.Request) -> Person:
        """Who asks. Raises AccessDenied."""
        return host.person_of(dict(request.headers))

    def model(self, model_id: str | None, person: Person) -> Model:
        """The model, if the person may use it. Raises UnknownModel, AccessDenied."""
        return self.engine.model(model_id or None, role=person.role, owner=person.id)

    def refused(self, model_id: str, request: gr.Request) -> Mapping[str, str]:
        """Parameters and features that the model does not take, with the key of the reason."""
        try:
            return unsupported(self.model(model_id, self.person(request)))
        except EngineError:  # of one that this person may not open, nothing is known
            return {}


def on(read: Any, written: Any, *pairs: tuple[Any, Any]) -> list[Any]:
    """Have each event call its handler; the events that follow, in the same order."""
    return [event(handler, read, written, **INTERNAL) for event, handler in pairs]


def header(ui: Ui, section: Section) -> None:
    """Title of a section, and the question that it answers."""
    gr.HTML(f"<h1>{_esc(ui.t(f'section.{section.key}'))}</h1><p>{_esc(ui.t(f'question.{section.key}'))}</p>",
            elem_classes="atelier-header")  # fmt: skip


def control(ui: Ui, row: Control) -> gr.components.Component:
    """One parameter as a widget with label, explanation and bounds."""
    shared: dict[str, Any] = {"label": row.label, "info": row.help, "value": row.value, "elem_id": f"param-{row.name}"}
    if row.kind == "slider":
        return gr.Slider(row.low, row.high, step=row.step, **shared)
    if row.kind == "number" and row.value is None:  # an empty gr.Number becomes 0 in the browser
        return gr.Textbox(placeholder=ui.t("sidebar.empty_seed"), lines=1, max_lines=1, **shared)
    if row.kind == "number":
        return gr.Number(minimum=row.low, maximum=row.high, precision=0 if row.whole else None, **shared)
    if row.kind == "choice":
        return gr.Dropdown(list(row.choices), **shared)
    return gr.Textbox(lines=2, placeholder="\n".join(row.choices) or None, **shared)


def hint(text: str) -> str:
    """A "?" that opens an explanation, for HTML; the `info` of a control becomes one by itself."""
    return f'<details class="atelier-hint"><summary aria-label="?">?</summary><span>{_esc(text)}</span></details>'


@dataclass(frozen=True)
class Sidebar:
    """The controls that every tab reads: the model and the parameters, by name. `opened` is the event that has set them
    as the address says: what asks a model comes after it.
    """

    ui: Ui
    model: gr.Dropdown
    params: Mapping[str, gr.components.Component]
    state: gr.HTML
    before: gr.State
    opened: Any = None

    @property
    def inputs(self) -> set[Any]:
        """What a handler takes to know model and parameters."""
        return {self.model, *self.params.values()}

    def chosen(self, values: Mapping[Any, Any]) -> tuple[str, Params]:
        """Model id and parameters of a handler's values. Raises BadParameter."""
        given = {name: values[box] for name, box in self.params.items()}
        return values[self.model], Params({name: value for name, value in given.items() if value not in (None, "")})

    def from_address(self, query: Mapping[str, str], request: gr.Request | None = None) -> dict[Any, Any]:
        """What a link sets: model and parameters. What it sets wrongly keeps its default and is said in a note."""
        card = self._wanted(query.get("model"))
        choices = model_choices(self.ui, card, request)
        updates: dict[Any, Any] = {self.model: gr.Dropdown(choices=choices, value=card.id)}
        updates |= self.follow({}, card) | {self.before: card.id}
        for name, box in self.params.items():
            if name in query:
                updates |= self._set(name, box, query[name])
        return updates

    def follow(self, values: Mapping[Any, Any], after: ModelCard, before: ModelCard | None = None) -> dict[Any, Any]:
        """The parameters that nobody moved, as this model's configuration says; `before` is the model until now."""
        own = {} if before is None else self.ui.engine.defaults(before)
        shown = {name: values.get(box, as_text(BY_NAME[name].default)) for name, box in self.params.items()}
        moved = followed(shown, own, self.ui.engine.defaults(after), lambda _, value: as_text(value))
        return {self.params[name]: value for name, value in moved.items()}

    def _wanted(self, model_id: str | None) -> ModelCard:
        catalog, default = self.ui.engine.catalog, self.ui.engine.settings.model
        try:
            return catalog.card(model_id or default)
        except UnknownModel as error:
            self._note(error)
            return catalog.card(default)

    def _set(self, name: str, box: Any, text: str) -> dict[Any, Any]:
        try:
            value = BY_NAME[name].check(text)
        except EngineError as error:
            self._note(error)
            return {}
        return {box: as_text(value)}

    def _note(self, error: EngineError) -> None:
        text = present.error_text(error, self.ui.words)
        gr.Warning(text.todo, title=text.what)


def sidebar(ui: Ui, blocks: gr.Blocks) -> Sidebar:
    """The left column: name, model and its state, parameters, language. It comes before every tab."""
    with gr.Sidebar(label=ui.t("sidebar.parameters"), width=300):
        gr.HTML(f"<h2>{_esc(ui.t('app.name'))}</h2>", elem_classes="atelier-header")
        default = ui.engine.catalog.card(ui.engine.settings.model)
        model = gr.Dropdown(model_choices(ui, default), value=default.id, label=ui.t("sidebar.model"),
                            info=ui.t("sidebar.model_help"), elem_id="model")  # fmt: skip
        state = gr.HTML(elem_id="model-state")
        params = _parameters(ui, model)
        gr.HTML(_languages(ui), elem_classes="atelier-language")
    bar = Sidebar(ui, model, params, state, gr.State(default.id))
    blocks.load(None, None, None, js=_FOLD.format(label=json.dumps(ui.t("gradio.column"))))
    blocks.load(None, None, None, js=_HINTS)
    _keep_in_address(bar)
    _follow_state(bar, blocks)
    _grey(bar, blocks)
    _follow_model(bar)
    return replace(bar, opened=_follow_address(bar, blocks))


def _parameters(ui: Ui, model: gr.Dropdown) -> dict[str, gr.components.Component]:
    rows = controls(ui.lang)
    boxes: dict[str, gr.components.Component] = {}
    with gr.Accordion(ui.t("sidebar.parameters"), open=False):
        for group in GROUPS:
            inside = [row for row in rows if row.group == group]
            if group == "basic":
                boxes |= {row.name: control(ui, row) for row in inside}
            elif inside:
                with gr.Accordion(ui.t(f"group.{group}"), open=False):
                    boxes |= {row.name: control(ui, row) for row in inside}
        reset = gr.Button(ui.t("sidebar.reset_parameters"), size="sm", elem_id="params-reset")
    cleared = reset.click(None, None, None, js=_RESET.format(names=json.dumps(list(boxes))))
    cleared.then(partial(started, ui, boxes), model, list(boxes.values()), **INTERNAL)
    return boxes


def started(ui: Ui, boxes: Mapping[str, Any], model_id: str) -> dict[Any, Any]:
    """Every parameter as it is where nobody moved it: as the model's configuration says, else the usual value."""
    try:
        own = ui.engine.defaults(ui.engine.catalog.card(model_id))
    except UnknownModel:  # an instance that is gone
        own = {}
    usual = {row.name: row.value for row in controls(ui.lang)}
    return {box: as_text(own[name]) if name in own else usual[name] for name, box in boxes.items()}


# On a phone the column would cover the page; Gradio opens it there too, and names its button in English only.
_FOLD = """() => {{ const column = document.querySelector(".sidebar"), button = column?.querySelector(".toggle-button");
button?.setAttribute("aria-label", {label});
if (column?.classList.contains("open") && window.innerWidth < 768) button?.click(); }}"""
# Gradio shows the explanation of a control at all times and allows no HTML in it: it folds into a "?".
_HINTS = """() => { const toggle = (event) => { const hint = event.target.closest?.(".atelier-hint-info");
  if (!hint || (event.type === "keydown" && event.key !== "Enter" && event.key !== " ")) return;
  event.preventDefault(); hint.setAttribute("aria-expanded", hint.classList.toggle("open")); };
const fold = () => document.querySelectorAll(".gradio-container [class*=info-text]:not([tabindex])").forEach(hint => {
  hint.classList.add("atelier-hint-info"); hint.tabIndex = 0; hint.setAttribute("role", "button");
  hint.setAttribute("aria-expanded", "false"); });
document.addEventListener("click", toggle); document.addEventListener("keydown", toggle);
let soon = 0;
new MutationObserver(() => { soon ||= requestAnimationFrame(() => { soon = 0; fold(); }); })
  .observe(document.body, { childList: true, subtree: true });
fold(); }"""
# The address follows the controls without a round trip; only what differs from the defaults stands in it.
_RESET = """() => {{ const url = new URL(location.href); {names}.forEach(name => url.searchParams.delete(name));
history.replaceState(null, "", url); }}"""
_KEEP = """(...values) => {{ const url = new URL(location.href), names = {names}, starts = {starts};
names.forEach((name, at) => {{ const value = values[at];
  const same = value === null || value === undefined || String(value) === String(starts[at] ?? "");
  if (same) url.searchParams.delete(name);
  else url.searchParams.set(name, String(value)); }});
history.replaceState(null, "", url); }}"""


def _keep_in_address(bar: Sidebar) -> None:
    names = ["model", *bar.params]
    boxes: list[Any] = [bar.model, *bar.params.values()]
    starts = [bar.ui.engine.settings.model, *(box.value for box in bar.params.values())]
    gr.on([box.input for box in boxes], None, boxes, None,
          js=_KEEP.format(names=json.dumps(names), starts=json.dumps(starts)))  # fmt: skip


def _follow_address(bar: Sidebar, blocks: gr.Blocks) -> Any:
    def opened(request: gr.Request) -> dict[Any, Any]:
        return bar.from_address(request.query_params, request)

    return blocks.load(opened, None, [bar.model, bar.before, *bar.params.values()], **INTERNAL)


def _follow_model(bar: Sidebar) -> None:
    """Another model has other defaults, where the teacher configured it."""
    catalog = bar.ui.engine.catalog

    def look(values: dict[Any, Any]) -> dict[Any, Any]:
        try:
            before, after = catalog.card(values[bar.before]), catalog.card(values[bar.model])
        except UnknownModel:  # an instance that is gone
            return {bar.before: bar.ui.engine.settings.model}
        return {bar.before: after.id, **bar.follow(values, after, before)}

    gr.on([bar.model.input], look, bar.inputs | {bar.before}, [bar.before, *bar.params.values()], **INTERNAL)


def as_text(value: Any) -> Any:
    """A value as a control holds it: lines as one text."""
    return "\n".join(value) if isinstance(value, tuple | list) else value


def _follow_state(bar: Sidebar, blocks: gr.Blocks) -> None:
    timer = gr.Timer(STATE_EVERY_S)

    def look(model_id: str, shown: str | None, request: gr.Request) -> Any:
        text, loading = status.html_of(bar.ui.engine, model_id, bar.ui.words, _me(bar.ui, request))
        changed = gr.skip() if text == shown else text
        return changed, gr.Timer(LOADING_EVERY_S if loading else STATE_EVERY_S)

    gr.on([timer.tick, bar.model.change], look, [bar.model, bar.state], [bar.state, timer], **INTERNAL)
    blocks.load(look, [bar.model, bar.state], [bar.state, timer], **INTERNAL)


def _grey(bar: Sidebar, blocks: gr.Blocks) -> None:
    """What the model does not take is grey, and says why."""
    ui, explained = bar.ui, {row.name: row.help for row in controls(bar.ui.lang)}

    def look(model_id: str, request: gr.Request) -> dict[Any, Any]:
        why = ui.refused(model_id, request)
        return {
            box: type(box)(interactive=name not in why,
                           info=f"{explained[name]} {ui.t(why[name])}" if name in why else explained[name])
            for name, box in bar.params.items()
        }  # fmt: skip

    gr.on([bar.model.change, blocks.load], look, bar.model, list(bar.params.values()), **INTERNAL)


def _me(ui: Ui, request: gr.Request) -> Person | None:
    return ui.person(request) if ui.options.guarded else None


def role_of(ui: Ui, request: gr.Request | None = None) -> Literal["student", "teacher"]:
    """Whose choices are shown: of a class a student's, until a request says who looks."""
    if request is None:
        return "student" if ui.options.guarded else "teacher"
    return ui.person(request).role


def model_choices(ui: Ui, chosen: ModelCard, request: gr.Request | None = None) -> list[tuple[str, str]]:
    """The models that can be used as (name, id); a remote one that is chosen is one of them."""
    names = {card.id: card.name for card in ui.engine.models(role_of(ui, request)) if not card.problem}
    return [(name, model_id) for model_id, name in ({chosen.id: chosen.name} | names).items()]


def _languages(ui: Ui) -> str:
    links = " | ".join(
        f'<strong aria-current="true" lang="{lang}">{lang.upper()}</strong>' if lang == ui.lang
        # Model and parameters travel with the link as they stand in the address now.
        else f'<a href="../{lang}/" lang="{lang}" hreflang="{lang}" aria-label="{words(lang).t(f"language.{lang}")}" '
        f'onclick="this.search = location.search">{lang.upper()}</a>'
        for lang in LANGUAGES
    )  # fmt: skip
    return f'<nav aria-label="{_esc(ui.t("sidebar.language"))}">{links}</nav>'


def error_html(error: EngineError | present.ErrorText, ui: Ui) -> str:
    """An error as a person reads it: what happened, what to do, the code in small, details folded."""
    text = present.error_text(error, ui.words) if isinstance(error, EngineError) else error
    details = f"<details><summary>{_esc(ui.t('error.ui.details'))}</summary><pre>{_esc(text.details)}</pre></details>"
    return (
        f'<div role="alert" class="atelier-alert"><strong>{_esc(text.what)}</strong> {_esc(text.todo)} '
        f"<small>{_esc(ui.t('error.ui.code', code=text.code))}</small>{details if text.details else ''}</div>"
    )


def progress_html(view: present.Progress) -> str:
    """What is shown while nothing is written yet: a sentence, and a bar that moves."""
    share = f' value="{view.share:.3f}"' if view.share is not None else ""
    text = _esc(view.text)
    return f'<div role="status" class="atelier-progress">{text} <progress aria-label="{text}"{share}></progress></div>'


def guard(ui: Ui, error: EngineError) -> gr.Error:
    """An EngineError as Gradio's own, in the interface's language: what clients of the named endpoints get."""
    text = present.error_text(error, ui.words)
    return gr.Error(f"{text.sentence} ({text.code})", print_exception=False)


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
