"""Which format a file has, by its contents first and its name second. Reads no text."""

from __future__ import annotations

import io
import re
import zipfile
from typing import Literal

from engine.errors import BadFile

Format = Literal["text", "html", "pdf", "docx", "pptx", "xlsx", "odt", "ods", "odp", "epub"]

EXTENSIONS: dict[str, Format] = {
    **dict.fromkeys(("html", "htm", "xhtml"), "html"),
    **{name: name for name in ("pdf", "docx", "pptx", "xlsx", "odt", "ods", "odp", "epub")},
    "docm": "docx",
    "pptm": "pptx",
    "xlsm": "xlsx",
}
# What an interface may offer; every other text file is read too.
TEXT_EXTENSIONS = (
    "txt", "md", "csv", "tsv", "json", "jsonl", "xml", "yaml", "yml", "toml", "ini", "log", "tex", "rst", "py",
    "ipynb", "r", "js", "ts", "java", "c", "h", "cpp", "hpp", "cs", "go", "rs", "rb", "php", "sh", "sql", "css",
    "srt",
)  # fmt: skip
READABLE = (*TEXT_EXTENSIONS, *EXTENSIONS)

_IMAGES = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"GIF87a", b"GIF89a")
_OLE = b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"
_HTML = re.compile(
    rb"^(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--.*?-->\s*)*<(?:!doctype\s+html|html)[\s>]", re.I | re.S
)
_PARTS: tuple[tuple[str, Format], ...] = (("word/", "docx"), ("ppt/", "pptx"), ("xl/", "xlsx"))
_MIMETYPES: dict[bytes, Format] = {
    b"application/epub+zip": "epub",
    b"application/vnd.oasis.opendocument.text": "odt",
    b"application/vnd.oasis.opendocument.spreadsheet": "ods",
    b"application/vnd.oasis.opendocument.presentation": "odp",
}


def format_of(name: str, data: bytes) -> Format:
    """The format of the contents. Raises BadFile: image, encrypted, old_office, unknown_format, broken."""
    if b"%PDF-" in data[:1024]:
        return "pdf"
    if data.startswith(_IMAGES) or (data.startswith(b"RIFF") and data[8:12] == b"WEBP"):
        raise bad(name, "image")
    if data.startswith(_OLE):  # an encrypted .docx is packed in one, too
        raise bad(name, "encrypted" if "EncryptedPackage".encode("utf-16-le") in data else "old_office")
    if data.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _packed(name, data)
    if named(name) == "html" or (extension(name) not in TEXT_EXTENSIONS and _HTML.match(data[:4096])):
        return "html"
    return "text"


def named(name: str) -> Format | None:
    """The format that the name promises; None where it promises none of ours."""
    return EXTENSIONS.get(extension(name))


def extension(name: str) -> str:
    """What follows the last dot, in small letters."""
    return name.rpartition(".")[2].lower() if "." in name else ""


def bad(name: str, reason: str) -> BadFile:
    """The error of a file that cannot be read, and why, as a code."""
    return BadFile(f"{name}: {reason}", path=name, reason=reason)


def _packed(name: str, data: bytes) -> Format:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            names = archive.namelist()
            if "mimetype" in names:
                with archive.open("mimetype") as file:
                    kind = _MIMETYPES.get(file.read(100).strip())
                if kind:
                    return kind
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, ValueError) as error:
        raise bad(name, "broken") from error
    for start, kind in _PARTS:
        if any(part.startswith(start) for part in names):
            return kind
    raise bad(name, "unknown_format")
