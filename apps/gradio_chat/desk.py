"""What happens beside the chats: the list of conversations, files for the next message, import and export.

Knows no layout and no backend.
"""

from __future__ import annotations

import html
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import acts, shelf
from apps.gradio_chat.face import Update, Values, outgoing
from apps.gradio_chat.pane import Pane
from apps.gradio_chat.parts import Composer, Where
from apps.gradio_kit import Ui
from engine.conversation import Attachment, Conversation
from engine.errors import EngineError, NotFound


class Desk:
    """The handlers of the list and of the files; the chat at the left shows what is opened."""

    def __init__(self, ui: Ui, panes: tuple[Pane, ...], composer: Composer, taken: gr.UploadButton) -> None:
        self.ui, self.left, self.composer, self.taken = ui, panes[0], composer, taken

    def listed(self, values: Values, request: gr.Request) -> str:
        """The conversations that match what is searched."""
        where: Where = values[self.left.parts.where]
        return shelf.listed(self.ui, self.ui.person(request), values[self.composer.search], where.chat)

    def act(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """Do what was clicked in the list."""
        told = acts.said(event)
        try:
            yield from self._act(values, told.get("act", ""), told, request)
        except EngineError as error:
            yield {self.left.parts.alert: kit.error_html(error, self.ui)}

    def rename(self, values: Values, request: gr.Request) -> Update:
        """Give the open conversation the title in the box."""
        one = self._open(values, request)
        one.chat.rename(values[self.composer.name] or "")
        return {self.composer.listed: self.listed(values, request), self.composer.name: one.chat.conversation.title}

    def take(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Import a file; the last conversation in it opens."""
        from engine.transfer import import_any

        path = values[self.taken]
        if path is None:
            yield self.left.unchanged()
            return
        try:
            data = _read_once(path)
            owner = self.ui.person(request).id
            made = [self.ui.engine.chats.adopt(owner, one) for one in import_any(data, Path(path).name)]
        except EngineError as error:
            yield {self.left.parts.alert: kit.error_html(error, self.ui)}
            return
        gr.Info(self.ui.words.n("chat_list.imported", len(made)))
        if made:
            yield from self.left.show(values, made[-1].id, request)

    def attach(self, values: Values, request: gr.Request) -> Update:
        """Read files and keep them for the next message, each with its tokens."""
        from engine.attachments import attach  # readers of a dozen formats

        one = self._open(values, request)
        known = (
            {self.left.parts.where: Where(one.chat.conversation.id)}
            if values[self.left.parts.where].chat is None
            else {}
        )
        try:
            model_id, _ = self.left.bar.chosen(values)
            model = self.ui.model(model_id, self.ui.person(request))
            for path in values[self.composer.attach] or ():
                one.pending = (*one.pending, attach(model, Path(path).name, _read_once(path)))
        except EngineError as error:
            return known | {
                self.left.parts.alert: kit.error_html(error, self.ui),
                self.composer.files: self._files(one.pending),
            }
        return known | {self.left.parts.alert: "", self.composer.files: self._files(one.pending)}

    def detach(self, values: Values, event: gr.EventData, request: gr.Request) -> Update:
        """Take a file back."""
        one, place = self._open(values, request), acts.said(event).get("place", "")
        one.pending = tuple(file for at, file in enumerate(one.pending) if str(at) != place)
        return {self.composer.files: self._files(one.pending)}

    def _act(self, values: Values, act: str, told: dict[str, str], request: gr.Request) -> Iterator[Update]:
        owner, chats, named = self.ui.person(request).id, self.ui.engine.chats, told.get("chat", "")
        if act == "open":
            chats.get(owner, named)
            yield from self.left.show(values, named, request)
        elif act in ("pin", "unpin"):
            chats.pin(owner, named, act == "pin")
            yield {self.composer.listed: self.listed(values, request)}
        elif act == "delete":
            yield from self._delete(values, named, request)
        elif act == "undelete":
            gone = self.ui.opened.gone.pop(owner, None)
            yield from self.left.show(values, chats.adopt(owner, gone).id if gone else None, request)
        elif act == "export":
            one = self._open(values, request).chat.conversation
            made = shelf.exported(self.ui, self.ui.person(request), _form(told), one)
            yield {self.composer.outbox: outgoing(*made)}
        else:
            yield self.left.unchanged()

    def _delete(self, values: Values, named: str, request: gr.Request) -> Iterator[Update]:
        owner, chats = self.ui.person(request).id, self.ui.engine.chats
        gone: Conversation = chats.get(owner, named)
        open_one = self.ui.opened.find(owner, named)
        if open_one is not None:
            open_one.chat.stop(wait=True)
        chats.delete(owner, named)
        self.ui.opened.drop(owner, named)
        self.ui.opened.gone[owner] = gone
        for update in self.left.show(values, None, request):
            listed = update.get(self.composer.listed, "")
            yield update | {self.composer.listed: shelf.undelete(self.ui, gone) + listed}

    def _open(self, values: Values, request: gr.Request) -> Any:
        where: Where = values[self.left.parts.where]
        owner = self.ui.person(request).id
        try:
            return self.ui.opened.get(self.ui.engine, owner, where.chat or "")
        except NotFound:
            return self.ui.opened.new(self.ui.engine, owner)

    def _files(self, pending: tuple[Attachment, ...]) -> str:
        """The files that wait, each with its tokens and a way to take it back."""
        chips = []
        for place, file in enumerate(pending):
            known = "attached" if file.tokens is not None else "attached_unknown"
            text = html.escape(self.ui.t(f"chat_compose.{known}", name=file.name, tokens=file.tokens))
            chips.append(
                f"<span>📎 {text} {acts.button('detach', '✕', self.ui.t('gradio.detach'), place=str(place))}</span>"
            )
        return "".join(chips)


def _form(told: dict[str, str]) -> str:
    form = told.get("form", "")
    return form if form in shelf.FORMS else "json"


def _read_once(path: str) -> bytes:
    """The bytes of an uploaded file, which is then no longer kept."""
    file = Path(path)
    data = file.read_bytes()
    file.unlink(missing_ok=True)
    return data
