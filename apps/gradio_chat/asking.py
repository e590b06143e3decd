"""How one chat of the tab asks a model: sends what was typed, begins an answer, follows it to its end.

Knows no layout and no backend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import head, prompts, rows, window
from apps.gradio_chat.face import Face, Update, Values
from apps.gradio_chat.opened import Open, Waiting
from apps.gradio_chat.parts import ROLES, Where
from apps.ui.documents import index_progress
from engine.chat import Choice
from engine.comptine.strictly import followed
from engine.conversation import Attachment
from engine.errors import EngineError, PromptTooLong
from engine.rag.chatting import taken_in
from engine.rag.sources import read_before
from engine.types import Role


class Asking(Face):
    """A chat as it asks; generators of updates."""

    def asked(
        self, values: Values, one: Open, ask: Callable[[Choice], object], request: gr.Request
    ) -> Iterator[Update]:
        """Begin an answer by `ask` and follow it; while another page has one written here, that one is shown."""
        where: Where = values[self.parts.where]
        refusal: EngineError | None = None
        try:
            one.free()
            choice = self._choice(values, request)
            self._apply(values, one)
            one.touch()
            ask(choice)
        except EngineError as error:
            if not one.busy:
                yield self._whole(values, one, request, hand=where.hand, error=error)
                return
            refusal = error
        yield from self._follow(values, one, request, refusal)

    def _ask(self, values: Values, one: Open, act: str, node_id: str, choice: Choice) -> None:
        if act == "continue":
            one.chat.resume(node_id, choice)
        else:
            one.chat.regenerate(node_id, choice)

    def _apply(self, values: Values, one: Open) -> None:
        one.chat.settings(**head.told(self.parts.settings, values))

    def _addressed(self, values: Values) -> bool:
        """Whether this chat is meant by what is sent."""
        if not values[self.composer.two]:
            return self.side == "left"
        return values[self.composer.target] in ("both", self.side)

    def _send(
        self, values: Values, text: str, request: gr.Request, cut: Any = None, agreed: bool = False
    ) -> Iterator[Update]:
        if not self._addressed(values):
            yield self.unchanged()
            return
        one = self.at(values[self.parts.where], request)
        if not text.strip() and not one.pending:
            yield {self.composer.kept: ""}
            return
        if self.composer.prompt is not None and (prompt := prompts.meant(self.ui, self.ui.person(request), text)):
            yield {self.composer.box: "", self.composer.prompt: prompt.command}
            return
        try:
            one.free()
        except EngineError as error:
            yield {self.composer.box: text}
            yield from self._follow(values, one, request, error)
            return
        try:
            yield from self._said(values, one, text, request, cut, agreed)
        except EngineError as error:
            yield self._refused(values, one, request, error, text)

    def _said(
        self, values: Values, one: Open, text: str, request: gr.Request, cut: Any, agreed: bool
    ) -> Iterator[Update]:
        """Say it, unless the window's policy would leave something out for it: a person agrees to that first."""
        wanted = values[self.composer.role]
        role: Role = wanted if wanted in ROLES else ROLES[0]
        choice = self._choice(values, request)
        self._apply(values, one)
        with one.begun():
            yield self._sent(one, text)
            files = self._fitting(one, text, choice, cut)
            plan = window.dropping(self.ui, one.chat, choice, text, files) if role == "user" and not agreed else None
            one.waiting = Waiting(one.chat.conversation, text, plan, cut) if plan else None
            one.touch()
            if plan is None:
                one.chat.say(text, choice, role=role, attachments=files)
        if plan is not None:
            back = self._page(values, one, request) | self._rest(self._busy(values, one, request))
            yield back | {self.composer.kept: text}
            return
        one.pending = ()
        yield {self.composer.files: "", self.parts.where: Where(one.chat.conversation.id)}
        yield from self._follow(values, one, request)

    def _fitting(self, one: Open, text: str, choice: Choice, cut: Any) -> tuple[Attachment, ...]:
        if not one.pending:
            return ()
        from engine.attachments import fit  # readers of a dozen formats

        model = self.ui.engine.model(choice.model, role=choice.role, owner=one.chat.owner)
        return fit(model, one.chat.conversation, text, one.pending, choice.params, cut)

    def _follow(
        self, values: Values, one: Open, request: gr.Request, refusal: EngineError | None = None
    ) -> Iterator[Update]:
        """The answer under way until its end, then the page as it is; `refusal` is why it is not the one asked for."""
        writing = one.chat.writing
        if writing is not None:
            tree = one.chat.conversation
            before = [row for node_id, row in rows.rows(self.ui, tree) if node_id != writing.node_id]
            yield self._begun(one, before, refusal)
            for view in one.views(writing):
                if view.finished is None:
                    yield self._coming(before, writing, view)
            one.paces[writing.node_id] = tuple(writing.pace)
            refusal = None
        yield self._page(values, one, request, error=refusal) | self._rest(self._busy(values, one, request))

    def _taken_in(self, values: Values, one: Open, text: str, request: gr.Request) -> Iterator[Update]:
        """Bring the files that are too big into a collection, and send the message once they are read."""
        engine, owner = self.ui.engine, self.ui.person(request).id
        settings = one.chat.conversation.settings
        brought = [read_before(file.name, file.text) for file in one.pending if file.kind == "text"]
        try:
            made, job = taken_in(engine, owner, settings, self.ui.t("chat_compose.collection"), brought)
            for now in followed(engine, job):
                told = index_progress(now, engine.collections.files(owner, made.id), self.ui.words)
                yield {self.parts.alert: kit.progress_html(told)}
            ids = settings.collections
            one.chat.settings(collections=ids if made.id in ids else (*ids, made.id))
        except EngineError as error:
            yield self._refused(values, one, request, error, text)
            return
        one.pending = ()
        yield self._page(values, one, request) | {self.composer.files: "", self.composer.box: ""}
        if text.strip():
            yield from self._send(values, text, request)

    def _refused(self, values: Values, one: Open, request: gr.Request, error: EngineError, text: str) -> Update:
        """Nothing was sent: what was typed goes back into the box, and files that are too big leave a choice."""
        back = self._page(values, one, request, error=error) | self._rest(self._busy(values, one, request))
        if one.pending and isinstance(error, PromptTooLong) and error.window:
            back[self.parts.alert] = self._too_big(error)
        return back | {self.composer.kept: text}
