"""Where the files of a collection come from: uploads, pasted text, folders, zip files, the web. Knows no store.

A source that holds several files (a folder, a zip) is their root: who adds it again replaces what changed, and removes
what is no longer in it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

SourceKind = Literal["path", "upload", "text", "zip", "url"]


@dataclass(frozen=True)
class Source:
    """What somebody wants in a collection: `where` is a path of a file or folder, an address, or a name for `data`."""

    kind: SourceKind
    where: str
    data: bytes = b""


def upload(name: str, data: bytes) -> Source:
    """A file from a browser; a zip file that is no document is opened."""
    return Source("upload", name, data)


def pasted(name: str, text: str) -> Source:
    """A text under a name."""
    return Source("text", name, text.encode("utf-8", "replace"))


def path(where: str) -> Source:
    """A file, a zip file or a folder on this machine; for the teacher."""
    return Source("path", where)


def url(address: str) -> Source:
    """A page or file of the web, fetched by engine.rag.web."""
    return Source("url", address)
