"""Text files: which characters their bytes are. Knows no markup."""

from __future__ import annotations

import codecs
import re

from engine.documents.document import Found, Warning_
from engine.documents.formats import bad

# UTF-32 first: its mark begins with UTF-16's
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_STRANGE = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")
SAMPLE = 1_000_000  # characters that are looked at
STRANGE_MAX = 0.02  # more control characters than that are no text


def read_text(name: str, data: bytes) -> Found:
    """The whole as one page. Raises BadFile unknown_format for what is no text."""
    text, warnings = decoded(name, data)
    return Found((text,), warnings)


def decoded(name: str, data: bytes, declared: str | None = None) -> tuple[str, tuple[Warning_, ...]]:
    """The characters, by byte order mark, `declared` (as an HTML page does), UTF-16, UTF-8, Windows-1252 in this
    order, and what had to be guessed.
    """
    for mark, encoding in _MARKS:
        if data.startswith(mark):
            return _text(name, data, encoding)
    for known in (declared, _utf16(data), "utf-8"):
        try:
            if known:
                return _plausible(name, data.decode(known)), ()
        except (UnicodeError, LookupError):
            continue
    text, warnings = _text(name, data, "cp1252")
    return text, ("guessed_encoding", *warnings)


def _text(name: str, data: bytes, encoding: str) -> tuple[str, tuple[Warning_, ...]]:
    text = _plausible(name, data.decode(encoding, "replace"))
    return text, ("replaced_characters",) if "\ufffd" in text else ()


def _plausible(name: str, text: str) -> str:
    sample = text[:SAMPLE]
    if len(_STRANGE.findall(sample)) > STRANGE_MAX * len(sample):
        raise bad(name, "unknown_format")
    return text


def _utf16(data: bytes) -> str | None:
    """UTF-16 without a mark: in most scripts half of the bytes are then zero, all on one side."""
    sample = data[:4096]
    for side, encoding in ((1, "utf-16-le"), (0, "utf-16-be")):
        if (
            len(sample) > 1
            and sample[side::2].count(0) > 0.7 * len(sample[side::2])
            and not sample[1 - side :: 2].count(0)
        ):
            return encoding
    return None
