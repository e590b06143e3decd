"""Files of all formats as text; what is not plain text is read in a child process with limits. Knows no model."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any

from engine import child
from engine.documents.document import Document, Found, Warning_, document
from engine.documents.formats import EXTENSIONS, Format, bad, extension, format_of, named
from engine.documents.plain import read_text
from engine.errors import BadFile, error_from

BYTES_MAX = 64 * 2**20  # of one file
WALL_S = 90  # a machine that is full of work may need that long for the child's half minute of CPU
NAME_MAX = 200


def read(name: str, data: bytes) -> Document:
    """The file's text, page by page where it has pages.

    Raises BadFile, with `path` (the name) and `reason`: empty, too_large (bytes), image, encrypted, old_office,
    unknown_format, broken, zip_bomb, xml_entities, too_much (time or memory).
    """
    name = clean_name(name)
    if not data.strip():
        raise bad(name, "empty")
    if len(data) > BYTES_MAX:
        raise bad(name, "too_large")
    kind = format_of(name, data)
    found = read_text(name, data) if kind == "text" else _read_apart(name, data, kind)
    return document(name, found, _doubts(name, kind))


def clean_name(name: str) -> str:
    """The last part of a path, without control characters, of at most 200 letters."""
    last = PurePosixPath(name.replace("\\", "/")).name
    return "".join(letter for letter in last if letter.isprintable())[-NAME_MAX:] or "file"


def _doubts(name: str, kind: Format) -> tuple[Warning_, ...]:
    promised = named(name)
    wrong = promised not in (None, kind) or (kind in EXTENSIONS.values() and promised is None and extension(name) != "")
    return ("wrong_extension",) if wrong else ()


def _read_apart(name: str, data: bytes, kind: Format) -> Found:
    answer = apart(name, data, {"format": kind})
    return Found(tuple(answer["pages"]), tuple(answer["warnings"]), answer["unit"])


def apart(name: str, data: bytes, order: dict[str, Any]) -> dict[str, Any]:
    """What the child process answers to an order about these bytes (engine.documents.child). Raises BadFile."""
    with _stored(data) as path:
        answer = _ask(name, {"name": name, "path": path, **order})
    if "error" in answer:
        raise error_from(answer["error"])
    return answer


def _ask(name: str, order: dict[str, Any]) -> dict[str, Any]:
    with child.start("engine.documents.child") as process:
        try:
            out, errors = process.communicate(json.dumps(order) + "\n", timeout=WALL_S)
        except subprocess.TimeoutExpired:
            raise bad(name, "too_much") from None
        finally:
            child.kill(process)
    if process.returncode == 0:
        answer: dict[str, Any] = json.loads(out)
        return answer
    raise _dead(name, process.returncode, errors)


def _dead(name: str, code: int, errors: str) -> BadFile:
    """Killed by a limit, or by what the file did to the reader: its author has to choose another file either way."""
    last = next((line for line in reversed(errors.splitlines()) if line.strip()), "")
    return BadFile(f"{name}: {last}", path=name, reason="too_much" if code < 0 else "broken", exit_code=code)


@contextlib.contextmanager
def _stored(data: bytes) -> Iterator[str]:
    """The path of a file of ours alone that holds the data, gone afterwards."""
    handle, path = tempfile.mkstemp(prefix="atelier-")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        yield path
    finally:
        os.unlink(path)
