"""Headings of a text that marks them as Markdown does, as our readers of HTML, Word and slides do. Knows no file."""

from __future__ import annotations

import re
from bisect import bisect_right

from engine.documents.formats import EXTENSIONS, extension

SEPARATOR = " › "
_LINE = re.compile(r"(?m)^(?:(#{1,6})[^\S\n]+(\S[^\n]*)|[^\S\n]*```[^\n]*)$")


def headed(name: str) -> bool:
    """Whether a `#` at the start of a line means a heading in this format: in a program it is a remark."""
    kind = extension(name)
    return kind in ("md", "markdown") or (kind in EXTENSIONS and kind != "pdf")


class Headings:
    """The headings of one text, by place."""

    def __init__(self, text: str) -> None:
        self._starts: list[int] = []
        self._paths: list[str] = []
        ends: list[int] = []
        above: list[tuple[int, str]] = []
        fenced = False
        for match in _LINE.finditer(text):
            if match[1] is None:
                fenced = not fenced
            elif not fenced:
                above = [(level, title) for level, title in above if level < len(match[1])]
                above.append((len(match[1]), match[2].strip().rstrip("#").rstrip()))
                self._starts.append(match.start())
                ends.append(match.end())
                self._paths.append(SEPARATOR.join(title for _, title in above))
        for number in range(len(ends) - 2, -1, -1):  # what stands below several at once is below the last
            if not text[ends[number] : self._starts[number + 1]].strip():
                self._paths[number] = self._paths[number + 1]

    def at(self, place: int) -> str | None:
        """The path of headings above that character, the one that begins there included; None above the first."""
        number = bisect_right(self._starts, place)
        return self._paths[number - 1] if number else None
