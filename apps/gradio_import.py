"""Importing Gradio in three quarters of the time. Knows nothing of what is done with it."""

from __future__ import annotations

import importlib
import inspect
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

_LOCK = threading.Lock()


def import_gradio() -> None:
    """Import Gradio. Without this, it parses every component's source at each import to write type stubs beside it:
    1.5 of 7 seconds of processor time, and files changed inside the environment.
    """
    with without_stubs():
        importlib.import_module("gradio")


@contextmanager
def without_stubs() -> Iterator[None]:
    """While it lasts, Gradio's own classes have no source file for `inspect.getfile`; Gradio then writes no stub."""
    with _LOCK:
        real = inspect.getfile

        def getfile(thing: Any) -> str:
            if isinstance(thing, type) and thing.__module__.startswith("gradio."):
                raise OSError("no stub wanted")
            return real(thing)

        inspect.getfile = getfile
        try:
            yield
        finally:
            inspect.getfile = real
