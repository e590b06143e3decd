"""Parts of a zip file, bounded: what a header promises is not believed. Knows no format."""

from __future__ import annotations

import contextlib
import posixpath
import zipfile
from collections.abc import Iterator
from types import TracebackType
from typing import Protocol
from urllib.parse import unquote
from xml.parsers import expat

from engine.documents.formats import bad

PARTS_MAX = 20_000
BYTES_MAX = 128 * 2**20  # of all parts that are read, unpacked
CHUNK = 64 * 1024


class Handler(Protocol):
    """What hears the elements of an XML part; names are local, without their namespace."""

    def start(self, name: str, attributes: dict[str, str]) -> None:
        """An element begins."""

    def end(self, name: str) -> None:
        """It ends."""

    def characters(self, text: str) -> None:
        """Text between them."""


class Enough(Exception):
    """Raised by a handler that needs to hear no more."""


class Archive:
    """A zip file opened for reading. Raises BadFile: broken, encrypted, zip_bomb, xml_entities."""

    def __init__(self, name: str, path: str) -> None:
        self.name = name
        self._zip = zipfile.ZipFile(path)
        self._left = BYTES_MAX
        if len(self._zip.infolist()) > PARTS_MAX:
            raise bad(name, "zip_bomb")

    def __enter__(self) -> Archive:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._zip.close()

    def __contains__(self, part: str) -> bool:
        return part in self._zip.NameToInfo

    def chunks(self, part: str) -> Iterator[bytes]:
        """The part's bytes in order."""
        if part not in self:
            raise bad(self.name, "broken")
        info = self._zip.getinfo(part)
        if info.flag_bits & 1:
            raise bad(self.name, "encrypted")
        with self._zip.open(info) as file:
            while chunk := file.read(CHUNK):
                self._left -= len(chunk)
                if self._left < 0:
                    raise bad(self.name, "zip_bomb")
                yield chunk

    def read(self, part: str) -> bytes:
        """The part, whole."""
        return b"".join(self.chunks(part))

    def parse(self, part: str, handler: Handler) -> None:
        """Tell the handler the part's elements. One with a document type, and so with entities, is refused."""
        parser = expat.ParserCreate(namespace_separator=" ")
        parser.buffer_text = True

        def refuse(*_: object) -> None:
            raise bad(self.name, "xml_entities")

        parser.StartDoctypeDeclHandler = refuse
        parser.StartElementHandler = lambda name, attributes: handler.start(
            _local(name), {_local(key): value for key, value in attributes.items()}
        )
        parser.EndElementHandler = lambda name: handler.end(_local(name))
        parser.CharacterDataHandler = handler.characters
        with contextlib.suppress(Enough):
            for chunk in self.chunks(part):
                parser.Parse(chunk, False)
            parser.Parse(b"", True)

    def relations(self, part: str) -> dict[str, str]:
        """Id → part, of what an Office part refers to."""
        folder, _, file = part.rpartition("/")
        path = f"{folder}/_rels/{file}.rels"
        if path not in self:
            return {}
        found = _Rows("Relationship")
        self.parse(path, found)
        return {row["Id"]: joined(folder, row["Target"]) for row in found.rows if "Id" in row and "Target" in row}


class _Rows:
    """The attributes of every element of one name."""

    def __init__(self, *names: str) -> None:
        self._names = names
        self.rows: list[dict[str, str]] = []

    def start(self, name: str, attributes: dict[str, str]) -> None:
        if name in self._names:
            self.rows.append({"": name, **attributes})

    def end(self, name: str) -> None:
        pass

    def characters(self, text: str) -> None:
        pass


def rows(archive: Archive, part: str, *names: str) -> list[dict[str, str]]:
    """The attributes of every element of these names in the part, the name itself under ""."""
    found = _Rows(*names)
    archive.parse(part, found)
    return found.rows


def joined(folder: str, target: str) -> str:
    """The part that a reference in a folder means."""
    plain = unquote(target.partition("#")[0])
    return plain.lstrip("/") if plain.startswith("/") else posixpath.normpath(posixpath.join(folder, plain))


def _local(name: str) -> str:
    return name.rpartition(" ")[2]
