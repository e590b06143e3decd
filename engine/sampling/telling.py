"""What the samplers do to the next tokens of a text, as plain values ready for JSON. Knows no interface."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

from engine.errors import NotSupported
from engine.sampling.chain import Stage
from engine.sampling.moments import Moment, Recipe, judged, run
from engine.types import Message

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model

Shown = Callable[[int], str]


def explored(
    engine: Engine, model: Model, text: str, recipe: Recipe, *,
    steps: int = 1, top: int = 10, chat: bool = False, visitor: str = "local",
) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:  # fmt: skip
    """What is told of the whole, and the tokens one by one: every stage with its `top` tokens, and where the dart fell.

    `chat` reads the text through the model's template. A model that is no file here only tells its likeliest tokens.
    Raises NotSupported, PromptTooLong, BadInput, and what the model raises.
    """
    if model.card.backend == "llamacpp":
        return _inside(engine, model, text, recipe, steps, top, chat, visitor)
    return _listed(model, text, recipe, steps, top, visitor)


def _inside(
    engine: Engine, model: Model, text: str, recipe: Recipe, steps: int, top: int, chat: bool, visitor: str
) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    from engine.sampling.microscope import lens_of

    lens = lens_of(engine, model)
    prompt = model.render(model.request([Message("user", text)])).prompt if chat else text
    ids = lens.tokens(prompt)
    words = lens.vocabulary
    moments = run(lens, visitor, ids, recipe, steps)
    told = (told_of(now, top, words.shown, lambda token: words.text([token])) for now in moments)
    return {**_head(model, prompt, recipe, lens.runtime), "ids": list(ids), "top_n_only": False}, told


def _listed(
    model: Model, text: str, recipe: Recipe, steps: int, top: int, visitor: str
) -> tuple[dict[str, Any], Iterator[dict[str, Any]]]:
    """The model writes by its own dice, with the same settings."""
    from engine.sampling.top_n import TopN, remote

    if recipe.form.kind != "text":
        raise NotSupported("a mask needs a local model", capability=recipe.form.kind, backend=model.backend.name)
    places = remote(model, [Message("user", text)], recipe.params.replace(max_tokens=steps), owner=visitor)

    def step(number: int, place: TopN) -> dict[str, Any]:
        shown = [one.shown for one in place.candidates]
        told = told_of(judged(place.logits(), recipe, (), number), top, shown.__getitem__, shown.__getitem__)
        return {**told, "told": place.told, "wrote": place.wrote.decode("utf-8", "replace")}

    found = (step(number, place) for number, place in enumerate(places))
    return {**_head(model, text, recipe, model.card.id), "ids": None, "top_n_only": True}, found


def _head(model: Model, prompt: str, recipe: Recipe, runtime: str) -> dict[str, Any]:
    told: Mapping[str, Any] = {"model": model.card.id, "runtime": runtime, "prompt": prompt, "seed": recipe.seed}
    return {**told, "settings": recipe.to_dict()}


def told_of(now: Moment, top: int, shown: Shown, text: Shown) -> dict[str, Any]:
    """One moment: `shown` gives a token as one sees it, `text` as it is written."""
    hit = now.dart
    dart = None if hit is None else {"u": hit.u, "token": hit.token, "begin": hit.begin, "end": hit.end}
    return {
        "step": now.step,
        "allowed_mass": now.allowed_mass,
        "stages": [_stage(stage, top, shown) for stage in now.stages],
        "dart": dart,
        "text": None if hit is None else text(hit.token),
    }


def _stage(stage: Stage, top: int, shown: Shown) -> dict[str, Any]:
    def told(ids: Any, weights: Any) -> list[dict[str, Any]]:
        return [{"id": int(token), "text": shown(int(token)), "p": float(weights[token])} for token in ids]

    best = (-stage.probabilities).argsort(kind="stable")[: min(top, stage.survivors)]
    return {
        "name": stage.step.kind,
        "active": stage.step.active,
        "values": {name: value for name, value in stage.step.values.items() if isinstance(value, int | float | str)},
        "survivors": stage.survivors,
        "mass_kept": stage.mass_kept,
        "entropy_nats": stage.entropy_nats,
        "entropy_bits": stage.entropy_bits,
        "p_max": stage.p_max,
        "cut": stage.cut,
        "eliminated": stage.eliminated_count,
        "top": told(best, stage.probabilities),
        "gone": [{"id": int(token), "text": shown(int(token))} for token in stage.eliminated[:top]],
    }
