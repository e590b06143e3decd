"""One open conversation of one person, as every interface uses it: say, regenerate, continue, branch, edit, undo.

Knows no interface. Every change is stored at once; an answer is written by a thread of its own.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from engine.asked import Summaries, asked, planned, wished
from engine.backends.base import Request
from engine.chats import TITLE_MAX, merge
from engine.conversation import Attachment, ChatSettings, Conversation, Node, new_id, title_of
from engine.errors import BadInput, EngineError, NotFound, NotSupported
from engine.history import History, Patch
from engine.live import Live as Live
from engine.params import BY_NAME, Params
from engine.rag.said import say
from engine.sent import sent_request
from engine.types import ROLES, Role
from engine.writing import Begun, Task, Writing

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model
    from engine.rag.preparing import Prepared
    from engine.window import Plan

QUESTION = "?"  # in place of the next one, where passages are foreseen


@dataclass(frozen=True)
class Choice:
    """Who is to answer and how; `key` opens a remote model for this question and is stored nowhere. `language` is the
    reader's, for the words around passages.
    """

    model: str
    params: Params = field(default_factory=Params)
    role: Literal["student", "teacher"] = "teacher"
    key: str | None = field(default=None, repr=False)
    language: str | None = None


class Chat:
    """A conversation that is open; safe from any thread. Methods raise NotFound, BadInput, StoreFailed.

    `error` is what went wrong last, `draft` what was typed when it could not be sent. Two of them may be open on the
    same conversation, in two tabs: each shows what the other did after its own next change, or `refresh`.
    """

    def __init__(
        self,
        engine: Engine,
        owner: str,
        conversation_id: str | None = None,
        *,
        wanted: Callable[[], bool] = lambda: True,
        settings: ChatSettings | None = None,
    ) -> None:
        self.owner = owner
        self.writing: Writing | None = None
        self.error: EngineError | None = None
        self.draft: str | None = None
        self.draft_attachments: tuple[Attachment, ...] = ()
        self._engine = engine
        self._wanted = wanted
        self._acting = threading.RLock()  # one change of a person at a time; held while an answer is being stopped
        self._lock = threading.RLock()  # the conversation itself; never held while waiting
        self._history = History()
        self._summaries = Summaries(owner)
        if conversation_id is None:
            self.conversation = Conversation(new_id(), settings=settings or ChatSettings())
        else:
            self.conversation = engine.chats.get(owner, conversation_id)
            self.draft = engine.chats.draft(owner, conversation_id)
        self._stored = self.conversation

    # What a person does

    def say(
        self, text: str, choice: Choice | None, *, role: Role = "user", attachments: Sequence[Attachment] = ()
    ) -> Writing | None:
        """Add a message where one stands; one of role user asks the model, others only add (`choice` may be None)."""
        if not text.strip() and not attachments:
            raise BadInput("there is nothing to send", what="message", reason="empty")
        if role not in ROLES:
            raise BadInput(f"there is no role {role}", what="message", reason="role")
        with self._acting:
            self.stop(wait=True)
            self._forget_draft()
            node = Node(new_id(), self.conversation.leaf, role, text, time.time(), attachments=tuple(attachments))
            if role != "user" or choice is None:
                self._step(lambda tree: _titled(tree.add(node), node))
                return None
            return self._ask(node.id, choice, lambda tree: _titled(tree.add(node), node), typed=node)

    def regenerate(self, node_id: str, choice: Choice) -> Writing:
        """Another answer beside this one; of a question, an answer to it."""
        with self._acting:
            self.stop(wait=True)
            node = self.conversation.node(node_id)
            return self._ask(node.parent if node.role == "assistant" else node.id, choice)

    def resume(self, node_id: str, choice: Choice) -> Writing:
        """Let the model go on writing this answer where it stopped. Raises BadInput for a question, and for an answer
        that is being written in another tab.
        """
        with self._acting:
            self.stop(wait=True)
            before = self._answer(node_id)
            node = replace(before, **self._by(choice), outcome=None, error=None, state="writing")
            return self._write(node, lambda tree: tree.update(node).at(node.id), choice)

    def branch_with(self, node_id: str, prefix_text: str, choice: Choice) -> Writing:
        """Another answer beside this one, which begins with this text."""
        with self._acting:
            self.stop(wait=True)
            node = self._answer(node_id)
            kept = _scored(node.tokens, prefix_text)
            return self._ask(node.parent, choice, prefill=prefix_text, tokens=kept, grounding=node.grounding)

    def stop(self, *, wait: bool = False) -> None:
        """End the answer under way, if there is one; what was written stays."""
        writing = self.writing
        if writing is None:
            return
        writing.stop()
        if wait:
            writing.ended()

    def edit(self, node_id: str, content: str) -> None:
        """Another text for this message; what follows it stays."""
        with self._acting:
            if self.writing is not None and self.writing.node_id == node_id:
                self.stop(wait=True)
            self._step(lambda tree: tree.edit(node_id, content))

    def delete(self, node_id: str) -> None:
        """Take this message out, with what follows it."""
        with self._acting:
            self.stop(wait=True)
            self._step(lambda tree: tree.delete(node_id))

    def choose(self, node_id: str) -> None:
        """Show the branch through this message."""
        self._store(lambda tree: tree.choose(node_id))

    def at(self, node_id: str | None) -> None:
        """Stand at this message, so that the next one begins a branch there; None is before the first."""
        self._store(lambda tree: tree.at(node_id))

    def undo(self) -> None:
        """Take the last change back, an answer with its question; nothing where there is none."""
        with self._acting:
            self.stop(wait=True)
            self._store(self._history.undo)

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        with self._acting:
            self.stop(wait=True)
            self._store(self._history.redo)

    @property
    def can_undo(self) -> bool:
        """Whether there is a change to take back."""
        return self._history.can_undo

    @property
    def can_redo(self) -> bool:
        """Whether there is a change to make again."""
        return self._history.can_redo

    def settings(self, **changes: Any) -> None:
        """Change the conversation's own settings, by their names in ChatSettings."""
        with self._acting:
            new = replace(self.conversation.settings, **changes)
            if new != self.conversation.settings:
                self._step(lambda tree: replace(tree, settings=new))

    def rename(self, title: str) -> None:
        """Give the conversation another title."""
        self._store(lambda tree: replace(tree, title=" ".join(title.split())[:TITLE_MAX]))

    def copy_from(self, node_id: str) -> str:
        """The id of a new conversation: a copy of this one up to that message."""
        path = self.conversation.path(self.conversation.node(node_id).id)
        copied = {
            node.id: replace(node, state="interrupted" if node.state == "writing" else node.state) for node in path
        }
        copy = replace(self.conversation, nodes=copied, leaf=node_id, pinned=False, created=0.0, updated=0.0)
        return self._engine.chats.adopt(self.owner, copy).id

    def refresh(self) -> bool:
        """Whether another tab had changed the conversation; it is then shown here. Raises NotFound once deleted."""
        with self._lock:
            mine, chats = self.conversation, self._engine.chats
            if mine.revision == 0 or chats.revision(self.owner, mine.id) == self._stored.revision:
                return False
            current = chats.get(self.owner, mine.id)
            # each tab stands where it stood; what a failed store left unsaved here goes with the next change
            self.conversation = merge(mine, self._stored, current).patched({}, mine.leaf)
            self.conversation = replace(self.conversation, updated=current.updated, revision=current.revision)
            self._stored = current
            return True

    # What is shown

    def preview(self, text: str, choice: Choice, attachments: Sequence[Attachment] = ()) -> Plan:
        """What would be sent, exactly counted; for passages that the question will find there are stand-ins, and the
        plan says so (`foreseen`). Raises NotSupported where that cannot be, PromptTooLong when refused.
        """
        model = self._model(choice)
        if "exact_count" not in model.capabilities:
            raise NotSupported(capability="exact_count", backend=model.backend.name)
        tree = self.conversation
        if text or attachments:
            tree = tree.add(Node(new_id(), tree.leaf, "user", text, time.time(), attachments=tuple(attachments)))
        if tree.settings.collections:
            return self._foreseen(model, tree, choice)
        params = choice.params.over(model.defaults)
        return planned(model, tree, asked(model, tree, tree.leaf).for_a_count(), params)

    def _foreseen(self, model: Model, tree: Conversation, choice: Choice) -> Plan:
        from engine.rag.foresight import foreseen

        if not tree.path() or tree.path()[-1].role != "user":  # passages stand before a question
            tree = tree.add(Node(new_id(), tree.leaf, "user", QUESTION, time.time()))
        params = choice.params.over(model.defaults)
        passages = foreseen(self._engine, self.owner, model, tree, params, choice.language)
        what = asked(model, tree, tree.leaf, passages=passages).for_a_count()
        return replace(planned(model, tree, what, params), foreseen=passages is not None)

    def request_of(self, node_id: str) -> tuple[str, Request]:
        """The model and the request of this answer, as its trace kept it; put together again where there is none.

        Raises NotFound where no model was asked.
        """
        node = self.conversation.node(node_id)
        if node.model is None or (node.grounding and not node.grounding.get("asked", True)):
            raise NotFound(f"message {node_id} was not written by a model", what="request", key=node_id)
        params = _params(node.params)
        sent = sent_request(self._engine.traces, node, self.owner)
        sent = sent or Request(self.conversation.at(node.parent).messages(), params)
        exact = (node.window or {}).get("exact")  # only a server that counts keeps to a window of ours
        window = self.conversation.settings.virtual_window if exact else None
        return node.model, replace(sent, params=params, owner=self.owner, virtual_window=window, window=node.window)

    # How an answer is written

    def _ask(
        self,
        parent: str | None,
        choice: Choice,
        before: Callable[[Conversation], Conversation] = lambda tree: tree,
        *,
        prefill: str = "",
        tokens: Iterable[Any] = (),
        typed: Node | None = None,
        grounding: Mapping[str, Any] | None = None,
    ) -> Writing:
        form = None if prefill else self._form(choice)  # what goes on from a text is held to nothing
        node = Node(new_id(), parent, "assistant", prefill, time.time(), tokens=tuple(tokens), state="writing",
                    form=form, grounding=grounding, **self._by(choice))  # fmt: skip
        return self._write(node, lambda tree: before(tree).add(node), choice, typed)

    def _write(
        self,
        node: Node,
        change: Callable[[Conversation], Conversation],
        choice: Choice,
        typed: Node | None = None,
    ) -> Writing:
        """Store the beginning, so that no crash loses the question, and let a thread write the rest."""
        self.error = None
        back = self._step_or_back(change, typed)
        tree, node = self.conversation, self.conversation.node(node.id)

        def begin(stopped: Callable[[], bool]) -> Begun:
            model = self._model(choice)
            params = _params(node.params)
            what = asked(model, tree, node.parent, node.content).for_an_answer(node.content)
            found = self._grounded(tree, node, model, params, choice, stopped)
            if found is not None:
                if found.passages is None:
                    return Begun(say(found.said, self.owner, model.card.id), None, found.grounding.record())
                what = asked(model, tree, node.parent, node.content, found.passages)
            plan = planned(model, tree, what, params, summarize=self._summaries.by(model, stopped))
            virtual = tree.settings.virtual_window if plan.prompt_tokens is not None else None  # else nobody counts
            generation = model.stream(plan.messages, params, owner=self.owner, virtual_window=virtual,
                                      window=plan.record(), **what.options)  # fmt: skip
            return Begun(generation, plan.record(), found.grounding.record() if found else None)

        def journal(text: str, reasoning: str) -> None:
            self._engine.chats.journal(self.owner, tree.id, node.id, text, reasoning)

        with self._lock:
            task = Task(begin, journal, lambda writing: self._finish(writing, back, typed), self._wanted)
            self.writing = Writing(node, task)
            return self.writing

    def _grounded(
        self, tree: Conversation, node: Node, model: Model, params: Params, choice: Choice, stopped: Callable[[], bool]
    ) -> Prepared | None:
        """What the answer is made from; one that goes on has the passages that it began with."""
        if not tree.settings.collections and node.grounding is None:
            return None
        from engine.rag.chatting import again, asking, prepared

        if node.content:
            return again(node.grounding)
        return prepared(self._engine, self.owner, model, tree, node.parent, params, language=choice.language,
                        stopped=stopped, asking=asking(choice.role, choice.key, model.card))  # fmt: skip

    def _step_or_back(self, change: Callable[[Conversation], Conversation], typed: Node | None) -> Patch:
        """The patch that takes the change back; where it cannot be stored there is no change, and a draft."""
        before = self.conversation
        try:
            return self._step(change)
        except EngineError as error:
            self.conversation, self.error = before, error
            if typed is not None:
                self.draft, self.draft_attachments = typed.content, typed.attachments
            raise

    def _finish(self, writing: Writing, back: Patch, typed: Node | None) -> None:
        """Put the answer into the tree, or take all back: there are no empty answers, and no question is lost."""
        with self._lock:
            self.error = writing.error
            try:
                if writing.empty:
                    self._take_back(back, typed)
                else:
                    written = writing.written()
                    self._store(lambda tree: tree.update(written) if written.id in tree.nodes else tree)
            except EngineError as error:  # deleted in another tab, or a full disk: what came is shown all the same
                self.error = error
            finally:
                if self.writing is writing:
                    self.writing = None

    def _take_back(self, back: Patch, typed: Node | None) -> None:
        self._history.forget(back)
        if typed is not None:
            self.draft, self.draft_attachments = typed.content, typed.attachments
        self._store(back.on)
        if typed is not None:
            self._engine.chats.keep_draft(self.owner, self.conversation.id, typed.content)

    def _forget_draft(self) -> None:
        if self.draft is not None and self.conversation.revision:
            self._engine.chats.keep_draft(self.owner, self.conversation.id, None)
        self.draft, self.draft_attachments = None, ()

    def _answer(self, node_id: str) -> Node:
        """The message, which must be an answer, and nobody's at work: two at once would write over each other."""
        if self.conversation.node(node_id).state == "writing":
            self.refresh()  # it may have ended meanwhile
        node = self.conversation.node(node_id)
        if node.role != "assistant":
            raise BadInput("only an answer can be continued", what="message", reason="no_answer")
        if node.state == "writing":
            raise BadInput("this answer is being written elsewhere", what="message", reason="being_written")
        return node

    def _by(self, choice: Choice) -> dict[str, Any]:
        """Who writes and with which parameters, those of the model's configuration among them; the seed is a number, so
        that it is shown and the next one is another.
        """
        params = self._engine.params(choice.model, choice.params).seeded()
        plain = {name: list(value) if isinstance(value, tuple) else value for name, value in params.items()}
        return {"model": choice.model, "params": plain}

    def _form(self, choice: Choice) -> dict[str, str] | None:
        """What the answer has to be, so that it is judged by that however the settings change."""
        settings = wished(self.conversation.settings, self._engine.wishes(choice.model))
        if settings.output_kind == "text":
            return None
        return {"kind": settings.output_kind, "source": settings.output_source}

    def _model(self, choice: Choice) -> Model:
        return self._engine.model(choice.model, choice.key, role=choice.role, owner=self.owner)

    # How a change is stored

    def _step(self, change: Callable[[Conversation], Conversation]) -> Patch:
        """The patch that takes the change back; one that changes nothing is not remembered."""
        with self._lock:
            before = self.conversation
            after = change(before)
            if after is before:
                return Patch({}, before.leaf)
            self._store(lambda _: after)
            return self._history.step(before, after)

    def _store(self, change: Callable[[Conversation], Conversation]) -> None:
        """Make the change here first, so that a store that fails costs nothing that is on the screen."""
        with self._lock:
            mine = change(self.conversation)
            if mine is self.conversation:
                return
            self.conversation = mine
            if mine.revision == 0 and not mine.nodes:
                return  # a new conversation is stored at its first message
            self.conversation = self._stored = self._engine.chats.save(self.owner, mine, self._stored)


def _params(kept: Any) -> Params:
    return Params({name: value for name, value in kept.items() if name in BY_NAME})


def _titled(tree: Conversation, node: Node) -> Conversation:
    return tree if tree.title else replace(tree, title=title_of(node.content))


def _scored(entries: Sequence[Any], text: str) -> tuple[Any, ...]:
    """The first entries, as far as their tokens are what this text begins with."""
    kept, so_far = [], ""
    for entry in entries:
        token = entry.get("token")
        if not isinstance(token, str) or not token or not text.startswith(so_far + token):
            break
        kept.append(entry)
        so_far += token
    return tuple(kept)
