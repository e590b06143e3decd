"""One piece of heavy work in a niced child process: started, watched, cancelled. Knows no owner and no queue.

A task is a generator function, named "package.module:function", that takes JSON values, yields Progress and returns a
JSON value. It may be killed at any moment.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import threading
from collections import deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from engine import child
from engine.errors import BadInput, JobFailed, error_from

LAST_WORDS = 20  # lines of standard error that are kept


@dataclass(frozen=True)
class Progress:
    """So much is `done` of `total`, in the task's own unit; `total` None is unknown."""

    done: float
    total: float | None = None


class TaskRun:
    """One run of a task. Iterate it once, in one thread, for its Progress; then `result` is there. `secrets` are
    arguments that nothing records; `nice` is its niceness.
    """

    def __init__(
        self,
        task: str,
        args: Mapping[str, Any],
        secrets: Mapping[str, Any] | None = None,
        nice: int = child.LOWEST_NICE,
    ) -> None:
        module, colon, function = task.partition(":")
        if not colon or not all(part.isidentifier() for part in (*module.split("."), function)):
            raise BadInput(f"not a task: {task!r}", task=task)
        self.task = task
        self.args = dict(args)
        self._secrets = dict(secrets or {})
        self._nice = nice
        self.result: Any = None
        self.cancelled = False
        self._process: subprocess.Popen[str] | None = None
        self._lock = threading.Lock()
        self._words: deque[str] = deque(maxlen=LAST_WORDS)

    def __iter__(self) -> Iterator[Progress]:
        """Progress as it is told, until the child has ended.

        Raises what the task raised (EngineError), JobFailed where the child died or told nothing. Ends quietly when
        cancelled.
        """
        process = self._start()
        if process is None:
            return
        listener = threading.Thread(target=self._listen, args=(process,), name="task-errors", daemon=True)
        listener.start()
        ending: dict[str, Any] = {}
        try:
            for told in self._messages(process):
                if "progress" in told:
                    yield Progress(*told["progress"])
                else:
                    ending = told
            process.wait()
        finally:
            child.kill(process)
            process.wait()
            listener.join(1)
            _close(process)
        if not self.cancelled:
            self._finish(ending, process.returncode)

    def cancel(self) -> None:
        """Kill the child and all that it started, at once; from any thread, before or after its start too."""
        with self._lock:
            self.cancelled = True
            process = self._process
        if process is not None:
            child.kill(process)

    def _start(self) -> subprocess.Popen[str] | None:
        with self._lock:
            if not self.cancelled:
                try:
                    self._process = child.start("engine.job_child", background=True)
                except OSError as error:
                    raise JobFailed(f"{self.task}: {error}", job=self.task, reason=str(error)) from error
            return self._process

    def _messages(self, process: subprocess.Popen[str]) -> Iterator[dict[str, Any]]:
        assert process.stdin and process.stdout
        with contextlib.suppress(BrokenPipeError):  # it died at birth, which the missing answer says
            order = {"task": self.task, "args": self.args | self._secrets, "nice": self._nice}
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        for line in process.stdout:
            if line.endswith("\n"):  # else it was killed within the line
                yield json.loads(line)

    def _finish(self, ending: Mapping[str, Any], code: int) -> None:
        if "error" in ending:
            raise error_from(ending["error"])
        if "result" not in ending:
            reason = next((line for line in reversed(self._words) if line.strip()), f"exit code {code}")
            raise JobFailed(f"{self.task}: {reason}", job=self.task, reason=reason, exit_code=code)
        self.result = ending["result"]

    def _listen(self, process: subprocess.Popen[str]) -> None:
        assert process.stderr
        for line in process.stderr:
            self._words.append(line.rstrip("\n"))


def run(task: str, args: Mapping[str, Any]) -> Any:
    """The result of a task that nobody watches. Raises EngineError."""
    work = TaskRun(task, args)
    for _ in work:
        pass
    return work.result


def _close(process: subprocess.Popen[str]) -> None:
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            with contextlib.suppress(OSError):  # the other end is gone
                pipe.close()
