"""Small evaluations judged and summed up: by likelihood and by what the model writes, with intervals. Loads no model.

A few dozen items tell two models apart only where the difference is large: the intervals say how large it must be.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import BadFile, BadInput
from engine.quality.questions import BYTES_MAX, ITEMS_MAX, LETTERS, Item
from engine.statistics import Interval, Paired, bootstrap, paired, wilson

# Each 0 or 1 for an item, but for `p_right`
MEASURES = {
    "acc": "the right choice is the likeliest",
    "acc_norm": "the right choice is the likeliest a character",
    "p_right": "probability of the right choice among the choices",
    "greedy_match": "the answer is what greedy decoding would write",
    "chosen_right": "the model names the right choice",
    "exact_match": "the model writes the answer, and nothing else",
    "contains": "the answer is in what the model writes",
    "unread": "no choice can be read from what the model writes",
}
DETAILS_MAX = 200  # items that are kept with their texts
TEXT_MAX = 300

ASK = {
    "en": ("Answer with the letter of the right answer only.", "Answer with the answer only, without a sentence."),
    "fr": ("Répondez par la lettre de la bonne réponse seulement.", "Répondez par la réponse seule, sans phrase."),
}
ALONE = re.compile(r"\W*([A-Za-z])\s*(?:[).:,*\n]|$)")
SAID = re.compile(r"\b(?i:answer|réponse|choice|choix|option)\b(?:\s+(?i:is|est))?\s*:?\s*\W?([A-Z])\b")

Judged = dict[str, float]


def question(item: Item) -> str:
    """What a chat is asked: the question, the lettered choices, and how to answer."""
    letter, free = ASK[item.language]
    if item.kind == "exact":
        return f"{item.question.strip()}\n{free}"
    lines = [f"{LETTERS[number]}. {choice}" for number, choice in enumerate(item.choices)]
    return "\n".join([item.question.strip(), *lines, letter])


def by_likelihood(item: Item, pairs: Sequence[Mapping[str, Any]]) -> Judged:
    """What surprises in nats, one for each continuation, say of the item.

    acc goes by the sum, acc_norm by the sum a character of the choice, as lm-evaluation's; p_right is the softmax of
    the sums at the right choice. Of answers that are free: greedy_match.
    """
    if item.gold is None:
        return {"greedy_match": float(any(pair["greedy"] for pair in pairs))}
    sums = np.array([-pair["nats"] for pair in pairs])
    lengths = np.array([max(1, len(choice)) for choice in item.choices])
    shares = np.exp(sums - sums.max())
    return {
        "acc": float(sums.argmax() == item.gold),
        "acc_norm": float((sums / lengths).argmax() == item.gold),
        "p_right": round(float(shares[item.gold] / shares.sum()), 6),
    }


def by_answer(item: Item, text: str) -> Judged:
    """What the model's answer says of the item."""
    if item.gold is None:
        first = next((line for line in text.splitlines() if line.strip()), "")
        said, wanted = _plain(text), [_plain(answer) for answer in item.answers]
        return {
            "exact_match": float(_plain(first) in wanted),
            "contains": float(any(f" {answer} " in f" {said} " for answer in wanted if answer)),
        }
    found = choice_in(text, item.choices)
    return {"chosen_right": float(found == item.gold), "unread": float(found is None)}


def choice_in(text: str, choices: Sequence[str]) -> int | None:
    """The number of the choice that an answer names: by a letter alone at its beginning ("B", "(b)", "B. Paris"), by
    "the answer is B", or as the only choice whose text is in it; None where it is not clear.
    """
    for found in (ALONE.match(text), SAID.search(text)):
        if found and (number := LETTERS.index(found[1].upper())) < len(choices):
            return number
    said = f" {_plain(text)} "
    named = [number for number, choice in enumerate(choices) if f" {_plain(choice)} " in said]
    return named[0] if len(named) == 1 else None


def summary(items: Sequence[Item], judged: Sequence[Judged]) -> dict[str, Any]:
    """`metrics` by name (an Interval each: Wilson's for shares, resampled for p_right), `values` behind them, one for
    each item in its order or None, and `chance`, the share of right choices of who draws them.
    """
    values = {name: [one.get(name) for one in judged] for name in MEASURES if any(name in one for one in judged)}
    choices = [len(item.choices) for item in items if item.kind == "choice"]
    return {
        "metrics": {name: _interval(name, told).to_dict() for name, told in values.items()},
        "values": values,
        "chance": sum(1 / count for count in choices) / len(choices) if choices else None,
    }


def compare(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Paired]:
    """For each measure that both evaluations have: the first less the second, item by item, with its interval.

    Raises BadInput where they are not of the same items.
    """
    if first["items_sha256"] != second["items_sha256"]:
        raise BadInput("the two evaluations are of different items", reason="different_items")
    found = {}
    for name in first["values"].keys() & second["values"].keys():
        pairs = [{n: v for n, v in enumerate(one["values"][name]) if v is not None} for one in (first, second)]
        if pairs[0].keys() & pairs[1].keys():
            found[name] = paired(pairs[0], pairs[1])
    return {name: found[name] for name in MEASURES if name in found}


class _Result(BaseModel):
    """What of an earlier result a comparison needs."""

    model_config = ConfigDict(extra="ignore")

    model: Annotated[str, Field(max_length=1000)]
    items_sha256: Annotated[str, Field(max_length=64)]
    values: dict[
        Literal["acc", "acc_norm", "p_right", "greedy_match", "chosen_right", "exact_match", "contains", "unread"],
        Annotated[list[Annotated[float, Field(ge=0, le=1)] | None], Field(max_length=ITEMS_MAX)],
    ]


def read_result(name: str, data: bytes) -> dict[str, Any]:
    """An evaluation that was written as JSON, as far as `compare` needs it. Raises BadFile (too_large, format)."""
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large")
    try:
        return _Result.model_validate_json(data).model_dump()
    except ValidationError as error:
        raise BadFile(f"{name} is no result of an evaluation", path=name, reason="format") from error


def details(items: Sequence[Item], judged: Sequence[Judged], texts: Sequence[str | None]) -> list[dict[str, Any]]:
    """What is kept of the first items: id, kind, question, what is right, what the model wrote, and its marks."""
    rows = zip(items[:DETAILS_MAX], judged, texts, strict=False)
    return [
        {
            "id": item.id,
            "kind": item.kind,
            "question": item.question[:TEXT_MAX],
            "right": (item.answers[0] if item.gold is None else item.choices[item.gold])[:TEXT_MAX],
            "text": None if text is None else text[:TEXT_MAX],
            "marks": marks,
        }
        for item, marks, text in rows
    ]


def _interval(name: str, values: Sequence[float | None]) -> Interval:
    known = [value for value in values if value is not None]
    return bootstrap(known) if name == "p_right" else wilson(int(sum(known)), len(known))


def _plain(text: str) -> str:
    """Words alone, in small letters, one space between: accents stay."""
    small = unicodedata.normalize("NFKC", text).casefold()
    return " ".join("".join(letter if letter.isalnum() else " " for letter in small).split())
