"""The flags of the verb `comptine`, one function per part, and the values that they make. Runs nothing."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from engine.cli.asking import add_model_arguments, checked
from engine.comptine.overflow import OVERFLOW_POLICIES
from engine.comptine.question import KINDS, PLACES
from engine.comptine.rhyme import LANGUAGES, VARIANTS
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.comptine.cell import Cell
    from engine.comptine.grid import Sweep


def _add_rhyme(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--variant", choices=VARIANTS, default="constant", help="default constant, as in the sheet")
    parser.add_argument("--language", choices=LANGUAGES, default="fr", help="of rhyme and question (default fr)")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="draws names and intruder (default 0)")


def generate_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verses", type=int, help="how many")
    _add_rhyme(parser)


def _add_question(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("question")
    group.add_argument("--kind", choices=KINDS, default="range", help="default range")
    group.add_argument("--first", type=int, default=1, metavar="N", help="first verse asked for (default 1)")
    group.add_argument("--last", type=int, default=10, metavar="N", help="last one (default 10)")
    group.add_argument("--text", metavar="TEXT", help="a question of one's own, with --kind custom")
    group.add_argument("--prefix", metavar="TEXT", help="begin the answer so; auto: up to the first name")
    group.add_argument("--policy", choices=OVERFLOW_POLICIES, default="refuse", help="when the prompt is too long")
    group.add_argument("--temperature", type=float, default=0.0, metavar="X", help="default 0: the likeliest token")
    group.add_argument("-n", "--max-tokens", type=int, metavar="N", help="default: the ideal answer and a margin")


def _add_cell(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--verses", type=int, required=True, metavar="N", help="of the rhyme")
    _add_rhyme(parser)
    _add_question(parser)
    parser.add_argument("--shots", type=int, choices=(0, 1), default=0, help="solved examples before it (default 0)")
    parser.add_argument("--place", choices=PLACES, default="after", help="of the question (default after)")
    parser.add_argument("--window", type=int, metavar="TOKENS", help="a smaller window, enforced exactly")
    add_model_arguments(parser)


def _add_strict(parser: argparse.ArgumentParser) -> None:
    text = "a worker of its own with one slot, and no cache: the same text each time"
    parser.add_argument("--strict-reproducibility", action="store_true", help=text)


def perplexity_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("verses", type=int, help="how many")
    _add_rhyme(parser)
    text = "native: read once by llama-cpp-python; forced: written by the runtime (default: native where it is there)"
    parser.add_argument("--method", choices=("native", "forced"), help=text)
    add_model_arguments(parser)


def run_flags(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    _add_strict(parser)
    parser.add_argument("--save", metavar="FILE", help="write a run file that `replay` repeats")


def sweep_flags(parser: argparse.ArgumentParser) -> None:
    lists = parser.add_argument_group("factors: values with commas; every combination is a cell")
    lists.add_argument("--verses", required=True, metavar="N,N")
    lists.add_argument("--ranges", metavar="A-B,A-B", help="instead of --first and --last")
    lists.add_argument("--variant", default="names", metavar="V,V", help=f"of {', '.join(VARIANTS)} (default names)")
    lists.add_argument("--language", default="fr", metavar="L,L", help=f"of {', '.join(LANGUAGES)} (default fr)")
    lists.add_argument("--shots", default="0", metavar="0,1")
    lists.add_argument("--place", default="after", metavar="P,P", help=f"of {', '.join(PLACES)} (default after)")
    lists.add_argument("--windows", metavar="N,N", help="virtual windows in tokens (default: the model's own)")
    lists.add_argument("--models", metavar="M,M", help="ids or aliases, instead of --model")
    lists.add_argument("--seeds", type=int, default=5, metavar="N", help="so many rhymes of each kind (default 5)")
    _add_question(parser)
    add_model_arguments(parser)
    _add_strict(parser)
    how = parser.add_argument_group("how")
    how.add_argument("--file", metavar="FILE", help="keep finished cells here; with the same file it goes on from them")
    how.add_argument("--workers", type=int, metavar="N", help="cells at once (default: the slots of the runtime)")
    how.add_argument("--backend", choices=("threading", "ray"), default="threading", help="default threading")


def replay_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", help="what `run --save` wrote")


def tokens_flags(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    parser.add_argument("--no-model", action="store_true", help="leave the model out, which takes seconds to load")


def overflow_flags(parser: argparse.ArgumentParser) -> None:
    _add_cell(parser)
    parser.add_argument("--bisect", action="store_true", help="the last rhyme whose prompt, and whose answer, fits")
    parser.add_argument("--engines", action="store_true", help="what real engines do; needs no model")


def cell_of(arguments: argparse.Namespace) -> Cell:
    """The cell of the flags; the model is chosen apart."""
    from engine.comptine.cell import Cell

    names = ("verses", "first", "last", "kind", "variant", "language", "seed", "shots", "place", "policy", "window",
             "temperature", "max_tokens")  # fmt: skip
    return Cell.from_dict(
        {**{name: getattr(arguments, name) for name in names}, **_texts(arguments), "model": arguments.model}
    )


def _texts(arguments: argparse.Namespace) -> dict[str, str | None]:
    given = {"text": arguments.text, "prefix": arguments.prefix}
    return {name: None if value is None else checked(value) for name, value in given.items()}


def sweep_of(arguments: argparse.Namespace, model: str | None) -> Sweep:
    """The sweep of the flags. Raises BadInput."""
    from engine.comptine.grid import Sweep

    ranges = [f"{arguments.first}-{arguments.last}"] if arguments.ranges is None else arguments.ranges.split(",")
    if arguments.seeds < 1:
        raise BadInput("--seeds is 1 or more")
    return Sweep.of(
        {
            "verses": arguments.verses.split(","),
            "ranges": [one.split("-") for one in ranges],
            "variants": arguments.variant.split(","),
            "languages": arguments.language.split(","),
            "shots": _numbers(arguments.shots),
            "places": arguments.place.split(","),
            "windows": [None] if arguments.windows is None else arguments.windows.split(","),
            "models": [model] if arguments.models is None else arguments.models.split(","),
            "seeds": range(1, arguments.seeds + 1),
            **{name: getattr(arguments, name) for name in ("kind", "policy", "temperature", "max_tokens")},
            **_texts(arguments),
        }
    )


def _numbers(text: str) -> list[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError as error:
        raise BadInput(f"whole numbers with commas, not {text!r}") from error
