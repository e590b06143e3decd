"""The real worker with the real weights, in small windows: loaded once, killed, put to sleep, gone with its parent."""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine import child
from engine.backends.base import Control
from engine.errors import BadFile, EngineError, LoadFailed, ModelFileCorrupt, PromptTooLong, RuntimeDied, Unauthorized
from engine.models.bundled import bundled_file
from engine.runtime import life, statedir
from engine.runtime.client import LlamaServer
from engine.runtime.load import LoadParams
from engine.runtime.supervisor import LocalRuntime, Supervisor
from engine.settings import Settings
from engine.types import Loading
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.test_child import gone

pytestmark = pytest.mark.model

COUNT = {"prompt": "One, two, three,", "n_predict": 4, "temperature": 0}


def small(path: Path | None = None, **wishes: Any) -> LoadParams:
    return LoadParams(
        str(path or bundled_file()), **{"context": 512, "slots": 2, "threads": 1, "alias": "tiny", **wishes}
    )


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(Settings(home=tmp_path, prefix_mb=8))
    yield supervisor
    supervisor.close()


def load(runtime: LocalRuntime) -> list[Loading]:
    return list(runtime.ready())


def test_it_is_loaded_once_however_many_wait_and_tells_its_real_window(supervisor: Supervisor) -> None:
    runtime = supervisor.runtime(small())
    assert supervisor.runtime(small()) is runtime
    assert runtime.state().name == "unloaded"
    assert supervisor.running() == ()
    waits: list[list[Loading]] = []
    threads = [threading.Thread(target=lambda: waits.append(load(runtime))) for _ in range(5)]
    for thread in threads:
        thread.start()
    assert wait_for(lambda: runtime.state().name != "unloaded", SOON_S)
    for thread in threads:
        thread.join()
    assert len({runtime.pid for _ in waits}) == 1
    elapsed = [event.elapsed for event in max(waits, key=len)]
    assert elapsed[0] < SOON_S
    assert all(0 < later - earlier < SOON_S for earlier, later in itertools.pairwise(elapsed))
    assert (runtime.window, runtime.slots, runtime.load.gpu_layers) == (512, 2, 0)
    assert runtime.state().name == "ready"
    assert supervisor.running() == (runtime,)
    assert load(runtime) == []
    assert (runtime.memory() or 0) > 50 << 20
    assert any("model loaded" in line for line in runtime.log())


def test_its_server_answers_with_the_key_only(supervisor: Supervisor) -> None:
    runtime = supervisor.runtime(small())
    load(runtime)
    assert runtime.server.post("/completion", COUNT)["tokens_predicted"] == 4
    assert [slot["n_ctx"] for slot in runtime.server.get("/slots")] == [512, 512]
    stranger = LlamaServer(runtime.server.address)
    with pytest.raises(Unauthorized):
        stranger.get("/props")
    stranger.close()
    with pytest.raises(PromptTooLong) as caught:
        runtime.server.post("/completion", {"prompt": list(range(100, 612))})
    assert (caught.value.prompt_tokens, caught.value.window) == (512, 512)
    with runtime.gate.enter(range(100, 104)) as ticket:
        assert ticket.ready.result(SOON_S) in (0, 1)
        assert runtime.gate.snapshot().running == 1


def test_after_a_kill_the_error_names_it_and_the_next_question_is_answered(supervisor: Supervisor) -> None:
    runtime = supervisor.runtime(small())
    load(runtime)
    first, gate = runtime.pid, runtime.gate
    assert first
    waiting = [gate.enter(range(100, 104)) for _ in range(3)]
    stream = runtime.server.stream("/completion", {**COUNT, "n_predict": 400, "stream": True}, Control())
    next(stream)
    os.kill(first, signal.SIGKILL)
    with pytest.raises(EngineError) as cut:
        list(stream)
    died = runtime.explain(cut.value)
    assert isinstance(died, RuntimeDied)
    assert died.details == {"model": "tiny", "exit_code": -signal.SIGKILL}
    assert isinstance(waiting[2].ready.exception(SOON_S), RuntimeDied)
    assert runtime.state().name == "failed"
    assert load(runtime)
    assert runtime.pid != first
    assert runtime.gate is not gate
    assert isinstance(runtime.explain(cut.value), RuntimeDied)  # for a reader who asks after somebody else's restart
    assert runtime.server.post("/completion", COUNT)["tokens_predicted"] == 4
    other = LoadFailed("x", model="tiny", reason="x")
    assert runtime.explain(other) is other


