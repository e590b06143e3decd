"""Rows of a table that somebody uploaded, CSV or JSONL: read with bounds on everything. Knows no prompt."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine.errors import BadFile

BYTES_MAX = 8 << 20
ROWS_MAX = 2000
COLUMNS_MAX = 50
NAME_MAX = 80  # letters of a column's name
VALUE_MAX = 20_000  # characters of a value
SEPARATORS = ",;\t|"
_NAME = re.compile(r'[^|{}\n\r"\x00-\x1f]{1,80}')  # what engine.placeholders takes for the name of a variable

Row = Mapping[str, str]


@dataclass(frozen=True)
class Table:
    """Its columns in their order, and its rows by column; a value that a row lacks is empty."""

    columns: tuple[str, ...]
    rows: tuple[Row, ...]


def read_table(name: str, data: bytes) -> Table:
    """The table of a file's bytes: JSON lines where its name ends so or it begins with a brace, else CSV with a line of
    names, its values separated by commas, semicolons, tabs or bars.

    Raises BadFile: too_large, not_utf8, table_empty, table_rows, table_json, table_format, table_columns, with
    `line` where it is known.
    """
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large", limit=BYTES_MAX)
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile(f"{name} is not UTF-8: byte {error.start}", path=name, reason="not_utf8") from error
    lines = name.lower().endswith((".jsonl", ".ndjson")) or text.lstrip()[:1] == "{"
    rows = list(_objects(name, text) if lines else _records(name, text))
    if not rows:
        raise BadFile(f"{name} has no row", path=name, reason="table_empty")
    columns = tuple(dict.fromkeys(column for row in rows for column in row))
    if len(columns) > COLUMNS_MAX:
        raise _bad(name, f"more than {COLUMNS_MAX} columns", "table_columns")
    return Table(columns, tuple({column: row.get(column, "") for column in columns} for row in rows))


def _objects(name: str, text: str) -> Iterator[dict[str, str]]:
    written = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    _count(name, len(written))
    for number, line in written:
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadFile(f"{name}, line {number}: not JSON", path=name, reason="table_json", line=number) from error
        if not isinstance(value, dict):
            raise _bad(name, "not an object", "table_format", number)
        try:
            plain = {key: _plain(one) for key, one in value.items()}
        except RecursionError as error:  # what can be read cannot always be written
            raise _bad(name, "a value that is too deep", "table_format", number) from error
        yield {_column(name, key, number): _value(name, one, number) for key, one in plain.items()}


def _records(name: str, text: str) -> Iterator[dict[str, str]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_separator(text))
    head: list[str] | None = None
    count = 0
    try:
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if head is None:
                head = _head(name, cells)
                continue
            count += 1
            _count(name, count)
            if len(cells) > len(head):
                raise _bad(name, f"{len(cells)} values for {len(head)} columns", "table_columns", reader.line_num)
            filled = [*cells, *[""] * (len(head) - len(cells))]
            yield {column: _value(name, cell, reader.line_num) for column, cell in zip(head, filled, strict=True)}
    except csv.Error as error:
        raise _bad(name, str(error), "table_format", reader.line_num) from error


def _head(name: str, cells: list[str]) -> list[str]:
    if len(cells) > COLUMNS_MAX:
        raise _bad(name, f"more than {COLUMNS_MAX} columns", "table_columns", 1)
    head = [_column(name, cell.strip() or f"column {place}", 1) for place, cell in enumerate(cells, 1)]
    if len(set(head)) < len(head):
        raise _bad(name, "two columns have the same name", "table_columns", 1)
    return head


def _separator(text: str) -> str:
    """The sign that the first line has most of outside its quotes; a comma where it has none."""
    first = re.sub(r'"[^"\n]*"', "", text[:VALUE_MAX].lstrip("\r\n").partition("\n")[0])
    return max(SEPARATORS, key=first.count)


def _column(name: str, told: str, line: int) -> str:
    column = told.strip()
    if not _NAME.fullmatch(column):
        raise _bad(name, f"{column[:40]!r} cannot be the name of a column", "table_columns", line)
    return _value(name, column, line)


def _value(name: str, text: str, line: int) -> str:
    if len(text) > VALUE_MAX:
        raise _bad(name, f"a value of {len(text)} characters", "table_format", line)
    try:
        text.encode()
    except UnicodeEncodeError as error:  # half a surrogate pair is no text
        raise _bad(name, "a value that is no text", "table_format", line) from error
    if "\0" in text:
        raise _bad(name, "a value with a zero byte", "table_format", line)
    return text


def _plain(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _count(name: str, rows: int) -> None:
    if rows > ROWS_MAX:
        raise BadFile(f"{name}: more than {ROWS_MAX} rows", path=name, reason="table_rows", limit=ROWS_MAX)


def _bad(name: str, why: str, reason: str, line: int | None = None) -> BadFile:
    where = f", line {line}" if line else ""
    return BadFile(f"{name}{where}: {why}", path=name, reason=reason, line=line, why=why)
