"""The verb `sample`: what every sampler does to the next token's probabilities, step by step."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_model_arguments, add_param_arguments, chosen, question_of
from engine.cli.form import Form, add_form_arguments, form_of
from engine.cli.output import Output
from engine.errors import BadInput, NotSupported
from engine.types import Message

if TYPE_CHECKING:
    from engine.engine import Engine, Model
    from engine.sampling import Stage
    from engine.sampling.moments import Moment, Recipe

HELP = "look inside: what each sampler does to the next token's probabilities"
ORDERS = ("llama", "huggingface")
VISITOR = "cli"

Shown = Callable[[int], str]


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The text, how far and how much; then model, parameters and form."""
    parser.add_argument("prefix", nargs="?", metavar="PREFIX", help="the text to continue; -: standard input")
    parser.add_argument("--steps", type=int, default=1, metavar="N", help="so many tokens (default 1)")
    parser.add_argument("--top", type=int, default=10, metavar="K", help="tokens listed of each stage (default 10)")
    parser.add_argument("--chat", action="store_true", help="the text is a question, put into the chat template")
    parser.add_argument("--order", choices=ORDERS, default="llama", help="or --samplers (default llama)")
    add_model_arguments(parser)
    add_param_arguments(parser)
    add_form_arguments(parser, template=False)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0. Raises BadInput, NotSupported, EngineError."""
    from engine.engine import Engine

    if arguments.steps < 1 or arguments.top < 0:
        raise BadInput("--steps is 1 or more, --top 0 or more")
    text = question_of(arguments.prefix)
    form = form_of(arguments)
    with closing(Engine()) as engine:
        model = chosen(engine, arguments)
        inside = model.card.backend == "llamacpp"
        found = _inside(engine, model, text, form, arguments) if inside else _told(model, text, form, arguments)
        if out.as_json:
            out.json({**found, "steps": list(found["steps"])})
        else:
            for step in found["steps"]:
                out.line("\n".join(_lines(step)))
            out.line(f"seed {found['seed']}, {found['runtime']}" + (", top-N only" if found["top_n_only"] else ""))
    return 0


def _inside(engine: Engine, model: Model, text: str, form: Form, arguments: argparse.Namespace) -> dict[str, Any]:
    """What the command tells of a local model; its steps come one by one."""
    from engine.sampling.microscope import lens_of
    from engine.sampling.moments import run as run_steps

    lens, recipe = lens_of(engine, model), _recipe(form, arguments)
    prompt = model.render(model.request([Message("user", text)])).prompt if arguments.chat else text
    ids = lens.tokens(prompt)
    words = lens.vocabulary
    moments = run_steps(lens, VISITOR, ids, recipe, arguments.steps)
    steps = (_step(now, arguments.top, words.shown, lambda token: words.text([token])) for now in moments)
    return {**_head(model, prompt, recipe, lens.runtime), "ids": list(ids), "top_n_only": False, "steps": steps}


def _told(model: Model, text: str, form: Form, arguments: argparse.Namespace) -> dict[str, Any]:
    """The same of a model that only tells its likeliest tokens; it writes by its own dice, with the same settings."""
    from engine.sampling.moments import judged
    from engine.sampling.top_n import TopN, remote

    if form.output.kind != "text":
        raise NotSupported("a mask needs a local model", capability=form.output.kind, backend=model.backend.name)
    recipe = _recipe(form, arguments)
    places = remote(model, [Message("user", text)], recipe.params.replace(max_tokens=arguments.steps))

    def step(number: int, place: TopN) -> dict[str, Any]:
        shown = [one.shown for one in place.candidates]
        told = _step(judged(place.logits(), recipe, (), number), arguments.top, shown.__getitem__, shown.__getitem__)
        return {**told, "told": place.told, "wrote": place.wrote.decode("utf-8", "replace")}

    steps = (step(number, place) for number, place in enumerate(places))
    return {**_head(model, text, recipe, model.card.id), "ids": None, "top_n_only": True, "steps": steps}


def _recipe(form: Form, arguments: argparse.Namespace) -> Recipe:
    from engine.sampling import HUGGING_FACE_ORDER
    from engine.sampling.moments import Recipe

    order = HUGGING_FACE_ORDER if arguments.order == "huggingface" else None
    return Recipe(form.params.seeded(), order, form.output)


def _head(model: Model, prompt: str, recipe: Recipe, runtime: str) -> dict[str, Any]:
    told = {"model": model.card.id, "runtime": runtime, "prompt": prompt, "seed": recipe.seed}
    return {**told, "settings": recipe.to_dict()}


def _step(now: Moment, top: int, shown: Shown, text: Shown) -> dict[str, Any]:
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


def _lines(step: dict[str, Any]) -> Iterator[str]:
    """The step as text: a line for every sampler that acts."""
    dart = step["dart"]
    hit = "nothing is left" if dart is None else f"u {dart['u']:.4f} in [{dart['begin']:.4f}, {dart['end']:.4f})"
    yield f"token {step['step']}: {step['text']!r}  {hit}"
    for stage in step["stages"]:
        if stage["active"] or stage["name"] == "raw":
            best = "  ".join(f"{one['text']} {one['p']:.3f}" for one in stage["top"][:5])
            yield (
                f"  {stage['name']:12}{stage['survivors']:>7} left  {stage['mass_kept']:7.2%} kept"
                f"  {stage['entropy_bits']:6.2f} bits  {best}"
            )
