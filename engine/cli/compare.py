"""The verb `compare`: one question to several models at once, each timed by itself, with what it costs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_param_arguments, checked, params_of, question_of
from engine.cli.models_list import table
from engine.cli.output import Output, harmless
from engine.cli.sentences import sentence
from engine.errors import BadInput
from engine.params import Params

if TYPE_CHECKING:
    from engine.compare.running import Comparison
    from engine.compare.side import Side, SideView

HELP = "one question to several models at once: answers, times, tokens, costs"
INTERRUPTED = 130
FORMS = ("text", "csv", "markdown", "html")
HEADINGS = ("side", "first token", "tok/s", "by", "total", "in", "out", "cost", "a thousand", "price from", "ended by")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Question, models, system prompt, the report's form, parameters."""
    parser.add_argument("question", nargs="?", help="- or nothing reads standard input")
    text = "two to six ids, aliases, provider/model or recorded/name; one may have parameters: echo;temperature=0.2"
    parser.add_argument("-m", "--models", metavar="A,B", required=True, help=text)
    parser.add_argument("-s", "--system", metavar="TEXT", help="system prompt of all sides")
    parser.add_argument("--as", dest="form", choices=FORMS, default="text", help="the report as a file (with -o)")
    add_param_arguments(parser, window=False)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0 once a side has answered, 130 when interrupted. Raises the first side's error where none has."""
    from engine.compare.running import Comparison
    from engine.engine import Engine

    if out.as_json and arguments.form != "text":
        raise BadInput("--json is a form of its own: no --as beside it")
    system = checked(arguments.system) if arguments.system else None
    sides = sides_of(arguments.models, params_of(arguments), system)
    question = question_of(arguments.question)
    with closing(Engine()) as engine:
        comparison = Comparison(engine, sides)
        interrupted = _wait(comparison, question)
        views = comparison.views()
        _write(comparison, arguments.form, out)
    errors = [view.error for view in views if view.error is not None]
    if len(errors) == len(views):
        raise errors[0]
    for place, view in enumerate(views):
        if view.error is not None:
            told = f"{letter(place)} {view.side.model}: {view.error.code}: {sentence(view.error)}"
            sys.stderr.write(harmless(f"{told}\n"))
    return INTERRUPTED if interrupted else 0


def sides_of(models: str, params: Params, system: str | None = None) -> list[Side]:
    """The sides that the flag names, each with the parameters of all and above them its own. Raises BadParameter."""
    from engine.compare.side import Side

    found = []
    for told in filter(None, (part.strip() for part in models.split(","))):
        model, *given = told.split(";")
        own = dict(one.partition("=")[::2] for one in given)
        found.append(Side(model.strip(), params.replace(**{name.strip(): own[name] for name in own}), system))
    return found


def letter(place: int) -> str:
    """The name of a side."""
    return chr(ord("A") + place)


def _wait(comparison: Comparison, question: str) -> bool:
    """Whether Ctrl-C ended it; what was written until then stays."""
    comparison.ask(question)
    try:
        while not comparison.wait(0.5):  # a wait without an end would not hear Ctrl-C on Windows
            pass
    except KeyboardInterrupt:
        comparison.stop()
        comparison.wait()
        return True
    return False


def _write(comparison: Comparison, form: str, out: Output) -> None:
    from engine.compare import export

    report = comparison.report()
    forms: Mapping[str, Callable[[], str]] = {
        "csv": lambda: export.csv_of(report),
        "markdown": lambda: export.markdown_of(report),
        "html": lambda: export.html_of(report),
    }
    if out.as_json:
        out.json(report.to_dict())
    elif form in forms:
        out.text(forms[form]())
    else:
        views = comparison.views()
        for line in table([HEADINGS, *(_cells(letter(place), view) for place, view in enumerate(views))]):
            out.line(line)
        for place, view in enumerate(views):
            out.line(f"\n{letter(place)} {_name(view)}\n{view.live.text}")


def _name(view: SideView) -> str:
    changed = "".join(f";{name}={view.side.params[name]}" for name in sorted(view.side.params.given))
    return f"{view.side.model}{changed}" + (" (recorded earlier)" if view.recorded else "")


def _cells(name: str, view: SideView) -> tuple[str, ...]:
    stats, usage, cost = view.stats, view.usage, view.cost
    ended = view.error.code if view.error else view.result.outcome if view.result else "?"
    return (
        f"{name} {view.side.model}",
        _number(stats.time_to_first_token, " s"),
        _number(stats.tokens_per_second),
        stats.source if stats.tokens_per_second is not None else "?",
        _number(stats.wall_time, " s"),
        _number(usage.prompt_tokens),
        _number(usage.completion_tokens),
        *_money(cost),
        ended,
    )


def _number(value: float | None, unit: str = "") -> str:
    if value is None:
        return "?"
    return f"{value}{unit}" if isinstance(value, int) else f"{value:.2f}{unit}"


def _money(cost: Any) -> tuple[str, str, str]:
    """Cost of the call and of a thousand, and where the price is from."""
    from engine.compare.money import text_of

    if cost is None or cost.kind == "unknown":
        return "unknown", "unknown", "-"
    if cost.kind == "local":
        return "no bill", "no bill", "-"
    source = " ".join(part for part in (cost.source, cost.as_of) if part)
    return f"{text_of(cost.total)} {cost.currency}", f"{text_of(cost.thousand)} {cost.currency}", source or "own table"
