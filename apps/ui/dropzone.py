"""A place to drop a model file, for both interfaces: its JSON, JavaScript and style. Knows neither framework.

The file goes from the browser to our own `/upload` (apps/upload.py), to disk as it comes; both frameworks' own uploads
keep or copy whole files.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.announce import root
from apps.options import Options
from apps.ui.i18n import Words
from engine.errors import EngineError, StreamCut, error_from

_FOLDER = Path(__file__).parent / "components"
_LABELS = ("drop", "sending", "megabytes", "sent", "broken", "cancel")


@dataclass(frozen=True)
class Ended:
    """How an upload ended, as a browser tells it: the file's name there, and what the server refused it for."""

    name: str
    error: EngineError | None


@functools.cache
def script() -> str:
    """JavaScript with the function `dropZone(root, data, report)`."""
    return (_FOLDER / "dropzone.js").read_text(encoding="utf-8")


@functools.cache
def style() -> str:
    """CSS for the element and what is in it."""
    return (_FOLDER / "dropzone.css").read_text(encoding="utf-8")


def drop_data(options: Options, words: Words, most: int) -> dict[str, Any]:
    """The JSON of the drop zone; `most` bytes are accepted."""
    slots = {"name": "{name}", "done": "{done}", "total": "{total}", "count": "{count}"}  # filled by the browser
    labels = {name: words.t(f"models_import.{name}", **slots) for name in _LABELS}
    help_ = words.t("models_import.drop_help", size=words.size(most))
    return {"url": f"{root(options)}/upload", "lang": words.lang, "labels": {**labels, "help": help_}}


def ended_of(told: Any) -> Ended | None:
    """How the upload ended; None for what is no such thing: a browser may say anything."""
    if not isinstance(told, Mapping) or not isinstance(told.get("name"), str):
        return None
    error = told.get("error")
    name = str(told["name"])[:200]
    if error is None:
        return Ended(name, None)
    try:
        return Ended(name, error_from(error))
    except (KeyError, TypeError, AttributeError, ValueError):
        return Ended(name, StreamCut(name, reason="unknown"))
