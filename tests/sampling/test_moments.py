"""Moments on four tokens: recipes, the dart, mirostat's memory, two ways side by side."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from engine.errors import BadInput, BadParameter
from engine.output import Output
from engine.params import Params
from engine.sampling.exploration import Exploration
from engine.sampling.moments import Recipe, compare, grown, judged
from engine.sampling.words import Vocabulary

FOUR = np.log([0.5, 0.25, 0.125, 0.125])
OFF = Params(seed=1, temperature=1.0, top_k=0, top_p=1.0, min_p=0.0)


def test_a_recipe_through_json() -> None:
    recipe = Recipe(OFF.replace(top_k=2), ("top_k", "temperature"), Output("grammar", 'root ::= "a"'))
    assert Recipe.from_dict(recipe.to_dict()) == recipe
    assert Recipe.from_dict({}) == Recipe(Params())


@pytest.mark.parametrize(
    "told", [{"params": 5}, {"order": "top_k"}, {"order": [1]}, {"form": {"kind": "poem"}}, {"params": {"top_k": -1}}]
)
def test_what_is_no_recipe(told: dict[str, Any]) -> None:
    with pytest.raises((BadInput, BadParameter)):
        Recipe.from_dict(told)


def test_a_recipe_needs_a_seed() -> None:
    with pytest.raises(BadParameter):
        judged(FOUR, Recipe(Params()))


def test_the_dart_hits_what_is_left() -> None:
    now = judged(FOUR, Recipe(OFF.replace(top_k=1)))
    assert now.dart is not None and (now.dart.token, now.dart.begin, now.dart.end) == (0, 0.0, 1.0)
    assert (now.raw(1), now.probability(1), now.allowed_mass) == (pytest.approx(0.25), 0.0, None)


def test_mirostat_remembers_the_surprise_of_what_was_written() -> None:
    recipe = Recipe(OFF.replace(mirostat=2, mirostat_tau=2.0, mirostat_eta=0.5))
    now = judged(FOUR, recipe)
    assert now.mu == 4.0
    assert now.mu_after(1) == pytest.approx(4.0 - 0.5 * (2.0 - 2.0))
    assert now.mu_after(0) == pytest.approx(4.0 - 0.5 * (1.0 - 2.0))
    assert judged(FOUR, Recipe(OFF)).mu_after(0) is None


def test_two_ways_side_by_side() -> None:
    whole, two = (judged(FOUR, Recipe(OFF.replace(top_k=k))).stages[-1] for k in (0, 2))
    found = compare(whole, two)
    assert (found.only_one, found.only_other, found.both) == (2, 0, 2)
    assert found.distance == pytest.approx(0.25)  # what two tokens of an eighth have lost


def test_growing_by_hand_and_where_nothing_is_left() -> None:
    words = Vocabulary((b"a", b" b", b"\xc3", b"\n"))
    recipe = Recipe(OFF.replace(top_k=1))
    node = grown(Exploration("", ()), judged(FOUR, recipe), words, recipe, 2).nodes[0]
    assert (node.text, node.by, node.probability) == ("<C3>", "hand", 0.0) and node.raw == pytest.approx(0.125)
    assert [text for text, _ in node.alternatives] == ["a", "␣b", "<C3>", "⏎"]
    nothing = judged(np.full(4, -math.inf), recipe)
    assert nothing.dart is None
    with pytest.raises(BadInput):
        grown(Exploration("", ()), nothing, words, recipe)
