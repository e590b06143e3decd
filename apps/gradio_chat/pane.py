"""One chat of the tab: what its events do, as updates of components. Knows no layout and no backend.

Every handler checks what a browser says.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import acts, rows, window
from apps.gradio_chat.asking import Asking
from apps.gradio_chat.face import Update, Values, hidden, outgoing
from apps.gradio_chat.opened import Open
from apps.gradio_chat.pace import drawn
from apps.gradio_chat.parts import Where
from apps.gradio_components import choice_of
from apps.ui import present
from engine.conversation import Node
from engine.errors import EngineError, NotFound
from engine.token_view import answer_tokens, prefix

ADDRESS = {"left": "chat", "right": "chat2"}  # of ids that only their owner opens
ASKING = frozenset({"regenerate", "answer", "continue"})


class Pane(Asking):
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
        """What to do with a message that does not fit as it is: cut its files, leave out what was said before, or not
        send it.
        """
        act, one = acts.said(event).get("act"), self.at(values[self.parts.where], request)
        if act == "truncate":
            yield {self.composer.box: ""}
            yield from self._send(values, values[self.composer.box], request, "truncate")
        elif act == "cancel":
            one.pending = ()
            yield {self.parts.alert: "", self.composer.files: ""}
        elif act == "documents" and one.pending:
            yield from self._taken_in(values, one, values[self.composer.box], request)
        elif act == "ungrounded":
            one.chat.settings(collections=())
            yield self._page(values, one, request)
        elif act == "anyway" and (waits := one.waits) is not None:
            yield {self.composer.box: ""} if values[self.composer.box] == waits.text else self.unchanged()
            yield from self._send(values, waits.text, request, waits.cut, agreed=True)
        elif act == "keep":
            one.waiting = None
            yield self._page(values, one, request)
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
        if act in ASKING:
            yield from self.asked(values, one, lambda choice: self._ask(values, one, act, node_id, choice), request)
            return
        try:
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
        hand, tokens = shown[place][0], None
        with suppress(EngineError):  # a model that is gone now is said when it is asked
            tokens = window.own_tokens(self.ui, self._choice(values, request), chat.conversation.node(hand))
        return self._hand(replace(where, chat=chat.conversation.id, hand=hand), one, tokens)

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
            one.free()
            choice, node = self._choice(values, request), one.chat.conversation.node(where.hand or "")
            one.chat.at(node.parent)
            one.chat.say(values[self.parts.text], choice, role=node.role, attachments=node.attachments)
        except EngineError as error:  # what was typed stays in the editor
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
        node = acts.in_hand(one.chat.conversation, where.hand)
        scored = answer_tokens(node.tokens) if node else ()
        chosen = choice_of(event, scored)
        if node is None or chosen is None:
            yield self.unchanged()
            return
        begun, node_id = prefix(scored, chosen.position, chosen.text), node.id
        yield from self.asked(values, one, lambda choice: one.chat.branch_with(node_id, begun, choice), request)

    def look(self, values: Values, request: gr.Request) -> Iterator[Update]:
        """What has changed by itself: an answer that another page wrote, or that was judged meanwhile."""
        where: Where = values[self.parts.where]
        known = self.ui.opened.find(self.ui.person(request).id, where.chat or "")
        if known is None or where.editing or known.busy:
            yield self.unchanged()
            return
        before, one = known.chat.conversation, self.at(where, request)
        awaits = self._awaits(acts.in_hand(one.chat.conversation, where.hand), one)
        if one.chat.conversation is not before or not awaits:  # another event may have read the end before this one
            yield self._page(values, one, request, hand=where.hand, shown=where.shown)
        else:
            yield self.unchanged()

    def halt(self, values: Values, request: gr.Request) -> Update:
        """Stop the answers of this page; their last words come through their own followers."""
        owner = self.ui.person(request).id
        for pane in self.panes:
            one = self.ui.opened.find(owner, values[pane.parts.where].chat or "")
            if one is not None:
                one.chat.stop()
        return {self.parts.progress: kit.progress_html(present.Progress(self.ui.t("progress.stopping")))}

    # How it is done

    def _wanted(self, conversation_id: str, request: gr.Request) -> tuple[Open, EngineError | None]:
        """The conversation of that id; where it is gone, or another's, a new one and the reason."""
        owner, opened = self.ui.person(request).id, self.ui.opened
        try:
            return opened.get(self.ui.engine, owner, conversation_id), None
        except NotFound as error:
            return opened.new(self.ui.engine, owner), error

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


def _typed(told: str | None) -> str:
    """The text that the page's script says was sent; a browser may say anything."""
    try:
        found = json.loads(told or "")
    except ValueError:
        return ""
    return str(found.get("text", "")) if isinstance(found, dict) else ""
