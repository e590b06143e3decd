"""A conversation as a tree of messages: an immutable value, changed by making another. Knows no store and no model."""

from __future__ import annotations

import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from engine.errors import BadInput, NotFound
from engine.types import Message, Outcome, Role

NodeState = Literal["done", "writing", "interrupted"]
TICK = 1e-6  # seconds between two siblings that the clock gives the same time
TITLE_LENGTH = 60
WINDOW_MAX = 10_000_000  # tokens of a virtual window: more than any model has, and what a field for numbers can show


@dataclass(frozen=True)
class Attachment:
    """A file put into a message: its text, or for an image its address as a data URL; `tokens` None is not counted.

    A truncated one was cut to `tokens` of its `whole` tokens.
    """

    name: str
    kind: Literal["text", "image"]
    text: str
    tokens: int | None = None
    pages: int | None = None
    truncated: bool = False
    data_url: str | None = None
    warnings: tuple[str, ...] = ()
    whole: int | None = None


@dataclass(frozen=True)
class Node:
    """One message of the tree; `created` in seconds since 1970. What follows `reasoning` tells how an answer came.

    `stats` are LM Studio's keys, `window` the record of what a policy dropped, `tokens` the log-probability entries,
    `form` what the answer had to be (engine.output), where that was no free text, `grounding` the record of the
    passages that it was made from (engine.rag.grounding).
    """

    id: str
    parent: str | None
    role: Role
    content: str
    created: float
    reasoning: str = ""
    model: str | None = None
    params: Mapping[str, Any] = field(default_factory=dict)
    outcome: Outcome | None = None
    stats: Mapping[str, Any] | None = None
    usage: Mapping[str, Any] | None = None
    trace_id: str | None = None
    error: Mapping[str, Any] | None = None
    attachments: tuple[Attachment, ...] = ()
    window: Mapping[str, Any] | None = None
    tokens: tuple[Mapping[str, Any], ...] = ()
    state: NodeState = "done"
    form: Mapping[str, Any] | None = None
    grounding: Mapping[str, Any] | None = None

    def message(self) -> Message:
        """What a model reads: the files first, each fenced under its name, then what was typed."""
        texts = [fenced(file) for file in self.attachments if file.kind == "text"]
        content = "\n\n".join([*texts, self.content] if self.content else texts)
        images = [file.data_url for file in self.attachments if file.kind == "image" and file.data_url]
        if not images:
            return Message(self.role, content)
        parts: list[dict[str, Any]] = [{"type": "text", "text": content}]
        parts += [{"type": "image_url", "image_url": {"url": url}} for url in images]
        return Message(self.role, content, {"content": parts})


@dataclass(frozen=True)
class ChatSettings:
    """What one conversation has of its own; `preset` is a name in the library, `template` a name or a Jinja text.

    One with `collections` (ids) is grounded in them: `grounding` is a mode of engine.rag, `retrieval` what differs from
    their default search, and with `rewrite` a question is made to stand alone before it is looked for.
    """

    system: str = ""
    preset: str | None = None
    policy: str = "stop"
    virtual_window: int | None = None
    mode: Literal["chat", "raw"] = "chat"
    template: str | None = None
    output_kind: Literal["text", "json_schema", "grammar"] = "text"
    output_source: str = ""
    token_view: bool = False
    collections: tuple[str, ...] = ()
    grounding: str = "documents_and_model"
    retrieval: Mapping[str, Any] | None = None
    rewrite: bool = True

    def __post_init__(self) -> None:
        object.__setattr__(self, "collections", tuple(self.collections))  # JSON has lists


