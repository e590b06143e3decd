"""Prompts as HTML forms, and the one that a slash command means. Knows no event and no layout."""

from __future__ import annotations

import html

from apps.gradio_chat import acts
from apps.gradio_kit import Ui
from engine.person import Person
from engine.prompts import Prompt, Prompts, Variable, matching, samples

TYPES = {"number": "number", "date": "date", "time": "time", "checkbox": "checkbox", "file": "file"}


def everything(ui: Ui, person: Person) -> tuple[Prompt, ...]:
    """The prompts of the person, then the ready ones whose command is free."""
    own = Prompts(ui.engine.library).all(person.id)
    taken = {prompt.command for prompt in own}
    return (*own, *(prompt for prompt in samples(ui.lang) if prompt.command not in taken))


def meant(ui: Ui, person: Person, typed: str) -> Prompt | None:
    """The prompt that `/typed` means; None where it means none."""
    return next(iter(matching(everything(ui, person), typed.strip())), None)


def form(ui: Ui, prompt: Prompt) -> str:
    """A field for each variable, and the button that puts the text into the message."""
    fields = "".join(f"<label>{html.escape(one.name)}{' *' if one.required else ''} {_field(one)}</label>"
                     for one in prompt.variables)  # fmt: skip
    use = acts.button("insert", ui.t("chat_library.insert"), ui.t("chat_library.insert_help"))
    return f"<pre>{html.escape(prompt.text)}</pre>{fields}{use}"


def _field(one: Variable) -> str:
    name, start = html.escape(one.name, quote=True), html.escape(one.default or "", quote=True)
    if one.kind == "select":
        options = "".join(f"<option{' selected' if choice == one.default else ''}>{html.escape(choice)}</option>"
                          for choice in one.choices)  # fmt: skip
        return f'<select data-name="{name}">{"" if one.default else "<option></option>"}{options}</select>'
    if one.kind == "textarea":
        return f'<textarea data-name="{name}" rows="3">{html.escape(one.default or "")}</textarea>'
    bounds = "".join(f' {key}="{value:g}"' for key, value in (("min", one.low), ("max", one.high)) if value is not None)
    step = f' step="{one.step:g}"' if one.step else ' step="any"' if one.kind == "number" else ""
    checked = " checked" if one.kind == "checkbox" and one.default == "true" else ""
    hint = html.escape(one.placeholder, quote=True)
    kind = TYPES.get(one.kind, "text")
    return f'<input type="{kind}" data-name="{name}" value="{start}" placeholder="{hint}"{bounds}{step}{checked}>'
