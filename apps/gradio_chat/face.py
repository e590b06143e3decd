"""What one chat of the tab shows, as updates of its components. Knows no event, no layout and no backend.

What is open lies in `Ui.opened` under its owner; a page knows its id.
"""

from __future__ import annotations

import html
import json
from collections.abc import Mapping
from typing import Any

import gradio as gr

from apps import gradio_kit as kit
from apps.gradio_chat import acts, head, rows, shelf, window
from apps.gradio_chat.opened import Open
from apps.gradio_chat.parts import Composer, PaneParts, Where
from apps.gradio_components import scored_value
from apps.gradio_kit import Sidebar, Ui
from apps.ui import present
from apps.ui.documents import named
from apps.ui.judging import Judging
from apps.ui.window import Fate, fates, struck
from engine.chat import Choice
from engine.conversation import Node
from engine.errors import EngineError, NotFound, PromptTooLong
from engine.live import Live
from engine.output import asked_form
from engine.person import Person
from engine.token_view import answer_tokens
from engine.writing import Writing

Values = Mapping[Any, Any]
Update = dict[Any, Any]


class Face:
    """One chat as it is drawn: whole, while an answer comes, and after a refusal."""

    def __init__(self, ui: Ui, bar: Sidebar, parts: PaneParts, composer: Composer, side: str) -> None:
        self.ui, self.bar, self.parts, self.composer, self.side = ui, bar, parts, composer, side
        self.panes: tuple[Face, ...] = (self,)

    def broken(self) -> Update:
        """What is shown after a defect of our own, whose traceback is in the log."""
        return self._rest(False) | {self.parts.alert: kit.error_html(present.neutral_error(self.ui.words), self.ui)}

    def unchanged(self) -> Update:
        """An update that changes nothing; of a generator without any, Gradio would empty all its outputs."""
        return {self.parts.where: gr.skip()}

    def at(self, where: Where, request: gr.Request) -> Open:
        """The open conversation; one that is gone, or another's, is a new one."""
        person, engine = self.ui.person(request), self.ui.engine
        if where.chat is not None:
            try:
                return self.ui.opened.get(engine, person.id, where.chat)
            except NotFound:
                pass
        return self.ui.opened.new(engine, person.id)

    def _choice(self, values: Values, request: gr.Request) -> Choice:
        model_id, params = self.bar.chosen(values)
        own = values[self.parts.model] if self.parts.model else None
        return Choice(own or model_id, params, self.ui.person(request).role)

    def _sent(self, one: Open, text: str) -> Update:
        said = [row for _, row in rows.rows(self.ui, one.chat.conversation)]
        shown = [*said, {"role": "user", "content": present.safe_markdown(text)}]
        return self._begun(one, shown) | {self.composer.kept: ""}

    def _begun(self, one: Open, shown: list[Any], refusal: EngineError | None = None) -> Update:
        sent = kit.progress_html(present.progress_text(None, self.ui.words))
        return {
            self.parts.where: Where(one.chat.conversation.id),
            self.parts.history: shown,
            self.parts.acts: "",
            self.parts.alert: kit.error_html(refusal, self.ui) if refusal else "",
            self.parts.editor: hidden(),
            self.parts.progress: sent,
            self.composer.send: gr.Button(visible="hidden"),
            self.composer.stop: gr.Button(visible=True),
        }

    def _coming(self, before: list[Any], writing: Writing, view: Live) -> Update:
        if not (view.text or view.reasoning):
            return {self.parts.progress: kit.progress_html(present.progress_text(view.waiting, self.ui.words))}
        return {self.parts.history: [*before, *rows.live(self.ui, writing.node, view)], self.parts.progress: ""}

    def _too_big(self, error: PromptTooLong) -> str:
        t = self.ui.t
        said = t("chat_compose.too_big", needed=error.prompt_tokens, room=error.window)
        ways = "".join(
            acts.button(act, t(f"chat_compose.too_big_{act}")) for act in ("truncate", "documents", "cancel")
        )
        return f'<div role="alert" class="atelier-alert"><strong>{said}</strong> {ways}</div>'

    def _grounded(self, one: Open, person: Person) -> str:
        """What the conversation is answered from, and the way back."""
        ids = one.chat.conversation.settings.collections
        if not ids:
            return ""
        names = named(self.ui.engine.collections, person.id, ids, self.ui.words)
        way = acts.button("ungrounded", "✕", self.ui.t("chat_compose.ungrounded"))
        return f'<p class="atelier-note">📚 {html.escape(self.ui.t("chat_compose.grounded", names=names))} {way}</p>'

    def _would_drop(self, one: Open) -> str:
        """What would be left out for the message that waits, and whether to send it all the same."""
        if (waits := one.waits) is None:
            return ""
        t, tree = self.ui.t, one.chat.conversation
        told = []
        if waits.plan.dropped:
            told.append(self.ui.words.n("chat_window.will_drop", len(waits.plan.dropped)))
        kept = waits.plan.cut.get(len(tree.messages()))
        if kept:
            told.append(t("chat_window.will_cut"))
        named = {"anyway": "chat_window.send_anyway", "keep": "chat_compose.too_big_cancel"}
        ways = "".join(acts.button(act, t(key)) for act, key in named.items())
        cut = struck(waits.text, Fate(kept)) if kept else ""
        said = html.escape(" ".join(told) or t("chat_window.summarize_help"))
        return f'<div role="alert" class="atelier-alert"><strong>✂ {said}</strong> {ways}{cut}</div>'

    def _rest(self, busy: bool) -> Update:
        return {self.parts.progress: ""} | self._buttons(busy)

    def _buttons(self, busy: bool) -> Update:
        return {
            self.composer.send: gr.Button(visible="hidden" if busy else True),
            self.composer.stop: gr.Button(visible=True if busy else "hidden"),
        }

    def _as_they_are(self) -> Update:
        return {self.composer.send: gr.skip(), self.composer.stop: gr.skip()}

    def _busy(self, values: Values, one: Open | None, request: gr.Request) -> bool:
        """Whether the other chat of the page, or with `one` None any, is still being answered."""
        owner = self.ui.person(request).id
        others = (values[pane.parts.where].chat for pane in self.panes if one is None or pane is not self)
        found = (self.ui.opened.find(owner, other) for other in others if other)
        return any(other is not None and other is not one and other.busy for other in found)

    def _whole(self, values: Values, one: Open, request: gr.Request, **told: Any) -> Update:
        """Everything anew, the settings' widgets too."""
        settings = one.chat.conversation.settings
        return self._page(values, one, request, **told) | head.shown(self.parts.settings, settings)

    def _page(
        self,
        values: Values,
        one: Open,
        request: gr.Request,
        *,
        hand: str | None = None,
        shown: int = rows.SHOWN,
        error: EngineError | None = None,
    ) -> Update:
        """Messages, actions, window and lines, as the conversation stands now."""
        ui, parts, chat = self.ui, self.parts, one.chat
        tree, person = chat.conversation, self.ui.person(request)
        error, plan, bar = error or chat.error, None, ""
        try:
            choice = self._choice(values, request)
            plan = one.waits.plan if one.waits else window.seen(ui, chat, choice)
            bar = window.gauge(ui, chat, choice, plan)
        except EngineError as failure:
            error = error or failure
        messages = [row for _, row in rows.rows(ui, tree, shown, fates(plan, tree))]
        before = len(tree.path()) - shown
        chat.error = None
        return self._hand(Where(tree.id, hand, shown=shown), one) | self._beside(values, one, person) | {
            parts.history: messages,
            parts.earlier: gr.Button(ui.words.n("chat_list.earlier", max(before, 0)), visible=before > 0),
            parts.alert: (kit.error_html(error, ui) if error else self._would_drop(one))
            + self._grounded(one, person),
            parts.gauge: bar + self._here(one),
            parts.head: gr.Accordion(label=head.line(ui, tree.settings)),
            parts.policy: gr.Accordion(label=head.policy_line(ui, tree.settings)),
            parts.editor: hidden(),
            parts.address: tree.id if tree.revision else "",
        }  # fmt: skip

    def _beside(self, values: Values, one: Open, person: Person) -> Update:
        """What the page shows besides the chat itself: the list, the title, what could not be sent, the trace."""
        composer, chat = self.composer, one.chat
        last = chat.conversation.leaf or ""
        updates: Update = {composer.focus: (self.side, chat.conversation.id, last, "")}
        if chat.draft:
            updates[composer.kept] = chat.draft
        if self.side == "left":
            updates[composer.listed] = self.listed(values, chat.conversation.id, person)
            updates[composer.name] = chat.conversation.title
        return updates

    def listed(self, values: Values, current: str | None, person: Person) -> str:
        """The person's conversations that match what is searched."""
        return shelf.listed(self.ui, person, values[self.composer.search], current)

    def _hand(self, where: Where, one: Open, tokens: int | None = None) -> Update:
        """The actions and the tokens of the message in hand; `tokens` of its text, where they were counted."""
        node = acts.in_hand(one.chat.conversation, where.hand)
        scored = answer_tokens(node.tokens) if node else ()
        return {
            self.parts.where: where,
            self.parts.acts: self._verdict(node, one) + acts.of_message(self.ui, one.chat, where.hand, tokens),
            self.parts.strip: scored_value(scored, self.ui.words),
            self.parts.watch: gr.Timer(active=self._awaits(node, one)),
        }

    def _awaits(self, node: Node | None, one: Open) -> bool:
        """Whether something will change by itself: an answer that is written elsewhere, or judged."""
        judging = self._judging(node, one)
        ours = one.chat.writing.node_id if one.chat.writing is not None else None
        elsewhere = any(said.state == "writing" and said.id != ours for said in one.chat.conversation.path())
        return elsewhere or (judging is not None and judging.pending)

    def _judging(self, node: Node | None, one: Open) -> Judging | None:
        """Whether the answer in hand has the form that it was asked for; None where it was asked for none."""
        form = asked_form(node.form) if node else None
        if form is None or node is None or node.state == "writing":
            return None
        return one.judged(form, node.content)

    def _verdict(self, node: Node | None, one: Open) -> str:
        judging = self._judging(node, one)
        if judging is None:
            return ""
        sign, text = judging.told(self.ui.words)
        return f'<p class="atelier-note">{sign} {html.escape(text)}</p>'

    def _here(self, one: Open) -> str:
        tree = one.chat.conversation
        branches = bool(tree.leaf and tree.children(tree.leaf)) and one.chat.writing is None
        return f'<p class="atelier-note">⑂ {self.ui.t("chat_act.here")}</p>' if branches else ""


def outgoing(name: str, kind: str, text: str) -> str:
    """A file for the browser to save; the page's script takes it from a hidden box."""
    return json.dumps({"name": name, "kind": kind, "text": text})


def hidden() -> gr.Group:
    """A group that is not shown."""
    return gr.Group(visible=False)