def test_unloading_frees_the_memory_and_the_states_and_loads_again_when_asked(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    def folders() -> set[Path]:
        return {*statedir.MEMORY.glob(f"{statedir.PREFIX}{os.getpid()}-*"), *tmp_path.glob(f"{statedir.PREFIX}*")}

    others = folders()  # of a runtime that the tests of this process share
    runtime = supervisor.runtime(small())
    load(runtime)
    pid = runtime.pid
    assert pid
    states = folders() - others
    assert states
    runtime.stop()
    assert gone(pid, 0.5)  # when `stop` returns
    assert runtime.state().name == "unloaded"
    assert not any(folder.exists() for folder in states)
    load(runtime)
    assert runtime.state().name == "ready"


def test_idle_it_falls_asleep_and_wakes(tmp_path: Path) -> None:
    supervisor = Supervisor(Settings(home=tmp_path, idle_unload_s=60))
    runtime = supervisor.runtime(small())
    load(runtime)
    runtime.tend()
    assert runtime.state().name == "ready"
    with runtime.gate.enter(range(100, 104)) as ticket:
        ticket.ready.result(SOON_S)
        runtime._used -= 100
        runtime.tend()
        assert runtime.state().name == "ready"  # somebody is being answered
    runtime._used -= 100
    assert wait_for(lambda: runtime.state().name == "asleep", SOON_S)  # the keeper looks every second
    load(runtime)
    assert runtime.state().name == "ready"
    supervisor.close()
    with pytest.raises(LoadFailed, match="ending"):
        load(runtime)


def test_a_worker_that_hangs_is_ended_and_replaced(supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.runtime.supervisor.HEALTH_TIMEOUT_S", 0.1)
    monkeypatch.setattr("engine.runtime.supervisor.HEALTH_EVERY_S", 0.0)
    runtime = supervisor.runtime(small())
    load(runtime)
    first = runtime.pid
    assert first
    os.kill(first, signal.SIGSTOP)
    for _ in range(3):
        runtime.tend()
    assert wait_for(lambda: runtime.pid != first, SOON_S)
    load(runtime)
    assert runtime.pid != first


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, "a header needs 24"), (1000, "announced"), (50_000_000, "unfinished download"), (-1, "unfinished download")],
)
def test_a_truncated_file_is_told_at_once(supervisor: Supervisor, tmp_path: Path, size: int, reason: str) -> None:
    broken = tmp_path / "broken.gguf"
    with bundled_file().open("rb") as whole, broken.open("wb") as copy:
        copy.write(whole.read(3_000_000))  # the header; the rest may be a hole
        copy.truncate(size if size >= 0 else bundled_file().stat().st_size + size)
    runtime = supervisor.runtime(small(broken))
    with pytest.raises(ModelFileCorrupt, match=reason):
        load(runtime)
    assert runtime.state().name == "failed"


def test_nonsense_and_absence_are_told(supervisor: Supervisor, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.gguf"
    nonsense.write_bytes(b"GGUF" + bytes(range(256)) * 40)
    with pytest.raises(ModelFileCorrupt):
        load(supervisor.runtime(small(nonsense)))
    with pytest.raises(BadFile):
        load(supervisor.runtime(small(tmp_path / "absent.gguf")))
    with pytest.raises(BadFile):
        load(supervisor.runtime(small(tmp_path)))


def test_what_llama_cpp_refuses_comes_with_its_own_reason(supervisor: Supervisor, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.gguf"
    key = b"general.architecture" + (8).to_bytes(4, "little") + (5).to_bytes(8, "little")
    data = bundled_file().read_bytes().replace(key + b"llama", key + b"lamia")
    foreign.write_bytes(data)
    with pytest.raises(LoadFailed, match="lamia") as caught:
        load(supervisor.runtime(small(foreign)))
    assert "unknown model architecture" in str(caught.value.details["reason"])


def test_deaths_while_loading_end_in_an_error_and_no_storm(
    supervisor: Supervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[str] = []
    start = child.start

    def dying(module: str, **options: Any) -> subprocess.Popen[str]:
        started.append(module)
        process = start(module, **options)
        process.kill()
        return process

    monkeypatch.setattr(life.child, "start", dying)
    runtime = supervisor.runtime(small())
    with pytest.raises(LoadFailed, match="died 3 times") as caught:
        load(runtime)
    assert caught.value.details["exit_code"] == -signal.SIGKILL
    with pytest.raises(LoadFailed):
        load(runtime)
    assert len(started) == 3
    monkeypatch.setattr(life.child, "start", start)
    monkeypatch.setattr("engine.runtime.supervisor.STORM_S", 0.0)
    load(runtime)
    assert runtime.state().name == "ready"


def test_who_stops_does_not_wait_for_the_load(supervisor: Supervisor) -> None:
    runtime = supervisor.runtime(small())
    control = Control()
    waiting = runtime.ready(control)
    next(waiting)
    control.stop()
    assert len(list(waiting)) <= 1
    load(runtime)  # it goes on for whoever comes next


def test_unloaded_while_loading_those_who_wait_are_told(supervisor: Supervisor) -> None:
    runtime = supervisor.runtime(small())
    waiting = runtime.ready()
    next(waiting)
    runtime.stop()
    with pytest.raises(RuntimeDied):
        list(waiting)


PARENT = """
import sys, time
from pathlib import Path
from engine.runtime.load import LoadParams
from engine.runtime.supervisor import Supervisor
from engine.settings import Settings
if __name__ == "__main__":
    runtime = Supervisor(Settings(home=Path(sys.argv[1]))).runtime(LoadParams(sys.argv[2], context=512, slots=2))
    wait = runtime.ready()
    while sys.argv[3] == "loading" and not runtime.pid:
        next(wait)
    if sys.argv[3] != "loading":
        for _ in wait: pass
    print(runtime.pid, flush=True)
    if sys.argv[3] == "leave":
        sys.exit()
    time.sleep(60)
"""


@pytest.mark.parametrize("moment", ["ready", "loading"])
def test_the_worker_dies_with_a_parent_that_is_killed(tmp_path: Path, moment: str) -> None:
    arguments = [sys.executable, "-c", PARENT, str(tmp_path), str(bundled_file()), moment]
    parent = subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, cwd=child.ROOT)
    assert parent.stdout
    worker = int(parent.stdout.readline())
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert gone(worker, SOON_S)


def test_the_worker_goes_with_a_parent_that_leaves(tmp_path: Path) -> None:
    arguments = [sys.executable, "-W", "error", "-c", PARENT, str(tmp_path), str(bundled_file()), "leave"]
    left = subprocess.run(arguments, capture_output=True, text=True, cwd=child.ROOT, check=True, timeout=240)
    assert gone(int(left.stdout), SOON_S)
    assert left.stderr == ""
    assert not list(tmp_path.glob(f"{statedir.PREFIX}*"))
