"""Prices in words: the table as rows and as a file, the class that it is worked out for, the teacher's own table as
text. Knows no widget.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

from apps.ui.compare_figures import money
from apps.ui.i18n import WIDE, Words
from engine.compare.export import harmless
from engine.compare.money import Price
from engine.compare.price_table import Class, ModelPrice
from engine.errors import BadInput
from engine.providers import providers

Row = tuple[str, ...]
COLUMNS = ("provider", "model", "input", "output", "cached", "window", "weights", "class", "source")
CLASS: Mapping[str, tuple[int, int]] = {  # what it is at first and at most
    "students": (30, 10_000),
    "questions": (40, 10_000),
    "tokens_in": (500, 1_000_000),
    "tokens_out": (300, 1_000_000),
}
CSV_COLUMNS = ("model", "input", "output", "cached", "second", "request", "image", "currency", "window", "licence",
               "open_weights", "class", "source", "as_of")  # fmt: skip
AMOUNTS = ("input_per_million", "output_per_million", "cached_per_million", "per_second", "per_request", "per_image")
CURRENCY = "EUR"
_PATH = re.compile(r"https?://([^/\s,]+)[^\s,]*")  # of an address, the host is enough in a cell


def group_of(values: Mapping[str, Any]) -> Class:
    """The class of these numbers, each within its bounds; what is missing is as at first."""
    return Class(**{name: _bounded(values.get(name), start, top) for name, (start, top) in CLASS.items()})


def _bounded(value: Any, start: int, top: int) -> int:
    return start if value is None else max(0, min(int(value), top))


def head(words: Words) -> Row:
    """The columns of the table."""
    return tuple(words.t(f"compare_prices.head.{name}") for name in COLUMNS)


def rows(table: Sequence[ModelPrice], group: Class, words: Words) -> list[Row]:
    """The table; what nobody tells is "unknown", never 0."""
    return [_row(one, group, words) for one in table]


def _row(one: ModelPrice, group: Class, words: Words) -> Row:
    unknown, price = words.t("compare.unknown"), one.price
    row = providers().get(one.provider)
    window = words.number(one.window) if one.window else unknown
    first = (row.name if row else one.provider, one.model)
    if price is None:
        return (
            *first,
            unknown,
            unknown,
            unknown,
            window,
            _weights(one, words),
            unknown,
            _PATH.sub(r"\1", one.homepage or ""),
        )
    amounts = (price.input_per_million, price.output_per_million, price.cached_per_million)
    read, written, cached = (unknown if amount is None else _exact(amount, price.currency, words) for amount in amounts)
    if not price.by_tokens:
        read = written = cached = _by_other(price, words)
    total = group.cost(price)
    cost = unknown if total is None else money(Decimal(total), price.currency, words)
    source = words.t("compare_prices.own_source") if one.own else _PATH.sub(r"\1", price.source)
    dated = f"{source}, {price.as_of}" if price.as_of else source
    return (*first, read, written, cached, window, _weights(one, words), cost, dated)


def _exact(amount: Decimal, currency: str, words: Words) -> str:
    """A list price with all its digits, two at least."""
    exponent = amount.normalize().as_tuple().exponent
    return f"{words.number(float(amount), max(2, -int(exponent)))}{WIDE}{currency}"


def _by_other(price: Price, words: Words) -> str:
    """What is billed where tokens are not: the first that is told."""
    billed = {"second": price.per_second, "request": price.per_request, "image": price.per_image}
    for name, amount in billed.items():
        if amount is not None:
            return words.t(f"compare_prices.per_{name}", price=money(amount, price.currency, words))
    return words.t("compare.unknown")


def _weights(one: ModelPrice, words: Words) -> str:
    if one.open_weights is None:
        return words.t("compare.unknown")
    return words.t("compare_prices.open", licence=one.licence) if one.open_weights else words.t("compare_prices.closed")


def told(group: Class, words: Words) -> str:
    """What the column of the class says, as a sentence."""
    return words.t("compare_prices.class_told", students=group.students, questions=group.questions,
                   read=group.tokens_in, written=group.tokens_out)  # fmt: skip


def csv_file(table: Sequence[ModelPrice], group: Class) -> str:
    """The table as CSV, amounts exactly, unknown ones empty; no cell can be taken for a formula."""
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(CSV_COLUMNS)
    for one in table:
        price = one.price.to_dict() if one.price else {}
        amounts = [price.get(name) for name in AMOUNTS]
        row = (one.id, *amounts, price.get("currency"), one.window, one.licence, one.open_weights,
               group.cost(one.price), price.get("source") or one.homepage, price.get("as_of"))  # fmt: skip
        writer.writerow(harmless(value) for value in row)
    return text.getvalue()


def own_text(own: Mapping[str, Mapping[str, str]]) -> str:
    """The teacher's table as lines to edit: `openai/gpt-5 input=1.25 output=10`."""
    return "\n".join(
        f"{model} {' '.join(f'{name}={value}' for name, value in row.items())}" for model, row in own.items()
    )


def own_of(text: str) -> dict[str, dict[str, str]]:
    """The table that such lines say. Raises BadInput naming the first line that says none."""
    found = {}
    for number, line in enumerate(text.splitlines(), 1):
        model, *fields = line.split()[:20] or [""]
        pairs = [field.partition("=") for field in fields]
        if model and (not pairs or not all(name and sign and value for name, sign, value in pairs)):
            raise BadInput(f"line {number} is no price: {line[:80]}", what="prices", reason="price_line", line=number)
        if model:
            found[model] = {name: value for name, _, value in pairs}
    return found
