"""What a file says: text, page by page, with warnings. Knows no format."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal, get_args

Unit = Literal["page", "slide", "sheet", "chapter"]
# scanned               a PDF of pictures: no text on any page
# pages_without_text    some pages of a PDF are pictures
# cut                   the file says more than we keep
# guessed_encoding      neither UTF-8 nor UTF-16: read as Windows-1252
# replaced_characters   bytes that are no character became U+FFFD
# wrong_extension       the name says another format than the contents, which were believed
# formulas_not_computed cells hold a formula and no value: the formula is given
# empty                 nothing in it
Warning_ = Literal["scanned", "pages_without_text", "cut", "guessed_encoding", "replaced_characters", "wrong_extension",
                   "formulas_not_computed", "empty"]  # fmt: skip
WARNINGS: tuple[Warning_, ...] = get_args(Warning_)

CHARACTERS_MAX = 5_000_000
PAGES_MAX = 5_000
_CONTROLS = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ufffe\uffff]")


@dataclass(frozen=True)
class Document:
    """The text of one file; `pages` are its pages, slides, sheets or chapters where the format has some (`unit`), else
    there is one. `warnings` are codes of WARNINGS.
    """

    name: str
    text: str
    pages: tuple[str, ...]
    warnings: tuple[Warning_, ...] = ()
    unit: Unit | None = None

    @property
    def characters(self) -> int:
        """Length of the text."""
        return len(self.text)


@dataclass(frozen=True)
class Found:
    """What a reader of one format found."""

    pages: tuple[str, ...]
    warnings: tuple[Warning_, ...] = ()
    unit: Unit | None = None


def document(name: str, found: Found, warnings: tuple[Warning_, ...] = ()) -> Document:
    """The document of what was found: cleaned, bounded, its warnings each once."""
    kept = bounded(found)
    text = "\n\n".join(page for page in kept.pages if page)
    told: list[Warning_] = [*warnings, *kept.warnings]
    if not text and "scanned" not in told:
        told.append("empty")
    return Document(name, text, kept.pages, tuple(dict.fromkeys(told)), kept.unit)


def bounded(found: Found) -> Found:
    """The same, cleaned, within our limits; the warning says where something was cut."""
    kept: list[str] = []
    left = CHARACTERS_MAX
    for page in found.pages[:PAGES_MAX]:
        text = clean(page[: left + 1])
        kept.append(text[:left])
        left -= len(text)
        if left < 0:
            break
    cut: tuple[Warning_, ...] = ("cut",) if left < 0 or len(found.pages) > PAGES_MAX else ()
    return Found(tuple(kept) or ("",), (*found.warnings, *cut), found.unit)


def clean(text: str) -> str:
    """The text with plain line ends, composed accents, and without control characters and half characters."""
    text = _CONTROLS.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
    return unicodedata.normalize("NFC", text).encode("utf-8", "replace").decode("utf-8").strip("\n")
