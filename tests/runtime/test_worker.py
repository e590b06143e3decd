"""The worker process by itself: one line in, one line out."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest

from engine import child
from engine.models.bundled import bundled_file
from engine.runtime.client import LlamaServer
from engine.runtime.load import LoadParams
from tests.patience import SOON_S

KEY = "key-of-a-test"


def finish(process: subprocess.Popen[str]) -> None:
    child.kill(process)
    process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        assert pipe
        pipe.close()


def answer(process: subprocess.Popen[str], load: dict[str, Any]) -> dict[str, Any]:
    assert process.stdin and process.stdout
    process.stdin.write(json.dumps({"load": load, "key": KEY, "slot_dir": None}) + "\n")
    process.stdin.flush()
    told: dict[str, Any] = json.loads(process.stdout.readline())
    return told


@pytest.mark.model
def test_it_says_where_it_listens_and_ends_with_its_input() -> None:
    process = child.start("engine.runtime.worker")
    assert process.stdin
    told = answer(process, LoadParams(str(bundled_file()), context=256, slots=1).to_dict())
    assert told["state"] == "ready"
    assert told["gpu_layers"] == 0
    server = LlamaServer(told["address"], KEY)
    assert server.get("/props")["default_generation_settings"]["n_ctx"] == 256
    server.close()
    process.stdin.close()
    assert process.wait(SOON_S) == 0
    finish(process)


@pytest.mark.parametrize(
    ("load", "code"),
    [({"path": "absent.gguf"}, "bad_file"), ({"path": ""}, "bad_parameter"), ({"shape": 1}, "bad_parameter")],
)
def test_it_says_what_is_wrong(load: dict[str, Any], code: str) -> None:
    process = child.start("engine.runtime.worker")
    told = answer(process, load)
    assert (told["state"], told["code"]) == ("failed", code)
    assert process.wait(SOON_S) == 1
    finish(process)


def test_it_imports_nothing_heavy() -> None:
    code = "import engine.runtime.worker, sys; print(*sorted(sys.modules))"
    listed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=child.ROOT, check=True)
    assert not {"pydantic", "sqlalchemy", "psutil", "numpy", "llama_cpp", "xllamacpp"} & set(listed.stdout.split())
