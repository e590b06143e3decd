"""The branches that somebody has explored from one prompt: a tree of tokens, each with what it was worth. Pure values.

Knows no model. What is kept is enough to show the session again, and to repeat it with the same file and settings.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from engine.errors import BadInput, NotFound
from engine.token_view import Alternative, Scored

FORMAT = "atelier-sampling/1"
MAX_NODES = 20_000
By = Literal["dart", "hand"]


@dataclass(frozen=True)
class Node:
    """One token: `text` as it is shown, `probability` of the last stage and `raw` of the model itself, both in [0, 1].

    `settings` are those of the Recipe that it was looked at with, `by` who chose it; `mu` is mirostat's once it is
    written, in bits; `alternatives` are the model's likeliest tokens there, as they are shown, with their raw
    probability. Its id is its place in `Exploration.nodes`; the parent's is smaller, None at the prompt.
    """

    id: int
    parent: int | None
    token: int
    text: str
    probability: float
    raw: float
    settings: Mapping[str, Any] = field(default_factory=dict)
    by: By = "dart"
    mu: float | None = None
    alternatives: tuple[tuple[str, float], ...] = ()

    @property
    def scored(self) -> Scored:
        """The token for a strip that colours by the model's own probability."""
        others = (Alternative(text, share) for text, share in self.alternatives)
        return Scored(self.text, self.raw, tuple(others), self.token)


@dataclass(frozen=True)
class Exploration:
    """A prompt, its tokens `ids`, the tree, and where in it one stands (`at`, None: at the prompt's end).

    `model` and `runtime` say where the numbers come from.
    """

    prompt: str
    ids: tuple[int, ...]
    model: str = ""
    runtime: str = ""
    nodes: tuple[Node, ...] = ()
    at: int | None = None

    def path(self, at: int | None = None) -> tuple[Node, ...]:
        """The nodes from the prompt to `at`, by default to where one stands. Raises NotFound."""
        found: list[Node] = []
        number = self.at if at is None else at
        while number is not None:
            found.append(self.node(number))
            number = found[-1].parent
        return tuple(reversed(found))

    @property
    def written(self) -> tuple[int, ...]:
        """The answer's tokens up to where one stands."""
        return tuple(node.token for node in self.path())

    @property
    def mu(self) -> float | None:
        """Mirostat's mu there, in bits."""
        return None if self.at is None else self.nodes[self.at].mu

    def node(self, number: int) -> Node:
        """The node of that id. Raises NotFound."""
        if not 0 <= number < len(self.nodes):
            raise NotFound(f"there is no node {number}", what="node", key=number)
        return self.nodes[number]

    def children(self, number: int | None) -> tuple[Node, ...]:
        """What was explored after that node, None: after the prompt; in the order in which it came."""
        return tuple(node for node in self.nodes if node.parent == number)

    def add(
        self, token: int, text: str, probability: float, raw: float, settings: Mapping[str, Any] | None = None,
        by: By = "dart", mu: float | None = None, alternatives: tuple[tuple[str, float], ...] = (),
    ) -> Exploration:  # fmt: skip
        """One token further: a new branch, or the one that is there with the latest numbers. Raises BadInput."""
        known = next((node for node in self.children(self.at) if node.token == token), None)
        if known is None and len(self.nodes) >= MAX_NODES:
            raise BadInput(f"more than {MAX_NODES} tokens explored", reason="too_many")
        number = len(self.nodes) if known is None else known.id
        node = Node(number, self.at, token, text, probability, raw, dict(settings or {}), by, mu, alternatives)
        return replace(self, nodes=(*self.nodes[:number], node, *self.nodes[number + 1 :]), at=number)

    def back(self) -> Exploration:
        """One token back; what was explored stays."""
        return self if self.at is None else replace(self, at=self.node(self.at).parent)

    def choose(self, number: int | None) -> Exploration:
        """Stand at that node, None: at the prompt's end. Raises NotFound."""
        return replace(self, at=None if number is None else self.node(number).id)

    def to_json(self) -> str:
        """The whole session as JSON text."""
        return json.dumps({"format": FORMAT, **asdict(self)}, ensure_ascii=False, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Exploration:
        """The session that `to_json` wrote. Raises BadInput for anything else."""
        try:
            told = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise _not_ours(str(error)) from error
        if not isinstance(told, dict) or told.get("format") != FORMAT:
            raise _not_ours(f"its format is not {FORMAT}")
        return _checked(told)


def _checked(told: Mapping[str, Any]) -> Exploration:
    nodes, ids, at = told.get("nodes"), told.get("ids"), told.get("at")
    if not isinstance(nodes, list) or len(nodes) > MAX_NODES or not isinstance(ids, list):
        raise _not_ours("nodes or ids are missing")
    found = tuple(_node(number, node) for number, node in enumerate(nodes))
    words = [told.get(name, "") for name in ("prompt", "model", "runtime")]
    if not all(_token(one) for one in ids) or not all(isinstance(word, str) for word in words):
        raise _not_ours("its prompt is damaged")
    if at is not None and not (_token(at) and at < len(found)):
        raise _not_ours("it stands nowhere")
    return Exploration(words[0], tuple(ids), words[1], words[2], found, at)


def _node(number: int, told: Any) -> Node:
    if not isinstance(told, dict):
        raise _not_ours(f"node {number} is none")
    parent, mu = told.get("parent"), told.get("mu")
    settings, others = told.get("settings", {}), told.get("alternatives", [])
    fine = (
        told.get("id") == number
        and (parent is None or (_token(parent) and parent < number))
        and _token(told.get("token"))
        and isinstance(told.get("text"), str)
        and _share(told.get("probability"))
        and _share(told.get("raw"))
        and told.get("by") in get_args(By)
        and (mu is None or _number(mu))
        and isinstance(settings, dict)
        and isinstance(others, list)
        and all(_alternative(one) for one in others)
    )
    if not fine:
        raise _not_ours(f"node {number} is damaged")
    numbers, pairs = (told["probability"], told["raw"]), tuple((text, share) for text, share in others)
    return Node(number, parent, told["token"], told["text"], *numbers, settings, told["by"], mu, pairs)


def _token(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _share(value: Any) -> bool:
    return _number(value) and 0 <= value <= 1


def _alternative(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and isinstance(value[0], str) and _share(value[1])


def _not_ours(why: str) -> BadInput:
    return BadInput(f"this is no exploration of ours: {why}", reason="format")
