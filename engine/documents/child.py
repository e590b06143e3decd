"""The child process that reads one file or draws one page of it: what to do on standard input, JSON out. Its time and
memory are bounded.

    python -m engine.documents.child PARENT_PID  <<< '{"name", "path", "format"}'
    {"pages": […], "warnings": […], "unit": …}    or    {"error": {"code", "message", "details", …}}
    python -m engine.documents.child PARENT_PID  <<< '{"name", "path", "format": "pdf", "page", "before", "passage"}'
    {"png": base64, "width", "height", "marks"}    or    {"error": …}

It runs at its parent's priority, since a person waits.
"""

from __future__ import annotations

import json
import sys
import zipfile
import zlib
from dataclasses import asdict
from pathlib import Path
from typing import Any
from xml.parsers.expat import ExpatError

from engine import child
from engine.documents.archive import Archive
from engine.documents.document import Found, bounded
from engine.documents.formats import Format, bad
from engine.errors import EngineError

CPU_S = 30
MEMORY = 2**31  # bytes of address space: the interpreter, PDFium and the largest text that is kept
_BROKEN = (zipfile.BadZipFile, zlib.error, ExpatError, EOFError, ValueError, KeyError, IndexError, NotImplementedError,
           RecursionError, AssertionError, OSError)  # fmt: skip


def main() -> None:
    """Read the one file that standard input names."""
    child.die_with_parent(int(sys.argv[1]))
    _bound()
    order = json.loads(sys.stdin.readline())
    out, sys.stdout = sys.stdout, sys.stderr
    out.write(json.dumps(_answer(order)))
    out.flush()


def _answer(order: dict[str, Any]) -> dict[str, Any]:
    name, path = order["name"], order["path"]
    try:
        if "page" in order:
            from engine.documents.picture import draw

            return draw(name, path, order["page"], order["before"], order["passage"])
        return asdict(bounded(_read(name, path, order["format"])))
    except EngineError as error:
        return {"error": error.to_dict()}
    except MemoryError:
        return {"error": bad(name, "too_much").to_dict()}
    except _BROKEN as error:
        return {"error": bad(name, "broken").to_dict() | {"message": f"{name}: {error}"}}


def _read(name: str, path: str, kind: Format) -> Found:
    """Each reader is imported for its own format: a child lives for one file."""
    if kind == "pdf":
        from engine.documents.pdf import read_pdf

        return read_pdf(name, path)
    if kind == "html":
        from engine.documents.markup import read_html

        return read_html(name, Path(path).read_bytes())
    with Archive(name, path) as archive:
        return _read_archive(archive, kind)


def _read_archive(archive: Archive, kind: Format) -> Found:
    if kind == "epub":
        from engine.documents.markup import read_epub

        return read_epub(archive)
    if kind == "xlsx":
        from engine.documents.sheets import read_xlsx

        return read_xlsx(archive)
    from engine.documents.office import read_docx, read_open_document, read_pptx

    if kind in ("docx", "pptx"):
        return read_docx(archive) if kind == "docx" else read_pptx(archive)
    return read_open_document(archive, kind)


def _bound() -> None:
    """Limits of the kernel, where it has some that hold (Linux); elsewhere the parent's clock and the bounds on
    unpacked bytes remain.
    """
    if sys.platform == "linux":
        import resource

        resource.setrlimit(resource.RLIMIT_CPU, (CPU_S, CPU_S + 1))
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


if __name__ == "__main__":
    main()
