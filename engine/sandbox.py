"""One function called in a child process with limits on time, memory and output: for text of students that is code.

A function is named "package.module:function"; it takes and gives JSON values. Knows not what it does.
"""

from __future__ import annotations

import contextlib
import json
import subprocess
from dataclasses import asdict, dataclass
from typing import Any

from engine import child
from engine.errors import JobFailed, error_from


@dataclass(frozen=True)
class Limits:
    """What a call may use: seconds of processor, seconds in all, MiB of memory, characters of its result."""

    cpu_s: int = 3
    wall_s: float = 30.0
    memory_mib: int = 1024
    characters: int = 2_000_000


class OverLimit(JobFailed):
    """The call took too long or too much and was ended; `reason` is "time", "memory" or "size"."""

    code = "job_failed"


def call(task: str, args: dict[str, Any], limits: Limits | None = None) -> Any:
    """What the function returns. Raises what it raises (EngineError), OverLimit, JobFailed."""
    limits = limits or Limits()
    try:
        process = child.start("engine.sandbox_child")
    except OSError as error:
        raise JobFailed(f"{task}: {error}", job=task, reason=str(error)) from error
    order = json.dumps({"task": task, "args": args, "limits": asdict(limits)})
    with process:
        try:
            out, words = process.communicate(order + "\n", timeout=limits.wall_s)
        except subprocess.TimeoutExpired as error:
            raise _over(task, "time") from error
        finally:
            child.kill(process)
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(5)
    return _told(task, out, words, process.returncode)


def _told(task: str, out: str, words: str, code: int) -> Any:
    if not out.endswith("\n"):
        if code < 0 or "MemoryError" in words:  # a signal: out of processor time, or a crash for want of memory
            raise _over(task, "memory" if "MemoryError" in words or "bad_alloc" in words else "time")
        reason = next((line for line in reversed(words.splitlines()) if line.strip()), f"exit code {code}")
        raise JobFailed(f"{task}: {reason}", job=task, reason=reason, exit_code=code)
    told = json.loads(out)
    if "over" in told:
        raise _over(task, told["over"])
    if "error" in told:
        raise error_from(told["error"])
    return told["result"]


def _over(task: str, reason: str) -> OverLimit:
    return OverLimit(f"{task} went over its limit of {reason}", job=task, reason=reason)
