"""The form of the sides as one piece of HTML: on top of each column its model, folded its own parameters and system
prompt, and what can be done with it. Knows no event and no answer.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping

import gradio as gr

from apps.gradio_chat.acts import button
from apps.gradio_kit import Ui
from apps.ui.compare import ADDRESS, IN_ADDRESS, LETTERS, NAME_MAX, SYSTEM_MAX, Setting, Settings
from apps.ui.controls import GROUPS, Control, controls
from engine.compare.side import SIDES_MAX, SIDES_MIN
from engine.params import PARAMS, Group

Choices = Mapping[str, str]  # id → name
# What the form holds now, as text: it is asked for when something is sent, so that a key typed costs no round trip.
COLLECT = """() => JSON.stringify([...document.querySelectorAll("#compare-form [data-column]")].map(column =>
  Object.fromEntries([...column.querySelectorAll("[data-name]")].map(field => [field.dataset.name, field.value]))))"""
# The columns of the form and those of the answers scroll as one; a button rests while it has nothing to do; the address
# follows the form, without anybody's text.
_SCRIPT = """
const collect = COLLECT;
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (button && !button.disabled) trigger("click", { ...button.dataset, form: collect() });
});
const keep = () => {
  const url = new URL(location.href), said = JSON.parse(collect()).map(({ model, other, system, ...own }) =>
    [model || other, ...SHARED.filter(name => own[name]).map(name => `${name}=${own[name]}`)]
      .map(encodeURIComponent).join(";")).join("|");
  url.searchParams.set("ADDRESS", said);
  if (url.href !== location.href) history.replaceState(null, "", url);
};
element.addEventListener("change", () => { tell(); keep(); });
const all = () => document.querySelectorAll("#compare-form .compare-columns, #compare-answers .compare-columns");
let left = 0;
const align = () => all().forEach(one => { if (one.scrollLeft !== left) one.scrollLeft = left; });
document.addEventListener("scroll", (event) => {
  if (event.target.matches?.(".compare-columns")) { left = event.target.scrollLeft; align(); }
}, true);
const tell = () => element.querySelectorAll("[data-told]").forEach(line => {
  const column = line.closest("[data-column]"), own = [...column.querySelectorAll("[data-label]")];
  const said = own.filter(field => field.value).map(({ dataset, value }) =>
    `${dataset.label} ${value.trim().split(/\\n/).join(", ")}`);
  if (column.querySelector('[data-name="system"]').value.trim()) said.push(line.dataset.told);
  line.textContent = ["", ...said].join(" · ");
});
const rest = () => {
  const told = document.querySelector("#compare-answers .compare-columns")?.dataset ?? {};
  const among = (list, at) => (list ?? "").split(" ").includes(at);
  element.querySelectorAll("[data-column]").forEach(column => {
    const at = column.dataset.column, runs = among(told.running, at);
    column.querySelector('[data-act="halt"]').disabled = !runs;
    column.querySelector('[data-act="again"]').disabled = runs || !among(told.done, at);
  });
  align();
};
document.addEventListener("compare-drawn", rest);
let drawn = false;  // what the page opens with needs no address
watch("value", () => { if (drawn) keep(); drawn = true; tell(); rest(); });
tell();
rest();
"""
_TELL = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("button[data-act]");
  if (button) trigger("click", { ...button.dataset });
});
watch("value", () => document.dispatchEvent(new Event("compare-drawn")));
"""


def form() -> gr.HTML:
    """The form's component, empty; its event `click` carries the button's `data-` attributes and the form."""
    shared = json.dumps([param.name for param in PARAMS if param.kind in IN_ADDRESS])
    script = _SCRIPT.replace("COLLECT", COLLECT).replace("ADDRESS", ADDRESS).replace("SHARED", shared)
    return gr.HTML("", js_on_load=script, elem_id="compare-form", elem_classes=["atelier-slot", "atelier-acts"])


def answers() -> gr.HTML:
    """The component of the answers under it, empty; its event `click` carries a button's `data-` attributes."""
    return gr.HTML("", js_on_load=_TELL, elem_id="compare-answers", elem_classes=["atelier-slot", "atelier-acts"])


