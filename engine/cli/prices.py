"""The verb `prices`: what models cost, what a class would cost, and the teacher's own table."""

from __future__ import annotations

import argparse
from contextlib import closing
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any

from engine.cli.models_list import table
from engine.cli.output import Output, harmless
from engine.errors import BadInput

if TYPE_CHECKING:
    from engine.compare.price_table import Class, ModelPrice
    from engine.compare.prices import Prices

HELP = "what models cost, offline; your own prices and the electricity of this machine"
HEADINGS = ("model", "input", "output", "cached", "window", "weights", "class", "source", "as of")
ACTS = ("show", "set", "remove", "electricity")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """What to do, and the class to work it out for."""
    parser.add_argument("act", nargs="?", choices=ACTS, default="show", help="without one, the table")
    text = (
        "set: MODEL input=0.15 output=0.6 cached=0.075 request=0 second=0 hardware=gpu-t4 currency=EUR "
        "date=2026-11-22; remove: MODEL; electricity: WATTS TARIFF [CURRENCY], or off"
    )
    parser.add_argument("values", nargs="*", metavar="VALUE", help=text)
    parser.add_argument("--model", metavar="ID", help="one model only, provider/model")
    for name, value in (("students", 30), ("questions", 40), ("tokens-in", 500), ("tokens-out", 300)):
        parser.add_argument(f"--{name}", type=int, default=value, metavar="N", help=f"of the class, {value}")


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0."""
    from engine.engine import Engine

    if arguments.act == "show" and arguments.values:
        raise BadInput("--model names one model")
    with closing(Engine()) as engine:
        if arguments.act == "electricity":
            return _electricity(engine.prices, arguments.values, out)
        if arguments.act != "show":
            return _write(engine.prices, arguments.act, arguments.values, out)
        return _show(engine.prices, arguments, out)


def _show(prices: Prices, arguments: argparse.Namespace, out: Output) -> int:
    from engine.compare import price_table
    from engine.compare.price_table import Class

    given = (arguments.students, arguments.questions, arguments.tokens_in, arguments.tokens_out)
    if min(given) < 0:
        raise BadInput("a class has no negative numbers", what="class")
    own, group = prices.own(), Class(*given)
    rows = (price_table.row(arguments.model, own),) if arguments.model else price_table.table(own)
    if out.as_json:
        told = [{**row.to_dict(), "class": group.cost(row.price)} for row in rows]
        out.json({"prices": told, "class": vars(group), "electricity": _assumed(prices)})
        return 0
    for line in table([HEADINGS, *(_cells(row, group) for row in rows)]):
        out.line(harmless(line))
    out.line(f"\nper million tokens; class: {group.students} students × {group.questions} questions of "
             f"{group.tokens_in} + {group.tokens_out} tokens; ? is unknown")  # fmt: skip
    return 0


def _cells(row: ModelPrice, group: Class) -> tuple[str, ...]:
    from engine.compare.money import text_of

    price = row.price
    weights = {True: f"open, {row.licence}", False: "closed"}.get(row.open_weights, "?")  # type: ignore[arg-type]
    if price is None:
        return (row.id, "?", "?", "?", str(row.window or "?"), weights, "?", row.homepage or "", "")
    amounts = (price.input_per_million, price.output_per_million, price.cached_per_million)
    cost = group.cost(price)
    return (
        row.id,
        *(text_of(one) or "" for one in amounts),
        str(row.window or "?"),
        weights,
        f"{cost} {price.currency}" if cost is not None else "?",
        price.source or "own table",
        price.as_of,
    )


def _write(prices: Prices, act: str, values: list[str], out: Output) -> int:
    if not values:
        raise BadInput(f"{act} which model?")
    model, *fields = values
    rows: dict[str, dict[str, Any]] = dict(prices.own())
    if act == "remove":
        if model not in rows:
            raise BadInput(f"no price of your own for {model!r}", what="model")
        del rows[model]
    else:
        rows[model] = dict(_pair(field) for field in fields)
    kept = prices.keep(rows)
    out.json({"own": kept}) if out.as_json else out.line(harmless(f"{model}: {kept.get(model) or 'forgotten'}"))
    return 0


def _electricity(prices: Prices, values: list[str], out: Output) -> int:
    from engine.compare.money import Electricity

    if values == ["off"]:
        prices.assume(None)
    elif len(values) in (2, 3):
        prices.assume(Electricity(_decimal(values[0]), _decimal(values[1]), *values[2:]))
    elif values:
        raise BadInput("WATTS TARIFF [CURRENCY], or off")
    told = _assumed(prices)
    out.json({"electricity": told}) if out.as_json else out.line(
        f"{told['watts']} W, {told['tariff_per_kwh']} {told['currency']}/kWh" if told else "none is assumed"
    )
    return 0


def _assumed(prices: Prices) -> dict[str, str] | None:
    found = prices.electricity()
    if found is None:
        return None
    return {
        "watts": str(found.watts),
        "tariff_per_kwh": str(found.tariff_per_kwh),
        "currency": found.currency,
    }


def _decimal(text: str) -> Decimal:
    try:
        return Decimal(text.replace(",", "."))
    except InvalidOperation as error:
        raise BadInput(f"{text!r} is no number") from error


def _pair(text: str) -> tuple[str, str]:
    name, sign, value = text.partition("=")
    if not sign:
        raise BadInput(f"{text!r} is not NAME=VALUE")
    return name, value
