"""The child process of one sandboxed call: order in on standard input, one JSON line out. Knows not what it calls.

python -m engine.sandbox_child PARENT_PID  <<< '{"task": "package.module:function", "args": {…}, "limits": {…}}'
{"result": …}    or    {"error": {…}}    or    {"over": "memory" | "size" | "time"}
"""

from __future__ import annotations

import json
import sys
from importlib import import_module
from typing import Any

from engine import child
from engine.errors import EngineError


def main() -> None:
    """Do the one call that standard input names."""
    child.die_with_parent(int(sys.argv[1]))
    order = json.loads(sys.stdin.readline())
    out, sys.stdout = sys.stdout, sys.stderr
    limits = order["limits"]
    _limit(limits["cpu_s"], limits["memory_mib"])
    out.write(_answer(order["task"], order["args"], limits["characters"]) + "\n")
    out.flush()


def _answer(task: str, args: dict[str, Any], characters: int) -> str:
    module, _, function = task.partition(":")
    try:
        told = json.dumps({"result": getattr(import_module(module), function)(**args)})
    except EngineError as error:
        return json.dumps({"error": error.to_dict()})
    except MemoryError:
        return json.dumps({"over": "memory"})
    except RecursionError:
        return json.dumps({"over": "size"})
    return told if len(told) <= characters else json.dumps({"over": "size"})


def _limit(cpu_s: int, memory_mib: int) -> None:
    """Have the kernel end this process beyond that; Windows has no such limits, there the parent's clock ends it."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CPU, (cpu_s, cpu_s + 1))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    if sys.platform == "linux":  # macOS refuses it
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib * 2**20,) * 2)


if __name__ == "__main__":
    main()
