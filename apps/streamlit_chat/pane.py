"""One chat on the page, left or right: its open conversation, the state of its widgets, the model it asks. Draws
nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Literal

import streamlit as st

from apps.streamlit_kit import Kept, Ui, browser_watch, known_card, show_error
from engine.catalog import ModelCard
from engine.chat import Chat, Choice
from engine.conversation import Attachment, Conversation, Node
from engine.errors import EngineError, NotFound, NotSupported, PromptTooLong
from engine.support import unsupported
from engine.types import Role
from engine.window import Plan
from engine.window.counting import Counter, counter
from engine.writing import Writing

Side = Literal["left", "right"]
ADDRESS: Mapping[Side, str] = {"left": "chat", "right": "chat2"}  # of ids that only their owner opens
TWO = "chat.two"
SHOWN = 30  # messages; a browser needs seconds for hundreds


@dataclass(frozen=True)
class Pending:
    """A message that waits: for a choice, where its files need more than the room there is or `plan` would leave out
    parts of the conversation, or for a `job`.
    """

    text: str
    role: Role
    files: tuple[Attachment, ...] = ()
    needed: int | None = None
    room: int | None = None
    plan: Plan | None = None
    uploads: tuple[tuple[str, bytes], ...] = ()  # names and bytes of those of the files that have just come
    job: str | None = None  # reads its files into a collection; it is sent at the end


@dataclass(frozen=True)
class Pane(Kept):
    """One run of one chat; cheap to make. What it keeps lies in the session under names of its own."""

    ui: Ui
    side: Side = "left"

    def key(self, name: str) -> str:
        """The name of a widget or a value of this chat."""
        return f"chat.{name}" if self.side == "left" else f"chat.right.{name}"

    @property
    def chat(self) -> Chat:
        """The open conversation: this tab's, else the one that the address names, else a new one."""
        found: Chat | None = self.get("open")
        return found if found is not None else self.open(st.query_params.get(ADDRESS[self.side]))

    @cached_property
    def writing(self) -> Writing | None:
        """The answer under way when this run first asked: should it end meanwhile, all parts of the run still agree."""
        return self.chat.writing

    @property
    def conversation(self) -> Conversation:
        """What was said."""
        return self.chat.conversation

    def open(self, conversation_id: str | None = None) -> Chat:
        """Open a conversation of this person, or a new one; another's id opens a new one and says so."""
        self.leave()
        try:
            chat = Chat(self.ui.engine, self.ui.person.id, conversation_id, wanted=browser_watch())
        except NotFound as error:
            chat = Chat(self.ui.engine, self.ui.person.id, wanted=browser_watch())
            self.fail(error)
        self.set("open", chat)
        return chat

    def leave(self) -> None:
        """Forget what belongs to the conversation that was open; an answer that comes is written to its end."""
        for name in ("open", "shown", "editing", "plan", "failure", "drawer", "panel", "paces", "counted", "pending",
                     "hand"):  # fmt: skip
            self.set(name, None)

    def write_address(self) -> None:
        """Put the conversation's id into the address once it is stored, so that a reload opens it again."""
        name, found = ADDRESS[self.side], self.get("open")
        wanted = found.conversation.id if found is not None and found.conversation.revision else None
        if wanted != st.query_params.get(name):
            if wanted is None:
                del st.query_params[name]
            else:
                st.query_params[name] = wanted

    @cached_property
    def card(self) -> ModelCard:
        """The card of the model that this chat asks."""
        return known_card(self.get("model")) if self.side == "right" and self.get("model") else self.ui.card

    def choice(self) -> Choice:
        """The model and the parameters as they stand now. Raises BadParameter, AccessDenied."""
        fresh = replace(self)  # a callback runs with the pane of the run before it
        return Choice(fresh.card.id, Ui(self.ui.section, self.ui.lang).params, self.ui.person.role)

    def attempt(self, act: Callable[[], Any]) -> Any:
        """What `act` gives; its error is kept, to be shown by the run that follows."""
        self.set("failure", None)
        try:
            return act()
        except EngineError as error:
            self.fail(error)
            return None

    def show_failure(self) -> None:
        """What went wrong with the last thing that was done or asked."""
        for error in {id(error): error for error in (self.get("failure"), self.chat.error) if error}.values():
            show_error(self.ui, error)

    def refresh(self) -> None:
        """Show what another tab has changed; a conversation that it deleted gives way to a new one."""
        try:
            self.chat.refresh()
        except NotFound as error:
            self.open()
            self.fail(error)

    def fail(self, error: EngineError) -> None:
        """Keep an error for the next drawing."""
        self.set("failure", error)

    @property
    def counts(self) -> bool:
        """Whether the model can be asked for counts without loading it or leaving this machine."""
        return self.card.backend == "echo" or self.ui.engine.loaded(self.card.id) is not None

    def refused(self, feature: str) -> str | None:
        """The key of the reason why the model has no such feature (engine.support); None where it has it."""
        return self._refused.get(feature)

    @cached_property
    def _refused(self) -> Mapping[str, str]:
        try:
            return unsupported(self.ui.open(self.card.id))
        except EngineError:  # of one that this person may not open, nothing is known
            return {}

    def tokens(self, node: Node) -> int | None:
        """Tokens of the message's own text in the model's vocabulary, the template not included; None where unknown."""
        known: dict[str, tuple[str, str, int]] = st.session_state.setdefault(self.key("counted"), {})
        asked, text = self.card.id, node.message().content
        if (found := known.get(node.id)) and found[:2] == (asked, text):
            return found[2]
        if not text or self.writing is not None or (count := self._counter) is None:
            return None
        known[node.id] = (asked, text, len(count.pieces(text)))
        return known[node.id][2]

    @cached_property
    def _counter(self) -> Counter | None:
        """What counts exactly, at once and without a cost; None where there is no such thing."""
        if not self.counts:
            return None
        model = self.ui.open(self.card.id)
        return counter(model, None, {}) if {"exact_count", "exact_prompt"} <= model.capabilities else None

    def plan(self) -> Plan | PromptTooLong | None:
        """What the next message would send, or why it would be refused; None where nobody can say without a cost."""
        known = self.get("plan")
        if self.writing is not None:  # counting would wait behind the answer
            return known[1] if known else None
        if not self.counts or not self.path():
            return None
        asked = (self.conversation, self.card.id, self.ui.params["max_tokens"])
        if known is None or known[0] != asked or known[0][0] is not asked[0]:
            known = (asked, self._plan())
            self.set("plan", known)
        found: Plan | PromptTooLong | None = known[1]
        return found

    def _plan(self) -> Plan | PromptTooLong | None:
        with suppress(NotSupported):
            try:
                return self.chat.preview("", self.choice())
            except PromptTooLong as error:
                return error
        return None

    def shown_plan(self) -> Plan | PromptTooLong | None:
        """The plan whose losses are struck through: that of the message that waits, else that of the next one."""
        waiting: Pending | None = self.get("pending")
        return waiting.plan if waiting is not None and waiting.plan is not None else self.plan()

    def messages_before(self) -> int:
        """How many messages a model reads before the next one."""
        return len(self.conversation.messages())

    def window(self) -> int | None:
        """Tokens of the model's window; asks no network and loads nothing."""
        return self.ui.open(self.card.id).window() if self.counts else self.card.window

    def bound(self, name: str, value: Any) -> str:
        """The key of a widget that shows this setting; it follows when the setting changes elsewhere."""
        key = self.key(name)
        if key not in st.session_state or st.session_state[key] != value:
            st.session_state[key] = value
        return key

    def changed(self, name: str) -> None:
        """Keep what its widget shows now."""
        value = st.session_state[self.key(name)]
        self.attempt(lambda: self.chat.settings(**{name: value}))

    def path(self) -> tuple[Node, ...]:
        """The messages on screen, from the first to the last."""
        return self.conversation.path()

    def take(self, node_id: str) -> None:
        """Have a message in hand, until there is another last one."""
        self.set("hand", (self.conversation.leaf, node_id))

    def held(self) -> Node | None:
        """The message in hand: the one that was taken, else the last."""
        path = self.path()
        leaf, wanted = self.get("hand", (None, None))
        taken = (node for node in path if node.id == wanted and leaf == self.conversation.leaf)
        return next(taken, path[-1] if path else None)


def panes(ui: Ui) -> tuple[Pane, ...]:
    """The chats of this page: one, or two beside each other."""
    sides: tuple[Side, ...] = ("left", "right") if st.session_state.get(TWO) else ("left",)
    found = tuple(Pane(ui, side) for side in sides)
    for pane in found:
        pane.refresh()
    return found
