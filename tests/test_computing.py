"""What computes local models and what is chosen of it: threads, layers, device; slots and queue while they run."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine import Engine, Message, Params, Settings
from engine.computing import Choice
from engine.decided import decided
from engine.errors import AccessDenied, BadInput, LoadFailed
from engine.instances import configure, load, unload
from engine.models.configuration import Configuration
from engine.ps import Busy, busy, loaded
from engine.runtime.build import Build, Device, build, gpus_of
from engine.runtime.load import LoadParams
from tests.standins.app_server import wait_for

HI = [Message("user", "Tell a long story.")]
CPU, IGPU = Device("CPU", "a CPU", "CPU", 1), Device("Vulkan1", "inside", "IGPU", 1)
GPUS = (Device("CUDA0", "one", "GPU", 8), Device("CUDA1", "two", "GPU", 24))


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    settings = Settings(home=tmp_path, prepare=False, slots=2, threads=1, batch=32, window=4096)
    opened = Engine(settings, serve=True)
    yield opened
    opened.close()


def with_gpus(monkeypatch: pytest.MonkeyPatch, *devices: Device) -> None:
    monkeypatch.setattr("engine.computing.build", lambda: Build("1", "gcc", (), (CPU, *devices)))


def test_without_a_gpu_threads_alone_are_to_choose(engine: Engine) -> None:
    options = engine.computing.options()
    assert options.build == build() and options.threads == 1 and options.threads_max >= 1
    assert engine.computing.get() == Choice()
    if options.gpus:
        pytest.skip("this machine has a GPU that the build can use")
    for wrong in Choice(gpu_layers=4), Choice(device="CUDA0"), Choice(threads=0), Choice(threads=10_000):
        with pytest.raises(BadInput) as refused:
            engine.computing.set(wrong)
        assert refused.value.details["reason"].startswith("runtime_")
    with pytest.raises(AccessDenied):
        engine.computing.set(Choice(threads=1), "student")
    assert engine.computing.get() == Choice()


def test_llama_cpp_counts_a_gpu_inside_the_processor_only_where_it_is_the_only_one() -> None:
    assert gpus_of(Build("1", "", (), (CPU, IGPU, *GPUS))) == GPUS
    assert gpus_of(Build("1", "", (), (CPU, IGPU))) == (IGPU,)
    assert gpus_of(Build("1", "", (), (CPU,))) == ()


def test_a_choice_is_kept_and_a_models_own_configuration_wins(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    with_gpus(monkeypatch, *GPUS)
    monkeypatch.setattr("engine.computing.os.cpu_count", lambda: 8)
    card = engine.catalog.card(engine.settings.model)
    chosen = engine.computing.set(Choice(threads=3, gpu_layers=7, device="CUDA1"))
    assert engine.computing.get() == chosen
    params = engine.load_params(card)
    assert (params.threads, params.gpu_layers, params.device) == (3, 7, "CUDA1")
    told = {one.name: one for one in decided(engine, card.id)}
    assert (told["threads"].value, told["gpu_layers"].value, told["threads"].source) == (3, 7, "engine")
    configure(engine, card.id, Configuration.from_dict({"load": {"threads": 2, "gpu_layers": 0}}))
    params = engine.load_params(card)
    assert (params.threads, params.gpu_layers, params.device) == (2, 0, "CUDA1")
    engine.computing.set(Choice())
    assert engine.load_params(card).device is None


def test_a_device_is_given_to_llama_cpp_by_its_number(monkeypatch: pytest.MonkeyPatch) -> None:
    from engine.runtime import xllama

    kinds = xllama.xllamacpp.ggml_backend_dev_type
    rows = [{"name": "CPU", "type": kinds.GGML_BACKEND_DEVICE_TYPE_CPU}]
    monkeypatch.setattr(xllama.xllamacpp, "get_device_info", lambda: rows)
    with pytest.raises(LoadFailed, match="no GPU 'CUDA1'"):
        xllama.common_params(LoadParams("x.gguf", device="CUDA1"), "key", None)
    rows.append({"name": "Vulkan0", "type": kinds.GGML_BACKEND_DEVICE_TYPE_IGPU})
    assert xllama.common_params(LoadParams("x.gguf", device="Vulkan0"), "key", None).main_gpu == 0
    rows.extend({"name": name, "type": kinds.GGML_BACKEND_DEVICE_TYPE_GPU} for name in ("CUDA0", "CUDA1"))
    params = xllama.common_params(LoadParams("x.gguf", device="CUDA1"), "key", None)
    assert params.main_gpu == 1 and params.split_mode.name == "LLAMA_SPLIT_MODE_NONE"


def one(engine: Engine) -> Busy:
    (found,) = busy(engine)
    return found


def test_slots_and_queue_while_they_run_and_what_is_loaded_as_it_was(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert busy(engine) == () and "runtimes" not in engine.__dict__
    model = engine.model()
    load(engine, model.card.id)
    assert [slot.state for slot in one(engine).slots] == ["idle", "idle"] and not one(engine).waiting
    long = Params({"max_tokens": 3900})
    asked = [model.stream(HI, long, owner=owner, extra={"ignore_eos": True}) for owner in ("ann", "bob", "cem")]
    for running in asked:
        threading.Thread(target=lambda it=running: [None for _ in it], daemon=True).start()
    wait_for(lambda: any((slot.written or 0) > 0 for slot in one(engine).slots) and one(engine).waiting)
    now = one(engine)
    assert {slot.owner for slot in now.slots} | {now.waiting[0].owner} == {"ann", "bob", "cem"}
    assert all(slot.window == 4096 and (slot.prompt_tokens or 0) > 5 for slot in now.slots)
    assert now.waiting[0].tokens > 5 and now.to_dict()["slots"][0]["number"] == 0
    for running in asked:
        running.stop()
    wait_for(lambda: all(slot.state == "idle" and slot.owner is None for slot in one(engine).slots))

    assert engine.computing.outdated(engine) == ()
    monkeypatch.setattr("engine.computing.os.cpu_count", lambda: 8)
    engine.computing.set(Choice(threads=2))
    assert engine.computing.outdated(engine) == (model.card.id,)
    unload(engine, model.card.id)
    load(engine, model.card.id)
    assert [found.threads for found in loaded(engine)] == [2] and engine.computing.outdated(engine) == ()
