"""The cells of an Excel workbook as text, sheet by sheet. Computes no formula."""

from __future__ import annotations

import re
from datetime import datetime, timedelta

from engine.documents.archive import Archive, Enough, rows
from engine.documents.document import CHARACTERS_MAX, Found, Warning_
from engine.documents.formats import bad

PADDED_COLUMNS = 200  # gaps further right are not filled with empty cells
_BUILT_IN_DATES = {*range(14, 23), *range(27, 37), *range(45, 48), *range(50, 59)}
_NO_DATE = re.compile(r'"[^"]*"|\\.|\[(?!h|m|s)[^]]*\]|_.', re.I)
_COLUMN = re.compile(r"[A-Z]{1,3}")


def read_xlsx(archive: Archive) -> Found:
    """A page for each sheet that has cells: a title line, then a line for each row, its cells apart by tabs."""
    main = "xl/workbook.xml"
    strings = _strings(archive)
    dates = _date_styles(archive)
    book = rows(archive, main, "sheet", "workbookPr")
    epoch = (
        datetime(1904, 1, 1) if any(row.get("date1904") in ("1", "true") for row in book) else datetime(1899, 12, 30)
    )
    relations = archive.relations(main)
    sheets = [(row.get("name", ""), relations.get(row.get("id", ""), "")) for row in book if row[""] == "sheet"]
    if not sheets:
        raise bad(archive.name, "broken")
    pages: list[str] = []
    warnings: list[Warning_] = []
    for name, part in sheets:
        if part in archive and sum(map(len, pages)) <= CHARACTERS_MAX:
            sheet = _Sheet(strings, dates, epoch)
            archive.parse(part, sheet)
            pages += [f"# {name}\n" + "\n".join(sheet.lines)] if sheet.lines else []
            warnings += ["formulas_not_computed"] if sheet.formulas else []
    return Found(tuple(pages), tuple(warnings), "sheet")


class _Sheet:
    """The rows of one sheet as its elements come."""

    def __init__(self, strings: list[str], dates: frozenset[int], epoch: datetime) -> None:
        self.lines: list[str] = []
        self.formulas = 0
        self._strings, self._dates, self._epoch = strings, dates, epoch
        self._size = 0
        self._row: list[str] = []
        self._cell: dict[str, str] = {}
        self._open = ""
        self._said: dict[str, str] = {}
        self._phonetic = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "row":
            self._row = []
        elif name == "c":
            self._cell, self._said = attributes, {}
        elif name == "rPh":
            self._phonetic += 1
        elif name in ("v", "t", "f"):
            self._open = name

    def end(self, name: str) -> None:
        if name == "c":
            self._add(self._value())
        elif name == "row" and any(self._row):
            self.lines.append("\t".join(self._row).rstrip("\t"))
            self._size += len(self.lines[-1]) + 1
            if self._size > CHARACTERS_MAX:
                raise Enough
        elif name == "rPh":
            self._phonetic -= 1
        elif name == self._open:
            self._open = ""

    def characters(self, text: str) -> None:
        if self._open and not self._phonetic:
            self._said[self._open] = self._said.get(self._open, "") + text

    def _add(self, value: str) -> None:
        letters = _COLUMN.match(self._cell.get("r", ""))
        column = _number_of(letters[0]) if letters else len(self._row) + 1
        self._row += [""] * (min(column, PADDED_COLUMNS) - 1 - len(self._row))
        self._row.append(" ".join(value.split("\n")).replace("\t", " ").strip())

    def _value(self) -> str:
        kind, raw = self._cell.get("t", "n"), self._said.get("v", "")
        if kind == "inlineStr":
            return self._said.get("t", "")
        if not raw and "f" in self._said:
            self.formulas += 1
            return f"={self._said['f']}"
        if kind == "s":
            return self._strings[int(raw)] if raw.isdecimal() and int(raw) < len(self._strings) else ""
        if kind == "b":
            return "TRUE" if raw == "1" else "FALSE"
        return self._number(raw) if kind == "n" else raw

    def _number(self, raw: str) -> str:
        try:
            number = float(raw)
            if int(self._cell.get("s", "0")) in self._dates:
                return _moment(self._epoch, number)
        except (ValueError, OverflowError):
            return raw
        return f"{number:.15g}"


class _Strings:
    """The strings that cells share; readings of Japanese are left out."""

    def __init__(self) -> None:
        self.found: list[str] = []
        self._parts: list[str] = []
        self._reading = False
        self._phonetic = 0

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name == "si":
            self._parts = []
        elif name == "t":
            self._reading = True
        elif name == "rPh":
            self._phonetic += 1

    def end(self, name: str) -> None:
        if name == "si":
            self.found.append("".join(self._parts))
        elif name == "t":
            self._reading = False
        elif name == "rPh":
            self._phonetic -= 1

    def characters(self, text: str) -> None:
        if self._reading and not self._phonetic:
            self._parts.append(text)


def _strings(archive: Archive) -> list[str]:
    strings = _Strings()
    if "xl/sharedStrings.xml" in archive:
        archive.parse("xl/sharedStrings.xml", strings)
    return strings.found


def _date_styles(archive: Archive) -> frozenset[int]:
    """The numbers of the cell styles that show a date or a time."""
    if "xl/styles.xml" not in archive:
        return frozenset()
    found = _Styles()
    archive.parse("xl/styles.xml", found)
    dates = _BUILT_IN_DATES | {number for number, code in found.codes.items() if _shows_date(code)}
    return frozenset(index for index, number in enumerate(found.formats) if number in dates)


class _Styles:
    """Number formats of a style sheet."""

    def __init__(self) -> None:
        self.codes: dict[int, str] = {}
        self.formats: list[int] = []
        self._cells = False

    def start(self, name: str, attributes: dict[str, str]) -> None:
        number = int(attributes["numFmtId"]) if attributes.get("numFmtId", "").isdecimal() else 0
        if name == "numFmt":
            self.codes[number] = attributes.get("formatCode", "")
        elif name == "cellXfs":
            self._cells = True
        elif name == "xf" and self._cells:
            self.formats.append(number)

    def end(self, name: str) -> None:
        if name == "cellXfs":
            self._cells = False

    def characters(self, text: str) -> None:
        pass


def _shows_date(code: str) -> bool:
    return re.search(r"[ymdhs]", _NO_DATE.sub("", code.partition(";")[0]), re.I) is not None


def _moment(epoch: datetime, number: float) -> str:
    """ISO 8601, to the second: a date, a time, or both."""
    moment = epoch + timedelta(seconds=round(number * 86400))
    if 0 <= number < 1:
        return moment.strftime("%H:%M:%S")
    return moment.date().isoformat() if number == int(number) else moment.isoformat(sep=" ")


def _number_of(letters: str) -> int:
    number = 0
    for letter in letters:
        number = number * 26 + ord(letter) - ord("A") + 1
    return number