@dataclass(frozen=True)
class Conversation:
    """The whole tree and where one stands in it: `leaf` is the last message shown, None before the first one.

    `revision` counts what was stored. Methods that change give a new value. Raises NotFound for an unknown message.
    """

    id: str
    title: str = ""
    nodes: Mapping[str, Node] = field(default_factory=dict)
    leaf: str | None = None
    settings: ChatSettings = field(default_factory=ChatSettings)
    pinned: bool = False
    created: float = 0.0
    updated: float = 0.0
    revision: int = 0

    def path(self, leaf: str | None = None) -> tuple[Node, ...]:
        """The messages from the first to `leaf`, by default to where one stands."""
        return tuple(self._upwards(self.leaf if leaf is None else leaf))[::-1]

    def node(self, node_id: str) -> Node:
        """The message. Raises NotFound."""
        try:
            return self.nodes[node_id]
        except KeyError:
            raise NotFound(f"no message {node_id}", what="message", key=node_id) from None

    def children(self, node_id: str | None) -> tuple[str, ...]:
        """What follows that message, oldest first; None gives the first messages."""
        return self._children.get(node_id, ())

    def siblings(self, node_id: str) -> tuple[str, ...]:
        """The message among those in its place, oldest first."""
        return self.children(self.node(node_id).parent)

    def newest_below(self, node_id: str) -> str:
        """The last message of the newest branch that begins with this one."""
        while following := self.children(node_id):
            node_id = following[-1]
        return node_id

    def subtree(self, node_id: str) -> frozenset[str]:
        """The message and everything below it."""
        found, waiting = set(), [node_id]
        while waiting:
            found.add(last := waiting.pop())
            waiting += self.children(last)
        return frozenset(found)

    def add(self, node: Node) -> Conversation:
        """With one message more, which becomes the leaf."""
        if node.id in self.nodes:
            raise BadInput(f"message {node.id} exists already", what="message", reason="taken")
        if node.parent is not None:
            self.node(node.parent)
        newest = max((self.nodes[key].created for key in self.children(node.parent)), default=None)
        if newest is not None and node.created <= newest:  # siblings are in the order of their times
            node = replace(node, created=newest + TICK)
        return replace(self, nodes={**self.nodes, node.id: node}, leaf=node.id)

    def update(self, node: Node) -> Conversation:
        """With this message in place of the one that has its id; it stays where it is in the tree."""
        before = self.node(node.id)
        moved = replace(node, parent=before.parent, created=before.created)
        return replace(self, nodes={**self.nodes, node.id: moved})

    def edit(self, node_id: str, content: str) -> Conversation:
        """With another text of that message; what follows it stays. What was measured of the old text goes."""
        before = self.node(node_id)
        if content == before.content:
            return self
        return self.update(replace(before, content=content, tokens=(), state="done"))

    def choose(self, node_id: str) -> Conversation:
        """Standing at the end of the newest branch through that message."""
        self.node(node_id)
        return replace(self, leaf=self.newest_below(node_id))

    def at(self, node_id: str | None) -> Conversation:
        """Standing at that message, so that the next one begins a branch there; None is before the first."""
        if node_id is not None:
            self.node(node_id)
        return replace(self, leaf=node_id)

    def delete(self, node_id: str) -> Conversation:
        """Without that message and what follows it; who stood there stands at its neighbour, or at its parent."""
        self.node(node_id)
        return self.patched({node_id: None}, self.leaf)

    def patched(self, changes: Mapping[str, Node | None], leaf: str | None) -> Conversation:
        """With these messages put in, or taken out (None) together with what follows them: always a valid tree.

        One whose parent is nowhere is left out. Where `leaf` is gone, one stands at what is nearest to it.
        """
        nodes = {**self.nodes, **{key: node for key, node in changes.items() if node is not None}}
        for key, node in changes.items():
            if node is None:
                nodes.pop(key, None)
        kept = _rooted(nodes)
        after = replace(self, nodes=kept, leaf=None)
        known = {**self.nodes, **{key: node for key, node in changes.items() if node is not None}}
        return replace(after, leaf=after._nearest(leaf, known))

    def messages(self, leaf: str | None = None) -> tuple[Message, ...]:
        """What a model reads up to `leaf`: the system prompt first, the files inside their messages; nothing empty."""
        said = [Message("system", self.settings.system)] if self.settings.system.strip() else []
        turns = (node.message() for node in self.path(leaf))
        return (*said, *(message for message in turns if message.content or message.extra))

    def check(self) -> None:
        """Raises BadInput where this is no tree: a parent that is not there, a circle, a leaf that is not there."""
        for key, node in self.nodes.items():
            if key != node.id or (node.parent is not None and node.parent not in self.nodes):
                raise BadInput(f"message {key} hangs on nothing", what="conversation", reason="parent")
        if len(_rooted(self.nodes)) != len(self.nodes):
            raise BadInput("messages follow each other in a circle", what="conversation", reason="circle")
        if self.leaf is not None and self.leaf not in self.nodes:
            raise BadInput(f"the leaf {self.leaf} is not there", what="conversation", reason="leaf")

    @cached_property
    def _children(self) -> dict[str | None, tuple[str, ...]]:
        found: dict[str | None, list[str]] = {}
        for node in sorted(self.nodes.values(), key=lambda node: (node.created, node.id)):
            found.setdefault(node.parent, []).append(node.id)
        return {parent: tuple(ids) for parent, ids in found.items()}

    def _upwards(self, leaf: str | None) -> Iterator[Node]:
        while leaf is not None:
            node = self.node(leaf)
            yield node
            leaf = node.parent

    def _nearest(self, leaf: str | None, known: Mapping[str, Node]) -> str | None:
        """`leaf` if it is there, else the end of its nearest neighbour's branch, else its parent, and so upwards."""
        while leaf is not None and leaf not in self.nodes:
            gone = known.get(leaf)
            if gone is None:
                return self.newest_below(self.children(None)[-1]) if self.nodes else None
            here = gone.parent is None or gone.parent in self.nodes
            beside = self.children(gone.parent) if here else ()
            if beside:
                before = [key for key in beside if self.nodes[key].created <= gone.created]
                return self.newest_below(before[-1] if before else beside[0])
            leaf = gone.parent
        return leaf


def new_id() -> str:
    """A random id for a message or a conversation; a command line must not take it for a flag."""
    made = secrets.token_urlsafe(12)
    return made if made[0] != "-" else new_id()


def title_of(text: str) -> str:
    """A title from the first message: its first line, 60 characters at most."""
    line = next((line.strip() for line in text.splitlines() if line.strip()), "")
    return line if len(line) <= TITLE_LENGTH else line[: TITLE_LENGTH - 1].rstrip() + "…"


def fenced(file: Attachment) -> str:
    """The text of a file between fences that it does not contain, under its name."""
    fence = "```"
    while fence in file.text:
        fence += "`"
    name = " ".join(file.name.split())
    return f"{fence} {name}\n{file.text}\n{fence}"


def _rooted(nodes: Mapping[str, Node]) -> dict[str, Node]:
    """Those that hang on a first message, in the order given."""
    below: dict[str | None, list[str]] = {}
    for node in nodes.values():
        below.setdefault(node.parent, []).append(node.id)
    reached, waiting = set(), list(below.get(None, ()))
    while waiting:
        reached.add(last := waiting.pop())
        waiting += below.get(last, ())
    return {key: node for key, node in nodes.items() if key in reached}
