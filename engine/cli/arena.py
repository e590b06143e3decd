"""The verb `arena`: how the models stand in blind votes, and the votes as files in FastChat's shape."""

from __future__ import annotations

import argparse
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from engine.cli.models_list import table
from engine.cli.output import Output, harmless
from engine.errors import BadFile, BadInput

if TYPE_CHECKING:
    from engine.compare.arena import Arena, Board

HELP = "blind votes: the board, export and import as JSON lines in FastChat's shape, and which models vie"
HEADINGS = ("model", "rating", "95 %", "Elo", "votes", "won", "lost", "tied")
ACTS = ("board", "export", "import", "models", "clear")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do with the votes."""
    parser.add_argument("act", nargs="?", choices=ACTS, default="board", help="without one, the board")
    parser.add_argument("values", nargs="*", metavar="VALUE", help="import: FILE; models: the ids that vie, or none")
    parser.add_argument("--tag", help="the board of one tag")
    parser.add_argument("--texts", action="store_true", help="export: with your own questions and answers")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.engine import Engine

    if arguments.values and arguments.act not in ("import", "models"):
        raise BadInput(f"{arguments.act} takes no value")
    with closing(Engine()) as engine:
        match arguments.act:
            case "export":
                from engine.compare.exchange import exported
                from engine.person import LOCAL

                for line in exported(engine.arena, LOCAL, texts=arguments.texts):
                    out.text(line)
            case "import":
                _import(engine.arena, arguments.values, out)
            case "models":
                chosen = engine.arena.choose(arguments.values) if arguments.values else engine.arena.models()
                out.json({"models": list(chosen)}) if out.as_json else out.text("".join(f"{one}\n" for one in chosen))
            case "clear":
                count = engine.arena.clear()
                out.json({"deleted": count}) if out.as_json else out.line(f"{count} deleted")
            case _:
                _board(engine.arena.board(arguments.tag), out)
    return 0


def _import(arena: Arena, values: list[str], out: Output) -> None:
    from engine.compare.exchange import imported
    from engine.person import LOCAL

    if len(values) != 1:
        raise BadInput("import which file?")
    path = Path(values[0])
    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadFile(f"{path} cannot be read: {error.strerror}", path=str(path), reason=str(error.strerror)) from error
    told = imported(arena, LOCAL, data, path.name)
    out.json(told) if out.as_json else out.line(f"{told['new']} new votes of {told['read']}")


def _board(board: Board, out: Output) -> None:
    if out.as_json:
        out.json(board.to_dict())
        return
    rows = [
        (one.model, f"{one.rating:.0f}", _interval(one.low, one.high), f"{one.elo:.0f}",
         *map(str, (one.votes, one.won, one.lost, one.tied)))
        for one in board.ratings.standings
    ]  # fmt: skip
    for line in table([HEADINGS, *rows]) if rows else ():
        out.line(harmless(line))
    more = " (a model won or lost everything: a weak prior keeps its rating finite)" if board.ratings.separated else ""
    out.line(f"{board.ratings.votes} votes count, {board.uncounted} do not{more}")


def _interval(low: float | None, high: float | None) -> str:
    return "too few votes" if low is None or high is None else f"{low:.0f}…{high:.0f}"