def form_html(ui: Ui, settings: Settings, choices: Choices) -> str:
    """The columns with these settings, and the button that adds one."""
    columns = "".join(_column(ui, at, one, choices, len(settings)) for at, one in enumerate(settings))
    more = "" if len(settings) >= SIDES_MAX else button("add", f"+ {ui.t('compare.add')}", ui.t("compare.add_help"))
    return f'<div class="compare-columns">{columns}</div><div class="compare-more">{more}</div>'


def _column(ui: Ui, at: int, setting: Setting, choices: Choices, count: int) -> str:
    letter, t = LETTERS[at], ui.t
    named = _esc(t("compare.settings_of", letter=letter))
    acts = [
        button("again", "↻", t("compare.regenerate", letter=letter), disabled=True, side=str(at)),
        button("halt", "■", t("compare.stop", letter=letter), disabled=True, side=str(at)),
    ]
    if count > SIDES_MIN:
        acts.append(button("drop", "✕", t("compare.remove", letter=letter), side=str(at)))
    own = "".join(_group(ui, group, setting) for group in GROUPS)
    system = (f'<label>{_esc(t("compare.system"))}<textarea data-name="system" rows="3" maxlength="{SYSTEM_MAX}">'
              f"{_esc(setting.system)}</textarea></label>")  # fmt: skip
    return (
        f'<section data-column="{at}" aria-label="{named}">'
        f'<div class="compare-head"><strong>{letter}</strong>{_models(ui, letter, setting, choices)}'
        f'<span role="toolbar" aria-label="{named}">{"".join(acts)}</span></div>'
        f'<details><summary>{_esc(t("compare.settings"))}<span data-told="{_esc(t("compare.with_system"))}"></span>'
        f"</summary>{system}"
        f"{own}</details></section>"
    )


def _group(ui: Ui, group: Group, setting: Setting) -> str:
    """The parameters of a group: the basic ones in sight, the others folded where the column changes none of them."""
    rows = [row for row in controls(ui.lang) if row.group == group]
    fields = "".join(_field(row, setting.own.get(row.name), ui.t("compare_gradio.as_left")) for row in rows)
    grid = f'<div class="compare-own">{fields}</div>'
    if group == "basic":
        return grid
    opened = " open" if any(row.name in setting.own for row in rows) else ""
    return f"<details{opened}><summary>{_esc(ui.t(f'group.{group}'))}</summary>{grid}</details>"


def _models(ui: Ui, letter: str, setting: Setting, choices: Choices) -> str:
    """The chooser; what is in no list is typed."""
    named, listed = _esc(ui.t("compare.model", letter=letter)), setting.model in choices
    options = "".join(_option(model, name, model == setting.model) for model, name in choices.items())
    typed = _option("", ui.t("compare_gradio.other"), not listed)
    return (
        f'<span class="compare-model"><select data-name="model" aria-label="{named}">{options}{typed}</select>'
        f'<input data-name="other" aria-label="{named}" placeholder="{_esc(ui.t("compare_gradio.other_hint"))}" '
        f'value="{"" if listed else _esc(setting.model)}" maxlength="{NAME_MAX}" autocomplete="off" '
        'spellcheck="false"></span>'
    )


def _option(value: str, name: str, chosen: bool) -> str:
    return f'<option value="{_esc(value)}"{" selected" if chosen else ""}>{_esc(name)}</option>'


def _field(row: Control, value: object, empty: str) -> str:
    label, data = _esc(row.label), f'data-name="{row.name}" data-label="{_esc(row.label)}"'
    typed = _esc("\n".join(map(str, value)) if isinstance(value, tuple | list) else "" if value is None else str(value))
    if row.kind == "choice":
        chosen = [_option(one, one, one == value) for one in row.choices]
        box = f"<select {data}>{_option('', empty, value is None)}{''.join(chosen)}</select>"
    elif row.kind in ("lines", "text"):
        box = f'<textarea {data} rows="2" placeholder="{_esc(empty)}">{typed}</textarea>'
    else:
        bounds = {"min": row.low, "max": row.high, "step": row.step}
        said = "".join(f' {name}="{bound}"' for name, bound in bounds.items() if bound is not None)
        box = f'<input type="number" {data}{said} placeholder="{_esc(empty)}" value="{typed}">'
    return f'<label title="{_esc(row.help)}">{label}{box}</label>'


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
