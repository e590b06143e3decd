"""Where a verb's result goes: stdout or a file, always UTF-8 with "\\n". Knows no verb."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, TextIO

from engine.errors import BadFile

# A model, a title or a server's sentence may hold orders to the terminal: title, clipboard, what is on the screen
_ORDERS = {code: 0x2400 + code for code in range(32) if chr(code) not in "\t\n\r"}
_ORDERS |= {0x7F: 0x2421} | dict.fromkeys(range(0x80, 0xA0), 0xFFFD)


def harmless(text: str) -> str:
    """The text with a picture in place of each control character, but for tabs and line ends."""
    return text.translate(_ORDERS)


class Output:
    """The one place that verbs write to; `as_json` says what is wanted. Raises BadFile where a file cannot be written.

    PowerShell's `>` would write UTF-16, or what the console's code page leaves of the text: hence a file of our own.
    """

    def __init__(self, path: str | None, *, as_json: bool = False) -> None:
        self.as_json = as_json
        self._file = _open(path) if path else None
        if self._file is None and isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", errors="backslashreplace", newline="\n")

    def __enter__(self) -> Output:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        if self._file is not None:
            self._file.close()
        elif not isinstance(error, BrokenPipeError):
            sys.stdout.flush()

    def text(self, text: str) -> None:
        """Write the text at once, as it is; on a terminal without orders to it."""
        stream = self._stream
        stream.write(harmless(text) if self._file is None and stream.isatty() else text)
        stream.flush()

    def line(self, text: str = "") -> None:
        """Write a line."""
        self.text(text + "\n")

    def json(self, value: Any) -> None:
        """Write one JSON value."""
        self.line(json.dumps(value, ensure_ascii=False, indent=2))

    @property
    def _stream(self) -> TextIO:
        return self._file or sys.stdout


def _open(path: str) -> TextIO:
    try:
        return Path(path).open("w", encoding="utf-8", errors="backslashreplace", newline="\n")
    except OSError as error:
        raise BadFile(f"{path} cannot be written: {error.strerror}", path=path, reason=str(error.strerror)) from error
