"""One chat of the tab: what its events do, as updates of components. Knows no layout and no backend.

Every handler checks what a browser says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import acts, head, prompts, rows
from apps.gradio_chat.face import Face, Update, Values, hidden, outgoing
from apps.gradio_chat.opened import Open
from apps.gradio_chat.pace import drawn
from apps.gradio_chat.parts import ROLES, Where
from apps.gradio_components import choice_of
from apps.ui import present
from engine.chat import Choice
from engine.conversation import Node
from engine.errors import EngineError, NotFound, PromptTooLong
from engine.token_view import answer_tokens, prefix
from engine.types import Role

ADDRESS = {"left": "chat", "right": "chat2"}  # of ids that only their owner opens
ASKING = frozenset({"regenerate", "answer", "continue"})


class Pane(Face):
    """The handlers of one chat; generators of updates, or one update."""

    @property
    def inputs(self) -> set[Any]:
        """What its handlers read."""
        return {*self.parts.read, *self.composer.read, *self.bar.inputs, *(pane.parts.where for pane in self.panes)}

    @property
    def outputs(self) -> list[Any]:
        """What its handlers write."""
        return [*self.parts.written, *self.composer.written]

    # What a person does

    def opened(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """The page when it opens: the conversation that its address names, else nothing new; a link never sends.

        Only the chat at the left touches what both share: the two are opened at the same time.
        """
        wanted, left = request.query_params.get(ADDRESS[self.side]), self.side == "left"
        prompt = request.query_params.get("prompt") if left else None
        shared: Update = {self.composer.box: gr.Textbox(interactive=True)} | self._buttons(False) if left else {}
        if prompt:
            shared[self.composer.kept] = prompt
        if not wanted:
            if left:
                shared[self.composer.listed] = self.listed(values, None, self.ui.person(request))
            yield shared or self.unchanged()
            return
        one, error = self._wanted(wanted, request)
        yield self._whole(values, one, request, error=error) | shared
        if one.chat.writing is not None:
            yield from self._follow(values, one, request)

    def settled(self, values: Values, request: gr.Request) -> Update:
        """Send or stop, as the page stands when an answer has ended: the other chat may still be written.

        A chat that was not asked leaves them alone: Gradio does not send again what the other one's stream has sent.
        """
        return self._buttons(self._busy(values, None, request)) if self._addressed(values) else self._as_they_are()

    def show(self, values: Values, conversation_id: str | None, request: gr.Request) -> Iterator[Update]:
        """Another conversation, or a new one."""
        one = self.at(Where(conversation_id), request)
        yield self._whole(values, one, request)
        yield from self._follow(values, one, request)

    def new(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """A new conversation."""
        yield from self.show(values, None, request)

    def send(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Send what stands in the text box, in the role that is chosen."""
        yield from self._send(values, _typed(values[self.composer.asked]), request)

    def example(self, values: Values, chosen: gr.SelectData, request: gr.Request) -> Iterator[Update]:
        """Send the example that was clicked."""
        yield from self._send(values, str(chosen.value["text"]), request)

    def choose_fit(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """What to do with files that do not fit: cut them, or not send."""
        act = acts.said(event).get("act")
        if act == "truncate":
            yield {self.composer.box: ""}
            yield from self._send(values, values[self.composer.box], request, "truncate")
        elif act == "cancel":
            self.at(values[self.parts.where], request).pending = ()
            yield {self.parts.alert: "", self.composer.files: ""}
        else:
            yield self.unchanged()

    def act(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """Do what was clicked with a message."""
        told = acts.said(event)
        yield from self.perform(values, told.get("act", ""), told.get("node", ""), request)

    def perform(self, values: Values, act: str, node_id: str, request: gr.Request) -> Iterator[Update]:
        """Do it; an answer that begins is followed to its end."""
        where: Where = values[self.parts.where]
        one = self.at(where, request)
        try:
            if act in ASKING:
                self._ask(values, one, act, node_id, request)
                yield from self._follow(values, one, request)
                return
            yield self._done(values, one, act, node_id, request)
        except EngineError as error:
            yield self._whole(values, one, request, hand=where.hand, error=error)

    def retry(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Another answer to the last question."""
        path = self.at(values[self.parts.where], request).chat.conversation.path()
        if path:
            yield from self.perform(values, "regenerate", path[-1].id, request)
        else:
            yield self.unchanged()

    def undo(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Take back the last change."""
        yield from self.perform(values, "undo", "", request)

    def take(self, values: Values, chosen: gr.SelectData, request: gr.Request) -> Update:
        """The message that was clicked is in hand: its actions show."""
        where: Where = values[self.parts.where]
        one = self.at(where, request)
        chat, place = one.chat, chosen.index[0] if isinstance(chosen.index, list | tuple) else chosen.index
        shown = rows.rows(self.ui, chat.conversation, where.shown)
        if chat.writing is not None or not isinstance(place, int) or not 0 <= place < len(shown):
            return {self.parts.where: gr.skip()}
        return self._hand(replace(where, chat=chat.conversation.id, hand=shown[place][0]), one)

    def save(self, values: Values, request: gr.Request) -> Update:
        """Keep what the editor holds, in place."""
        where: Where = values[self.parts.where]
        one = self.at(where, request)
        try:
            one.chat.edit(where.hand or "", values[self.parts.text])
        except EngineError as error:
            return {self.parts.alert: kit.error_html(error, self.ui)}
        return self._whole(values, one, request)

    def save_and_ask(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """Keep the old message as another version, and ask with the new text."""
        where: Where = values[self.parts.where]
        one = self.at(where, request)
        try:
            node = one.chat.conversation.node(where.hand or "")
            choice = self._choice(values, request)
            one.chat.at(node.parent)
            one.chat.say(values[self.parts.text], choice, role=node.role, attachments=node.attachments)
        except EngineError as error:
            yield {self.parts.alert: kit.error_html(error, self.ui)}
            return
        yield from self._follow(values, one, request)

    def leave_editor(self, values: Values, request: gr.Request) -> Update:
        """Close the editor; nothing changes."""
        return {self.parts.where: replace(values[self.parts.where], editing=False), self.parts.editor: hidden()}

    def earlier(self, values: Values, request: gr.Request) -> Update:
        """Show thirty messages more."""
        where: Where = values[self.parts.where]
        return self._whole(values, self.at(where, request), request, shown=where.shown + rows.SHOWN)

    def changed(self, values: Values, request: gr.Request) -> Update:
        """Keep the settings that the widgets hold, and show what they change."""
        one = self.at(values[self.parts.where], request)
        error: EngineError | None = None
        try:
            self._apply(values, one)
        except EngineError as failure:
            error = failure
        return self._page(values, one, request, error=error)

    def whole(self, values: Values, request: gr.Request) -> Update:
        """Everything anew, the settings' widgets too."""
        return self._whole(values, self.at(values[self.parts.where], request), request)

    def branch_at(self, values: Values, event: gr.EventData, request: gr.Request) -> Iterator[Update]:
        """Another answer, which begins with another token at the place that was clicked."""
        where: Where = values[self.parts.where]
        one = self.at(where, request)
        try:
            node = acts.in_hand(one.chat.conversation, where.hand)
            scored = answer_tokens(node.tokens) if node else ()
            chosen = choice_of(event, scored)
            if node is None or chosen is None:
                yield self.unchanged()
                return
            begun = prefix(scored, chosen.position, chosen.text)
            one.chat.branch_with(node.id, begun, self._choice(values, request))
        except EngineError as error:
            yield self._whole(values, one, request, hand=where.hand, error=error)
            return
        yield from self._follow(values, one, request)

    def halt(self, values: Values, request: gr.Request) -> Update:
        """Stop the answers of this page; their last words come through their own followers."""
        owner = self.ui.person(request).id
        for pane in self.panes:
            one = self.ui.opened.find(owner, values[pane.parts.where].chat or "")
            if one is not None:
                one.chat.stop()
        return {self.parts.progress: kit.progress_html(present.Progress(self.ui.t("progress.stopping")))}

    # How it is done

    def _apply(self, values: Values, one: Open) -> None:
        one.chat.settings(**head.told(self.parts.settings, values))

    def _wanted(self, conversation_id: str, request: gr.Request) -> tuple[Open, EngineError | None]:
        """The conversation of that id; where it is gone, or another's, a new one and the reason."""
        owner, opened = self.ui.person(request).id, self.ui.opened
        try:
            return opened.get(self.ui.engine, owner, conversation_id), None
        except NotFound as error:
            return opened.new(self.ui.engine, owner), error

    def _addressed(self, values: Values) -> bool:
        """Whether this chat is meant by what is sent."""
        if not values[self.composer.two]:
            return self.side == "left"
        return values[self.composer.target] in ("both", self.side)

    def _send(self, values: Values, text: str, request: gr.Request, cut: Any = None) -> Iterator[Update]:
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
        wanted = values[self.composer.role]
        role: Role = wanted if wanted in ROLES else ROLES[0]
        try:
            choice = self._choice(values, request)
            self._apply(values, one)
            with one.begun():
                yield self._sent(one, text)
                files = self._fitting(one, text, choice, cut)
                one.touch()
                one.chat.say(text, choice, role=role, attachments=files)
            one.pending = ()
        except EngineError as error:
            yield self._refused(values, one, request, error, text)
            return
        yield {self.composer.files: "", self.parts.where: Where(one.chat.conversation.id)}
        yield from self._follow(values, one, request)

    def _fitting(self, one: Open, text: str, choice: Choice, cut: Any) -> tuple[Any, ...]:
        if not one.pending:
            return ()
        from engine.attachments import fit  # readers of a dozen formats

        model = self.ui.engine.model(choice.model, role=choice.role)
        return fit(model, one.chat.conversation, text, one.pending, choice.params, cut)

    def _ask(self, values: Values, one: Open, act: str, node_id: str, request: gr.Request) -> None:
        choice = self._choice(values, request)
        self._apply(values, one)
        one.touch()
        if act == "continue":
            one.chat.resume(node_id, choice)
        else:
            one.chat.regenerate(node_id, choice)

    def _done(self, values: Values, one: Open, act: str, node_id: str, request: gr.Request) -> Update:
        chat, composer = one.chat, self.composer
        where = Where(chat.conversation.id, None, shown=values[self.parts.where].shown)
        if act in ("delete", "choose"):
            getattr(chat, act)(node_id)
        elif act in ("undo", "redo"):
            getattr(chat, act)()
            return self._whole(values, one, request)
        elif act == "branch":
            chat.at(node_id)
        elif act == "copy":
            one = self.at(Where(chat.copy_from(node_id)), request)
        elif act == "edit":
            node = chat.conversation.node(node_id)
            editor = {self.parts.editor: gr.Group(visible=True), self.parts.text: node.content}
            return {self.parts.where: replace(where, hand=node_id, editing=True)} | editor
        elif act == "curve":
            node = chat.conversation.node(node_id)
            told = (node.usage or {}).get("completion_tokens")
            return {self.parts.alert: drawn(one.paces.get(node_id, ()), told, self.ui.words)}
        elif act in ("trace", "code"):
            # the time makes it a change, however often it is asked
            return {composer.focus: (self.side, chat.conversation.id, node_id, act, time.monotonic())}
        elif act == "save":
            return {composer.outbox: outgoing(*self._saved(chat.conversation.node(node_id)))}
        return self._whole(values, one, request)

    def _saved(self, node: Node) -> tuple[str, str, str]:
        told = {"text": node.content, "model": node.model, "params": dict(node.params), "stats": node.stats}
        return f"{self.ui.t('chat.file')}.json", "application/json", json.dumps(told, indent=2, ensure_ascii=False)

    def _follow(self, values: Values, one: Open, request: gr.Request) -> Iterator[Update]:
        """The answer under way until its end, then the page as it is."""
        writing = one.chat.writing
        if writing is not None:
            tree = one.chat.conversation
            before = [row for node_id, row in rows.rows(self.ui, tree) if node_id != writing.node_id]
            yield self._begun(one, before)
            for view in one.views(writing):
                if view.finished is None:
                    yield self._coming(before, writing, view)
            one.paces[writing.node_id] = tuple(writing.pace)
        yield self._page(values, one, request) | self._rest(self._busy(values, one, request))

    def _refused(self, values: Values, one: Open, request: gr.Request, error: EngineError, text: str) -> Update:
        """Nothing was sent: what was typed goes back into the box, and files that are too big leave a choice."""
        back = self._page(values, one, request, error=error) | self._rest(self._busy(values, one, request))
        if one.pending and isinstance(error, PromptTooLong) and error.window:
            back[self.parts.alert] = self._too_big(error)
        return back | {self.composer.kept: text}


def _typed(told: str | None) -> str:
    """The text that the page's script says was sent; a browser may say anything."""
    try:
        found = json.loads(told or "")
    except ValueError:
        return ""
    return str(found.get("text", "")) if isinstance(found, dict) else ""
