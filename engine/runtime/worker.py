"""The child process that hosts one llama.cpp server: wishes in on standard input, JSON lines out. Knows no supervisor.

    python -m engine.runtime.worker PARENT_PID  <<< '{"load": {…}, "key": "…", "slot_dir": "…" or null}'
    {"state": "ready", "address": "http://127.0.0.1:…", "gpu_layers": 0}
    {"state": "failed", "code": "model_file_corrupt", "message": "…", "details": {…}}

llama.cpp writes its log to standard error. The process ends with its parent or when its standard input is closed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from engine import child
from engine.errors import EngineError
from engine.models.gguf_header import read_header
from engine.runtime.load import LoadParams


def main() -> None:
    """Load, report, and stay until standard input ends; answers under way are cut then."""
    child.die_with_parent(int(sys.argv[1]))
    order = json.loads(sys.stdin.readline())
    life = child.exit_at_end_of_input()
    try:
        server, facts = _serve(**order)
    except EngineError as error:
        _tell({"state": "failed", **error.to_dict()})
        sys.exit(1)
    _tell({"state": "ready", "address": server.listening_address, **facts})
    life.join()


def _serve(load: dict[str, Any], key: str, slot_dir: str | None) -> tuple[Any, dict[str, Any]]:
    """The running server, and what only this process can tell of it. Raises ModelFileCorrupt, BadFile, LoadFailed."""
    wishes = LoadParams.from_dict(load)
    header = read_header(Path(wishes.path))  # llama.cpp trusts more of a damaged file than we do
    from engine.models.details import details
    from engine.models.memory import refuse_hopeless
    from engine.runtime import xllama

    gpu_layers = xllama.effective_gpu_layers(wishes, header.blocks or 0)
    if not gpu_layers:
        refuse_hopeless(details(Path(wishes.path)), wishes)
    server = xllama.serve(wishes, key, Path(slot_dir) if slot_dir else None)
    return server, {"gpu_layers": gpu_layers}


def _tell(message: dict[str, Any]) -> None:
    sys.stdout.write(json.dumps(message) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
