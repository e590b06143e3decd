"""The child process of one task: what to do in on standard input, JSON lines out. Knows no queue and no store.

    python -m engine.job_child PARENT_PID  <<< '{"task": "package.module:function", "args": {…}, "nice": 19}'
    {"progress": [done, total]}
    {"result": …}    or    {"error": {"code", "message", "details", …}}

It lets others go first, as far as told, and ends with its parent. What a task prints goes to standard error.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Generator
from importlib import import_module
from typing import IO, Any

from engine import child
from engine.errors import EngineError
from engine.tasks import Progress

EVERY_S = 0.1  # more progress than that is not worth the time of those who show it


def main() -> None:
    """Do the one task that standard input names."""
    child.die_with_parent(int(sys.argv[1]))
    out, sys.stdout = sys.stdout, sys.stderr
    order = json.loads(sys.stdin.readline())
    child.give_way(order["nice"])
    child.exit_at_end_of_input()
    try:
        module, _, function = order["task"].partition(":")
        work = getattr(import_module(module), function)(**order["args"])
        _tell(out, {"result": _work_through(work, out)})
    except EngineError as error:
        _tell(out, {"error": error.to_dict()})


def _work_through(work: Generator[Progress, None, Any], out: IO[str]) -> Any:
    """What the generator returns; its progress is told on the way."""
    told = 0.0
    while True:
        try:
            progress = next(work)
        except StopIteration as end:
            return end.value
        if (now := time.monotonic()) - told >= EVERY_S or progress.done == progress.total:
            _tell(out, {"progress": [progress.done, progress.total]})
            told = now


def _tell(out: IO[str], message: dict[str, Any]) -> None:
    out.write(json.dumps(message) + "\n")
    out.flush()


if __name__ == "__main__":
    main()
