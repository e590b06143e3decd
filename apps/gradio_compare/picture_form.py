"""The form of a model's inputs as one piece of HTML, made from the model's own description, which is escaped.

Knows no event.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping, Sequence
from typing import Any

from apps.gradio_kit import Ui
from apps.ui import pictures
from engine.errors import BadInput
from engine.replicate_form import DATA_MAX, TEXT_MAX, Field

_GRID = "display:grid;gap:.6rem;grid-template-columns:repeat(auto-fit,minmax(min(100%,18rem),1fr))"
_LABEL = "display:flex;flex-direction:column;gap:.2rem"
FORM_MAX = DATA_MAX * 2  # characters of what a browser says that its form holds
# What the form holds now, as text; a file is read by the browser and told as a data: URL.
COLLECT = """async () => {
  const held = {}, read = (file) => new Promise((told) => {
    const reader = new FileReader(); reader.onload = () => told(reader.result); reader.readAsDataURL(file); });
  for (const field of document.querySelectorAll("#picture-form [data-name]")) {
    held[field.dataset.name] = field.type === "checkbox" ? field.checked
      : field.type === "file" ? (field.files[0] ? await read(field.files[0]) : "")
      : field.value;
  }
  return JSON.stringify(held);
}"""


def form_html(ui: Ui, model: str, fields: Sequence[Field], held: Mapping[str, Any] | None = None) -> str:
    """The fields, four in sight and the rest folded; `held` is what they begin with instead of the model's defaults."""
    said = _esc(ui.t("compare_images.form_of", model=model))
    if not fields:
        return f"<p class='atelier-note'>{_esc(ui.t('compare_images.no_form'))}</p>"
    sight, folded = pictures.parts(fields)
    more = ""
    if folded:
        rows = "".join(_field(ui, field, held or {}) for field in folded)
        named = _esc(ui.t("compare_images.more"))
        more = f'<details><summary>{named}</summary><div style="{_GRID}">{rows}</div></details>'
    rows = "".join(_field(ui, field, held or {}) for field in sight)
    return f'<p class="atelier-note">{said}</p><div style="{_GRID}">{rows}</div>{more}'


def held_of(text: Any, fields: Sequence[Field]) -> dict[str, Any]:
    """What a browser says that the form holds; numbers are read by the fields themselves. Raises BadInput."""
    told = str(text or "{}")
    try:
        found = json.loads(told) if len(told) <= FORM_MAX else None
    except (ValueError, RecursionError):
        found = None
    if not isinstance(found, dict):
        raise BadInput("this is no form", what="inputs")
    return pictures.given(fields, {name: _read(value) for name, value in found.items()})


def _read(value: Any) -> Any:
    return value if isinstance(value, str | bool | int | float) else None


def _field(ui: Ui, field: Field, held: Mapping[str, Any]) -> str:
    value = held.get(field.name, field.default)
    label = _esc(f"{field.label} *" if field.required else field.label)
    told = _esc(pictures.help_of(field, ui.words))
    return f'<label title="{told}" style="{_LABEL}"><span>{label}</span>{_box(field, value)}</label>'


def _box(field: Field, value: Any) -> str:
    name = f'data-name="{_esc(field.name)}"'
    if field.kind == "choice":
        empty = [] if field.required or field.default is not None else [""]
        options = "".join(_option(one, one == value) for one in [*empty, *field.choices])
        return f"<select {name}>{options}</select>"
    if field.kind == "boolean":
        return f'<input type="checkbox" {name}{" checked" if value else ""}>'
    if field.kind == "file":
        kinds = ",".join(f".{one}" for one in pictures.ACCEPTED)
        return f'<input type="file" {name} accept="{kinds}">'
    if field.kind in ("integer", "number"):
        bounds = {"min": field.low, "max": field.high, "step": 1 if field.kind == "integer" else "any"}
        said = "".join(f' {bound}="{number}"' for bound, number in bounds.items() if number is not None)
        return f'<input type="number" {name}{said} value="{"" if value is None else _esc(str(value))}">'
    text = "\n".join(map(str, value)) if isinstance(value, list) else str(value or "")
    if field.kind == "text":
        return f'<input type="text" {name} maxlength="{TEXT_MAX}" value="{_esc(text)}">'
    return f'<textarea {name} rows="3" maxlength="{TEXT_MAX}">{_esc(text)}</textarea>'


def _option(value: Any, chosen: bool) -> str:
    return f'<option value="{_esc(str(value))}"{" selected" if chosen else ""}>{_esc(str(value) or "–")}</option>'


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
