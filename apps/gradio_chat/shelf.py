"""The person's conversations as a list of buttons, and what can be exported of them. Knows no event."""

from __future__ import annotations

import html
import json
from collections.abc import Iterator

from apps.gradio_chat.acts import button
from apps.gradio_kit import Ui
from engine.chats import ChatLine
from engine.conversation import Conversation
from engine.person import Person

LISTED = 40
MANY = 10_000
FORMS = ("json", "markdown", "jsonl", "all")
KINDS = {"json": "application/json", "md": "text/markdown", "jsonl": "application/jsonl"}
ENDINGS = {"json": "json", "markdown": "md", "jsonl": "jsonl", "all": "json"}


def listed(ui: Ui, person: Person, search: str, current: str | None) -> str:
    """The conversations that match, the open one marked and with what can be done with it."""
    lines = ui.engine.chats.lines(person.id, search, limit=LISTED + 1)
    if not lines:
        return f"<p>{html.escape(ui.t('chat_list.nothing_found' if search else 'chat_list.none'))}</p>"
    shown = "".join(f"<li>{''.join(_line(ui, line, line.id == current))}</li>" for line in lines[:LISTED])
    more = f"<p>{html.escape(ui.t('gradio.search_for_more'))}</p>" if len(lines) > LISTED else ""
    return f'<ul aria-label="{html.escape(ui.t("chat_list.title"))}">{shown}</ul>{more}'


def _line(ui: Ui, line: ChatLine, current: bool) -> Iterator[str]:
    title = line.title or ui.t("chat_list.untitled")
    shown = f"{'📌 ' if line.pinned else ''}{title}"
    if not current:
        yield button("open", shown, ui.t("chat_list.open_help"), chat=line.id)
        return
    yield f'<strong aria-current="true">{html.escape(shown)}</strong>'
    pin = "unpin" if line.pinned else "pin"
    yield button(pin, "📌", f"{ui.t(f'chat_list.{pin}')}. {ui.t('chat_list.pin_help')}", chat=line.id)
    yield button("delete", "🗑", f"{ui.t('chat_list.delete')}. {ui.t('chat_list.delete_help')}", chat=line.id)


def undelete(ui: Ui, gone: Conversation) -> str:
    """The line that takes a deletion back."""
    text = ui.t("chat_list.deleted", title=gone.title or ui.t("chat_list.untitled"))
    return f"<p>{html.escape(text)} {button('undelete', ui.t('chat_list.undelete'))}</p>"


def exports(ui: Ui) -> str:
    """A button for each form of export."""
    return "".join(button("export", f"⤓ {ui.t(f'chat_list.export_{form}')}", form=form) for form in FORMS)


def exported(ui: Ui, person: Person, form: str, one: Conversation) -> tuple[str, str, str]:
    """Name, media type and text of an export; "all" are all conversations of the person."""
    from engine.transfer import export_all, export_conversation, to_markdown, to_openai_jsonl

    ending = ENDINGS[form]
    if form == "markdown":
        text = to_markdown([one], {role: ui.t(f"chat_role.{role}") for role in ("system", "user", "assistant", "tool")})
    elif form == "jsonl":
        text = to_openai_jsonl([one])
    elif form == "json":
        text = json.dumps(export_conversation(one), indent=2, ensure_ascii=False)
    else:
        chats = ui.engine.chats
        every = (chats.get(person.id, line.id) for line in chats.lines(person.id, limit=MANY))
        text = json.dumps(export_all(every), indent=2, ensure_ascii=False)
    return f"{file_name(one.title) if form != 'all' else 'conversations'}.{ending}", KINDS[ending], text


def file_name(title: str) -> str:
    """A name for a file, of a title."""
    return "".join(sign if sign.isalnum() else "-" for sign in title[:40]).strip("-") or "chat"
