"""The tree of what was explored from a text, as people read it: stretches between forks. Knows no widget."""

from __future__ import annotations

from dataclasses import dataclass

from engine.sampling.exploration import Exploration, Node


@dataclass(frozen=True)
class Branch:
    """A stretch of the tree without a fork: how deep it hangs, its last node's id (None: the prompt's end), its text,
    whether one stands in it, the model's probability of its first token.
    """

    depth: int
    node: int | None
    text: str
    here: bool
    share: float | None = None


def branches(exploration: Exploration, most: int) -> tuple[list[Branch], bool]:
    """The tree as people read it, from the prompt on, at most so many stretches; whether there are more."""
    children: dict[int | None, list[Node]] = {}
    for node in exploration.nodes:
        children.setdefault(node.parent, []).append(node)
    found = [Branch(0, None, "", exploration.at is None)]
    waiting = [(1, node) for node in reversed(children.get(None, []))]
    while waiting and len(found) < most:
        depth, node = waiting.pop()
        first, text, here = node, node.text, exploration.at == node.id
        while len(following := children.get(node.id, [])) == 1:
            node = following[0]
            text, here = text + node.text, here or exploration.at == node.id
        found.append(Branch(depth, node.id, text, here, first.raw))
        waiting += [(depth + 1, one) for one in reversed(following)]
    return found, bool(waiting)
