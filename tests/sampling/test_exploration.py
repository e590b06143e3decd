"""The tree of what was explored: pure values, and JSON in and out."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.errors import BadInput, NotFound
from engine.sampling.exploration import Exploration


def grown() -> Exploration:
    """Two branches after the first token: 7, then 8 or 9."""
    begun = Exploration("Hi", (1, 2), "model", "runtime").add(7, " a", 0.5, 0.25)
    other = begun.add(8, " b", 0.5, 0.5).back()
    return other.add(9, " c", 0.0, 0.01, {"params": {"temperature": 1.5}}, "hand", 9.5, ((" b", 0.5),))


def test_steps_back_and_branches() -> None:
    found = grown()
    assert (found.written, found.mu, found.at) == ((7, 9), 9.5, 2)
    assert [node.token for node in found.children(0)] == [8, 9]
    assert found.choose(1).written == (7, 8)
    assert found.choose(None).written == () and found.choose(None).back().at is None
    assert [node.token for node in found.path(1)] == [7, 8]


def test_the_same_token_again_is_the_same_branch_with_the_latest_numbers() -> None:
    found = grown().choose(0).add(8, " b", 0.9, 0.5)
    assert (len(found.nodes), found.at, found.nodes[1].probability) == (3, 1, 0.9)


def test_a_node_as_a_scored_token() -> None:
    found = grown().nodes[2].scored
    assert (found.text, found.probability, found.id) == (" c", 0.01, 9) and found.alternatives[0].probability == 0.5


def test_a_node_that_is_not_there() -> None:
    with pytest.raises(NotFound):
        grown().choose(3)


def test_json_keeps_everything() -> None:
    assert Exploration.from_json(grown().to_json()) == grown()


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"nodes": None},
        {"ids": [1, -2]},
        {"ids": [True]},
        {"at": 3},
        {"prompt": 5},
        {"nodes": [{"id": 0}]},
    ],
)
def test_what_is_not_ours(change: dict[str, Any]) -> None:
    with pytest.raises(BadInput):
        Exploration.from_json(json.dumps({**json.loads(grown().to_json()), **change}))


@pytest.mark.parametrize(
    "change",
    [
        {"parent": 1},
        {"parent": "0"},
        {"raw": 2},
        {"probability": float("nan")},
        {"by": "god"},
        {"settings": []},
        {"alternatives": [["a"]]},
        {"alternatives": [["a", 7]]},
    ],
)
def test_a_damaged_node(change: dict[str, Any]) -> None:
    told = json.loads(grown().to_json())
    told["nodes"][1].update(change)
    with pytest.raises(BadInput):
        Exploration.from_json(json.dumps(told))


@pytest.mark.parametrize("text", ["", "[]", "{", "null", "[" * 100_000])
def test_no_json_at_all(text: str) -> None:
    with pytest.raises(BadInput):
        Exploration.from_json(text)
