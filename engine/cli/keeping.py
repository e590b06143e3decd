"""What the verbs that measure keep, and list: the results of the person at this machine. Knows no measurement."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import closing
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.asking import file_bytes
from engine.cli.output import Output, harmless
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.quality.results import Kind, Results


def keep(kind: Kind, title: str, result: Mapping[str, Any]) -> None:
    """Keep a result, once it has been written. Raises StoreFailed, BadInput where it is too large."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        _results(engine).keep(kind, title, result)


def list_kept(kind: Kind, out: Output) -> int:
    """Exit code 0, once the kept results of this kind are written, newest first."""
    from engine.engine import Engine

    with closing(Engine()) as engine:
        found = _results(engine).list(kind)
    if out.as_json:
        out.json([asdict(one) for one in found])
    else:
        for one in found:
            out.line(harmless(one.name))
    return 0


def kept_or_file(kind: Kind, name: str) -> bytes | dict[str, Any]:
    """The bytes of a file of that name, else the kept result whose name begins so, the newest of several.

    Raises BadFile for a file that cannot be read, NotFound.
    """
    from engine.engine import Engine

    if Path(name).exists():
        return file_bytes(name)
    with closing(Engine()) as engine:
        results = _results(engine)
        full = next((one.name for one in results.list(kind) if one.name.startswith(name)), name)
        return results.get(kind, full)


def _results(engine: Engine) -> Results:
    from engine.quality.results import Results

    return Results(engine.library, LOCAL_OWNER)
