"""Undo and redo of a conversation: what each step changed, so that a step made elsewhere is never undone with it. Knows
no store.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from engine.conversation import ChatSettings, Conversation, Node

STEPS_MAX = 100


@dataclass(frozen=True)
class Patch:
    """Messages to put back (None: to take out), where one then stands, and the settings where they changed."""

    nodes: Mapping[str, Node | None]
    leaf: str | None
    settings: ChatSettings | None = None

    @classmethod
    def back(cls, before: Conversation, after: Conversation) -> Patch:
        """The patch that leads from `after` back to `before`."""
        nodes: dict[str, Node | None] = {
            key: node for key, node in before.nodes.items() if after.nodes.get(key) is not node
        }
        nodes.update({key: None for key in after.nodes if key not in before.nodes})
        settings = before.settings if before.settings != after.settings else None
        return cls(nodes, before.leaf, settings)

    def on(self, conversation: Conversation) -> Conversation:
        """The conversation with this patch; what the patch does not name stays."""
        after = conversation.patched(self.nodes, self.leaf)
        return after if self.settings is None else replace(after, settings=self.settings)


class History:
    """The last 100 steps that can be undone, and those that were and can be done again."""

    def __init__(self) -> None:
        self._done: list[Patch] = []
        self._undone: list[Patch] = []

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._done)

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to do again."""
        return bool(self._undone)

    def step(self, before: Conversation, after: Conversation) -> Patch:
        """Remember a step that was just made; the patch that takes it back."""
        back = Patch.back(before, after)
        self._done.append(back)
        del self._done[:-STEPS_MAX]
        self._undone.clear()
        return back

    def forget(self, back: Patch) -> None:
        """Forget a step, which did not happen after all."""
        self._done = [patch for patch in self._done if patch is not back]

    def undo(self, now: Conversation) -> Conversation:
        """The conversation without its last step; the same where there is none."""
        return _move(now, self._done, self._undone)

    def redo(self, now: Conversation) -> Conversation:
        """The conversation with the step that was undone last; the same where there is none."""
        return _move(now, self._undone, self._done)


def _move(now: Conversation, source: list[Patch], target: list[Patch]) -> Conversation:
    if not source:
        return now
    after = source.pop().on(now)
    target.append(Patch.back(now, after))
    return after
