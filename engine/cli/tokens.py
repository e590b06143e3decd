"""The verb `tokens`: how long a text is in characters, bytes and tokens of three tokenizers."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_model_arguments, file_text, opened, text_of
from engine.cli.output import Output

if TYPE_CHECKING:
    from engine.model import Model

HELP = "count a text: characters, bytes, tiktoken's and the model's own tokens"
NO_TOKENIZER = "this model's tokenizer cannot be asked"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Text or file, and the model."""
    text = parser.add_mutually_exclusive_group()
    text.add_argument("text", nargs="?", help="- or nothing reads standard input")
    text.add_argument("-f", "--file", metavar="FILE", help="count what this file holds")
    parser.add_argument("--no-model", action="store_true", help="leave the model out, which takes seconds to load")
    add_model_arguments(parser)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.tokenizers import ENCODINGS, count_tiktoken

    text = text_of(arguments.text) if arguments.file is None else file_text(arguments.file)
    found: dict[str, Any] = {"characters": len(text), "bytes": len(text.encode())}
    found |= {name: count_tiktoken(text, name) for name in ENCODINGS}
    if not arguments.no_model:
        with opened(arguments) as model:
            found["model"] = _of_model(model, text)
    if out.as_json:
        out.json(found)
        return 0
    own = found.pop("model", None)
    for name, value in found.items():
        out.line(f"{name:<12} {value}")
    if own:
        out.line(f"{own['id']}: {own['reason'] or own['count']}")
    return 0


def _of_model(model: Model, text: str) -> dict[str, Any]:
    """Count, ids and pieces of the text alone, without template."""
    if not {"exact_prompt", "raw_completion"} <= model.capabilities:
        return {"id": model.card.id, "count": None, "tokens": None, "reason": NO_TOKENIZER}
    rendered = model.render(model.request([], raw=text))
    tokens = [{"id": token, "piece": piece} for token, piece in zip(rendered.tokens, rendered.pieces, strict=True)]
    return {"id": model.card.id, "count": len(tokens), "tokens": tokens, "reason": None}
