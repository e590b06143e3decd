"""The conversations that are open in browsers: their controllers, of each person a bounded number. Knows no widget.

Gradio copies what lies in `gr.State`; so a page keeps an id only, and the controller lies here under its owner.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from apps.ui.judging import Judging
from apps.ui.trace_panel import TracePanel
from engine.chat import Chat
from engine.conversation import Attachment, Conversation, Node
from engine.engine import Engine
from engine.errors import BadInput, NotFound
from engine.live import Live
from engine.output import Output
from engine.trace import Trace
from engine.window import Plan
from engine.writing import Writing

PER_PERSON = 24
AT_ALL = 600
UNSEEN_S = 20.0  # a busy machine may take that long to ask for the next view
LEFT_S = 4.0  # who loads the page again finds the answer still under way


@dataclass(frozen=True)
class Waiting:
    """A message that a person has yet to agree to: `plan` would leave out parts of the conversation `tree`."""

    tree: Conversation
    text: str
    plan: Plan
    cut: str | None = None  # what becomes of files that do not fit


class Open:
    """One open conversation, the files that wait for its next message, and what was seen of its answers."""

    def __init__(self, engine: Engine, owner: str, conversation_id: str | None = None) -> None:
        self.pending: tuple[Attachment, ...] = ()
        self.paces: dict[str, tuple[tuple[float, int], ...]] = {}  # of answers seen being written, by message
        self.looked: tuple[Node, str, TracePanel, Trace | None] | None = None  # of the answer that was looked at last
        self.waiting: Waiting | None = None
        self._judging: Judging | None = None
        self._begun = False
        self._until = time.monotonic() + UNSEEN_S
        self.chat = Chat(engine, owner, conversation_id, wanted=lambda: time.monotonic() < self._until)

    @property
    def busy(self) -> bool:
        """Whether a question is on its way or its answer is being written."""
        return self._begun or self.chat.writing is not None

    @property
    def waits(self) -> Waiting | None:
        """The message that nobody has agreed to yet, as long as the conversation is what it was asked about."""
        waiting = self.waiting
        return waiting if waiting is not None and waiting.tree is self.chat.conversation else None

    def free(self) -> None:
        """Return when a question can be asked. Raises BadInput while another page has asked one: it goes first."""
        if self.busy:
            raise BadInput("this answer is being written elsewhere", what="message", reason="being_written")

    @contextmanager
    def begun(self) -> Iterator[None]:
        """While a question is on its way to the model."""
        self._begun = True
        try:
            yield
        finally:
            self._begun = False

    def touch(self) -> None:
        """Somebody looks at it now."""
        self._until = time.monotonic() + UNSEEN_S

    def judged(self, form: Output, text: str) -> Judging:
        """Whether the text has that form: judged once, away from the page."""
        if self._judging is None or not self._judging.of(form, text):
            self._judging = Judging(form, text)
        return self._judging

    def views(self, writing: Writing) -> Iterator[Live]:
        """The growing answer; once nobody reads this any more it is stopped, soon after."""
        try:
            for view in writing.views():
                self.touch()
                yield view
        except GeneratorExit:
            self._until = time.monotonic() + LEFT_S
            raise


class Opened:
    """Open conversations by owner and id; those used longest ago are let go, an answer under way is not."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: OrderedDict[tuple[str, str], Open] = OrderedDict()
        self.gone: dict[str, Conversation] = {}  # of each person the one deleted last, to take that back

    def new(self, engine: Engine, owner: str) -> Open:
        """An empty conversation, which is stored at its first message."""
        return self._kept(Open(engine, owner))

    def get(self, engine: Engine, owner: str, conversation_id: str) -> Open:
        """The person's conversation, as another tab may have changed it. Raises NotFound."""
        found = self.find(owner, conversation_id)
        if found is None:
            return self._kept(Open(engine, owner, conversation_id))
        try:
            found.chat.refresh()
        except NotFound:
            self.drop(owner, conversation_id)
            raise
        return found

    def find(self, owner: str, conversation_id: str) -> Open | None:
        """The conversation if it is open already; another's id finds nothing."""
        with self._lock:
            found = self._open.get((owner, conversation_id))
            if found is not None:
                self._open.move_to_end((owner, conversation_id))
            return found

    def drop(self, owner: str, conversation_id: str) -> None:
        """Close it."""
        with self._lock:
            self._open.pop((owner, conversation_id), None)

    def _kept(self, made: Open) -> Open:
        owner = made.chat.owner
        with self._lock:
            kept = self._open.setdefault((owner, made.chat.conversation.id), made)
            own = [key for key in self._open if key[0] == owner]
            for key in own[: max(0, len(own) - PER_PERSON)] + list(self._open)[: max(0, len(self._open) - AT_ALL)]:
                one = self._open.get(key)
                if one is not None and one is not kept and one.chat.writing is None:
                    del self._open[key]
        return kept
