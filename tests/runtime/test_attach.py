from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from engine.errors import StreamCut, Unreachable
from engine.runtime import attach
from engine.runtime.client import LlamaServer
from engine.settings import Settings
from tests.standins.llama_server import BareServer

KEY = "key-of-a-process"


def test_what_is_written_is_read_and_private(tmp_path: Path) -> None:
    home = tmp_path / "data"
    written = attach.write(home, "http://127.0.0.1:8501/", KEY, ("a", "b"))
    assert attach.read(home) == written
    assert (written.address, written.pid) == ("http://127.0.0.1:8501", os.getpid())
    if sys.platform != "win32":
        assert (home / attach.FILE).stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.iterdir()] == [attach.FILE]
    attach.remove(home, written)
    assert attach.read(home) is None


def test_one_process_does_not_remove_the_announcement_of_another(tmp_path: Path) -> None:
    first = attach.write(tmp_path, "http://127.0.0.1:1", KEY, ())
    second = attach.write(tmp_path, "http://127.0.0.1:2", KEY, ())
    attach.remove(tmp_path, first)
    assert attach.read(tmp_path) == second


@pytest.mark.parametrize("change", ["gone", "another process with that number"])
def test_a_stale_file_is_ignored_and_removed(tmp_path: Path, change: str) -> None:
    attach.write(tmp_path, "http://127.0.0.1:1", KEY, ())
    data = json.loads((tmp_path / attach.FILE).read_text())
    if change == "gone":
        ended = subprocess.Popen([sys.executable, "-c", ""])
        ended.wait()
        data["pid"] = ended.pid
    else:
        data["started"] -= 100
    (tmp_path / attach.FILE).write_text(json.dumps(data))
    assert attach.read(tmp_path) is None
    assert not (tmp_path / attach.FILE).exists()


@pytest.mark.skipif(sys.platform == "win32", reason="modes say nothing there")
def test_a_file_that_others_could_have_written_is_ignored(tmp_path: Path) -> None:
    attach.write(tmp_path, "http://127.0.0.1:1", KEY, ())
    (tmp_path / attach.FILE).chmod(0o644)
    assert attach.read(tmp_path) is None
    (tmp_path / attach.FILE).chmod(0o600)
    (tmp_path / attach.FILE).rename(tmp_path / "elsewhere")
    (tmp_path / attach.FILE).symlink_to(tmp_path / "elsewhere")
    assert attach.read(tmp_path) is None


@pytest.mark.parametrize("text", ["", "{", "[]", '{"address": 1}', "\x00"])
def test_nonsense_is_no_announcement(tmp_path: Path, text: str) -> None:
    (tmp_path / attach.FILE).write_text(text)
    (tmp_path / attach.FILE).chmod(0o600)
    assert attach.read(tmp_path) is None


def test_nobody_attaches_to_themselves_or_to_a_model_that_is_not_served(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    assert attach.attached_runtime(settings, "a") is None
    attach.write(tmp_path, "http://127.0.0.1:1", KEY, ("a",))
    assert attach.attached_runtime(settings, "a") is None


def test_a_runtime_in_another_process_is_reached_below_its_path(tmp_path: Path) -> None:
    parent = psutil.Process(os.getppid())
    attach.write(tmp_path, "http://127.0.0.1:1/base", KEY, ("a",))
    data = json.loads((tmp_path / attach.FILE).read_text())
    data |= {"pid": parent.pid, "started": parent.create_time()}
    (tmp_path / attach.FILE).write_text(json.dumps(data))
    runtime = attach.attached_runtime(Settings(home=tmp_path), "a")
    assert runtime is not None
    assert runtime.address == "http://127.0.0.1:1/base/runtime/a"
    assert attach.attached_runtime(Settings(home=tmp_path), "b") is None
    assert list(runtime.ready()) == []
    cut = StreamCut(received=3)
    assert runtime.explain(cut) is cut
    assert runtime.state().name == "unreachable"


@pytest.mark.model
def test_it_tells_what_the_server_tells(bare_llama: BareServer) -> None:
    me = attach.Attach(bare_llama.address, bare_llama.key, os.getpid(), psutil.Process().create_time())
    runtime = attach.AttachedRuntime(me, "a")
    runtime.server = LlamaServer(bare_llama.address, bare_llama.key)
    assert (runtime.window, runtime.slots) == (bare_llama.window, bare_llama.slots)
    runtime.stop()


def test_a_process_that_has_ended_is_said_to_be_unreachable() -> None:
    runtime = attach.AttachedRuntime(attach.Attach("http://127.0.0.1:1", KEY, os.getpid(), 0.0), "a")
    explained = runtime.explain(StreamCut(received=3))
    assert isinstance(explained, Unreachable)
    assert explained.details["address"] == "http://127.0.0.1:1"
