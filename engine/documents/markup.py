"""The text that a reader of an HTML page or an EPUB book would see. Runs no script, fetches nothing."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from engine.documents.archive import Archive, joined, rows
from engine.documents.document import CHARACTERS_MAX, Found
from engine.documents.formats import bad
from engine.documents.plain import decoded

_HIDDEN = {"script", "style", "template", "noscript", "svg", "iframe", "object"}
_BLOCKS = {
    "address", "article", "aside", "blockquote", "body", "dd", "details", "div", "dl", "dt", "figcaption", "figure",
    "footer", "form", "header", "hr", "li", "main", "nav", "ol", "p", "pre", "section", "summary", "table", "title",
    "tr", "ul", *(f"h{level}" for level in range(1, 7)),
}  # fmt: skip
_CHARSET = re.compile(rb"""(?:<meta[^>]{0,200}?charset=|<\?xml[^>]{0,100}?encoding=)["']?([A-Za-z0-9_-]{1,30})""", re.I)


def read_html(name: str, data: bytes) -> Found:
    """The whole page as one."""
    text, warnings = _page(name, data)
    return Found((text,), warnings)


def read_epub(archive: Archive) -> Found:
    """A page for each chapter in the order of the book. Raises BadFile encrypted where chapters are."""
    if "META-INF/encryption.xml" in archive and b"html" in archive.read("META-INF/encryption.xml"):
        raise bad(archive.name, "encrypted")
    chapters = [_page(archive.name, archive.read(part))[0] for part in _chapters(archive)]
    return Found(tuple(chapter for chapter in chapters if chapter.strip()), unit="chapter")


def _chapters(archive: Archive) -> list[str]:
    packages = rows(archive, "META-INF/container.xml", "rootfile")
    if not packages:
        raise bad(archive.name, "broken")
    package = packages[0].get("full-path", "")
    found = rows(archive, package, "item", "itemref")
    parts = {
        row.get("id"): joined(package.rpartition("/")[0], row.get("href", "")) for row in found if row[""] == "item"
    }
    ordered = [parts.get(row.get("idref"), "") for row in found if row[""] == "itemref"]
    return [part for part in dict.fromkeys(ordered) if part in archive]


def _page(name: str, data: bytes) -> tuple[str, tuple[()]]:
    declared = _CHARSET.search(data[:4096])
    text, warnings = decoded(name, data, declared[1].decode("ascii") if declared else None)
    reader = _Reader()
    reader.feed(text[: 8 * CHARACTERS_MAX])
    reader.close()
    return reader.text(), warnings  # type: ignore[return-value]


class _Reader(HTMLParser):
    """Visible text: blocks on lines of their own, headings and list items marked as in Markdown, cells by tabs."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self._parts: list[str] = []
        self._hidden: list[str] = []
        self._kept = 0  # depth of <pre>

    def text(self) -> str:
        """What was read, with at most one empty line between blocks."""
        lines = (line.strip(" ") if "\x00" not in line else line.replace("\x00", "") for line in self._lines())
        return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip()

    def parse_marked_section(self, i: int, report: bool = True) -> int:
        """`<![if …]>`, as Word writes, is a comment to every browser; the library would stop at a bad one."""
        return self.parse_bogus_comment(i)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag == "body":
            self._hidden.clear()
        if self._hidden or tag in _HIDDEN:
            if tag in _HIDDEN:
                self._hidden.append(tag)
        elif tag in ("td", "th"):
            self._parts.append("\t")
        elif tag == "br":
            self._parts.append("\n")
        elif tag in _BLOCKS:
            self._parts.append("\n" + ("#" * int(tag[1]) + " " if re.fullmatch(r"h[1-6]", tag) else ""))
            self._parts += ["- "] if tag == "li" else []
            self._kept += tag == "pre"

    def handle_endtag(self, tag: str) -> None:
        if tag in self._hidden:
            while self._hidden.pop() != tag:
                pass
        elif not self._hidden and tag in _BLOCKS:
            self._parts.append("\n" if tag in ("tr", "li") else "\n\n")
            self._kept -= tag == "pre" and self._kept > 0

    def handle_data(self, data: str) -> None:
        if self._hidden:
            return
        if self._kept:
            self._parts.append("\n".join(f"\x00{line}" for line in data.replace("\x00", "").split("\n")))
        else:
            self._parts.append(re.sub(r"[ \t\r\n\f\x00]+", " ", data))

    def _lines(self) -> list[str]:
        text = re.sub(r"\n[ \t]*\t", "\n", "".join(self._parts))  # the first cell of a row needs no tab
        return [re.sub(r" {2,}", " ", line) if "\x00" not in line else line for line in text.split("\n")]
