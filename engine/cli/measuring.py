"""What the verbs that measure a model share: its file, the task in a child with its progress. Knows no measurement."""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from contextlib import closing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from engine.tasks import TaskRun


def files_of(*models: str | None) -> tuple[list[str], int]:
    """The GGUF files of these paths, ids or aliases (None: the default model), and how many threads read them.

    Raises UnknownModel, BadFile, NotSupported for a model that is not local.
    """
    from engine.engine import Engine
    from engine.quality.weights import served_file

    with closing(Engine()) as engine:
        return [str(served_file(engine, model)) for model in models], engine.settings.threads


def measured(
    task: str, args: Mapping[str, Any], secrets: Mapping[str, Any] | None = None, unit: str = ""
) -> dict[str, Any]:
    """The task's result; on a terminal with a line of progress that is written over. Ctrl-C ends the child.

    `secrets` are arguments that nothing records. With `unit` "MB" the progress is in bytes.
    """
    from engine.settings import Settings
    from engine.tasks import TaskRun

    work, started = TaskRun(task, args, secrets, Settings().job_nice), time.monotonic()
    shown = sys.stderr.isatty()
    try:
        _follow(work, started, shown, unit)
    except KeyboardInterrupt:
        work.cancel()
        raise
    finally:
        if shown:
            sys.stderr.write("\r\x1b[K")
    result: dict[str, Any] = work.result
    return result


def _follow(work: TaskRun, started: float, shown: bool, unit: str) -> None:
    scale, named = (1e6, " MB") if unit == "MB" else (1, unit and f" {unit}")
    for progress in work:
        if shown and progress.total:
            spent = time.monotonic() - started
            left = f", {spent * (progress.total - progress.done) / progress.done:.0f} s left" if progress.done else ""
            sys.stderr.write(f"\r{progress.done / scale:.0f} of {progress.total / scale:.0f}{named}{left}\x1b[K")
            sys.stderr.flush()
