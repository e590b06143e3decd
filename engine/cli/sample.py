"""The verb `sample`: what every sampler does to the next token's probabilities, step by step."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_model_arguments, add_param_arguments, chosen, question_of
from engine.cli.form import Form, add_form_arguments, form_of
from engine.cli.output import Output
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.sampling.moments import Recipe

HELP = "look inside: what each sampler does to the next token's probabilities"
ORDERS = ("llama", "huggingface")
VISITOR = "cli"


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
    from engine.sampling.telling import explored

    if arguments.steps < 1 or arguments.top < 0:
        raise BadInput("--steps is 1 or more, --top 0 or more")
    text = question_of(arguments.prefix)
    form = form_of(arguments)
    with closing(Engine()) as engine:
        model = chosen(engine, arguments)
        how: dict[str, Any] = {"steps": arguments.steps, "top": arguments.top, "chat": arguments.chat}
        found, steps = explored(engine, model, text, _recipe(form, arguments), **how, visitor=VISITOR)
        if out.as_json:
            out.json({**found, "steps": list(steps)})
        else:
            for step in steps:
                out.line("\n".join(_lines(step)))
            out.line(f"seed {found['seed']}, {found['runtime']}" + (", top-N only" if found["top_n_only"] else ""))
    return 0


def _recipe(form: Form, arguments: argparse.Namespace) -> Recipe:
    from engine.sampling import HUGGING_FACE_ORDER
    from engine.sampling.moments import Recipe

    order = HUGGING_FACE_ORDER if arguments.order == "huggingface" else None
    return Recipe(form.params.seeded(), order, form.output)


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
