"""Tables as people save them, and as somebody who means ill does."""

from __future__ import annotations

import json
from typing import Any

import pytest

from engine.compare.batch_table import BYTES_MAX, COLUMNS_MAX, ROWS_MAX, VALUE_MAX, read_table
from engine.errors import BadFile


@pytest.mark.parametrize(
    "text",
    [
        "q,a\nParis?,yes\n\nRome?,no\n",
        "\ufeffq;a\r\nParis?;yes\r\nRome?;no\r\n",
        "q\ta\nParis?\tyes\nRome?\tno",
        '"q","a"\n"Paris?","yes"\n"Rome?","no"\n',
        '{"q": "Paris?", "a": "yes"}\n{"q": "Rome?", "a": "no"}\n',
    ],
)
def test_every_ordinary_form_is_read(text: str) -> None:
    table = read_table("t", text.encode())
    assert table.columns == ("q", "a")
    assert table.rows == ({"q": "Paris?", "a": "yes"}, {"q": "Rome?", "a": "no"})


def test_values_keep_lines_separators_and_quotes() -> None:
    table = read_table("t.csv", b'q,a\n"one, two\nthree ""four""",5\n')
    assert table.rows == ({"q": 'one, two\nthree "four"', "a": "5"},)


def test_what_json_has_besides_texts_becomes_text_and_what_lacks_is_empty() -> None:
    table = read_table("t.jsonl", b'{"n": 5, "l": [1, "\xc3\xa9"], "z": null}\n{"n": true}\n')
    assert table.rows[0] == {"n": "5", "l": '[1, "é"]', "z": ""} and table.rows[1] == {"n": "true", "l": "", "z": ""}
    assert read_table("t.csv", b"q,a\nonly\n").rows == ({"q": "only", "a": ""},)
    assert read_table("t.csv", b"q,,x\n1,2,3\n").columns == ("q", "column 2", "x")


@pytest.mark.parametrize(
    ("name", "data", "reason"),
    [
        ("t.csv", b"", "table_empty"),
        ("t.csv", b"q,a\n", "table_empty"),
        ("t.csv", b"q\n\xff\n", "not_utf8"),
        ("t.csv", b"q\n" + b"x" * BYTES_MAX, "too_large"),
        ("t.csv", b"q,q\n1,2\n", "table_columns"),
        ("t.csv", b"q\n1,2\n", "table_columns"),
        ("t.csv", b"a}}b\n1\n", "table_columns"),
        ("t.csv", ",".join(map(str, range(COLUMNS_MAX + 1))).encode() + b"\n1\n", "table_columns"),
        ("t.csv", b"q\n" + b"1\n" * (ROWS_MAX + 1), "table_rows"),
        ("t.csv", b"q\n" + b"x" * (VALUE_MAX + 1) + b"\n", "table_format"),
        ("t.csv", b'q\n"' + b"x" * 200_000 + b'"\n', "table_format"),
        ("t.csv", b"q\na\0b\n", "table_format"),
        ("t.jsonl", b"{not json}\n", "table_json"),
        ("t.jsonl", b"[1, 2]\n", "table_format"),
        ("t.jsonl", b"[" * 100_000 + b"\n", "table_json"),
        ("t.jsonl", b'{"q": "\\ud800"}\n', "table_format"),
        ("t.jsonl", json.dumps({f"c{n}": 1 for n in range(COLUMNS_MAX + 1)}).encode() + b"\n", "table_columns"),
        ("t.jsonl", b'{"a\\u0000": 1}\n', "table_columns"),
    ],
)
def test_what_is_no_table_is_refused_with_a_reason(name: str, data: bytes, reason: str) -> None:
    with pytest.raises(BadFile) as refused:
        read_table(name, data)
    details: dict[str, Any] = refused.value.details
    assert details["reason"] == reason and len(refused.value.message) < 300


def test_a_value_of_any_depth_is_read_or_refused() -> None:
    refused = 0
    for deep in (10, *range(700, 1100, 5)):  # where it can be read and not be written lies at the stack's end
        try:
            read_table("t.jsonl", b'{"a": ' + b"[" * deep + b"]" * deep + b"}\n")
        except BadFile as error:
            refused += 1
            assert error.details["reason"] in ("table_format", "table_json")
    assert 0 < refused < 81
