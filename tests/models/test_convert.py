"""The converter found, checked and driven; a stand-in plays llama.cpp's script, since torch is not here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.engine import Engine
from engine.errors import AccessDenied, BadFile, BadParameter, DiskFull, JobFailed, ModelFileCorrupt, NotFound
from engine.models import convert as module
from engine.models import room
from engine.models.convert import (
    TASK,
    arguments,
    find_converter,
    how_to_get,
    hub_folder,
    require_converter,
    start_convert,
)
from engine.models.quantize import part_of
from engine.person import LOCAL_OWNER
from engine.settings import Settings
from engine.tasks import TaskRun
from tests.patience import JOB_S
from tests.standins import converter
from tests.standins.app_server import wait_for


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setattr(module.shutil, "which", lambda _: None)
    return Settings(home=tmp_path / "home", llama_cpp=tmp_path / "llama.cpp", job_nice=0)


@pytest.fixture
def script(settings: Settings) -> Path:
    assert settings.llama_cpp
    return converter.install(settings.llama_cpp)


def test_without_a_converter_the_commands_are_told(settings: Settings) -> None:
    assert find_converter(settings) is None
    with pytest.raises(NotFound, match="is not on this machine; get it with: git clone") as caught:
        require_converter(settings)
    clone, environment, install = caught.value.details["commands"]  # type: ignore[misc]
    assert str(settings.home / "llama.cpp") in clone and "venv" in environment
    assert "requirements-convert_hf_to_gguf.txt" in install


def test_a_converter_that_lacks_modules_says_which(settings: Settings) -> None:
    assert settings.llama_cpp
    converter.install(settings.llama_cpp, modules=("numpy",))
    found = find_converter(settings)
    assert found and not found.ready and found.missing == ("torch", "transformers")
    assert len(how_to_get(settings, found)) == 2  # it is there, so it is not fetched again
    with pytest.raises(NotFound, match="lacks torch, transformers"):
        require_converter(settings)


def test_a_folder_becomes_a_gguf_file(
    settings: Settings, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    folder = converter.hub_folder(tmp_path / "My Model")
    work = TaskRun(TASK, arguments(settings, folder, "BF16"), nice=0)
    progress = list(work)
    told = work.result
    target = settings.models_dir / "My_Model.BF16.gguf"
    assert told["path"] == str(target) and told["size"] == target.stat().st_size
    assert (told["architecture"], told["parameters"]) == ("llama", 10)
    assert (progress[-1].done, progress[-1].total) == (100, 100)
    seen = json.loads((script.parent / "seen.json").read_text())
    assert seen == {
        "args": [str(folder), "--outfile", str(part_of(target)), "--outtype", "bf16"], "token": None, "offline": "1",
    }  # fmt: skip
    assert not part_of(target).exists()
    with pytest.raises(BadFile, match="is there already"):
        arguments(settings, folder, "BF16")
    with pytest.raises(BadParameter):
        arguments(settings, folder, "Q4_K_M")


@pytest.mark.parametrize(("architecture", "error"), [("Unheard", JobFailed), ("Torn", ModelFileCorrupt)])
def test_what_goes_wrong_in_it_is_told_and_leaves_nothing(
    settings: Settings, script: Path, tmp_path: Path, architecture: str, error: type[Exception]
) -> None:
    args = arguments(settings, converter.hub_folder(tmp_path / "x", architecture), "F16")
    with pytest.raises(error, match="Unheard is not supported" if error is JobFailed else "gguf"):
        list(TaskRun(TASK, args, nice=0))
    assert [path.name for path in settings.models_dir.iterdir() if path.suffix != ".lock"] == []


def test_folders_that_cannot_be_converted_are_refused(tmp_path: Path) -> None:
    def refused(reason: str, folder: Path) -> None:
        with pytest.raises(BadFile) as caught:
            hub_folder(folder)
        assert caught.value.details["reason"] == reason

    refused("not_a_folder", tmp_path / "none")
    good = converter.hub_folder(tmp_path / "good")
    assert hub_folder(good).architecture == "LlamaForCausalLM" and hub_folder(good).size_bytes == 1000
    refused("program_code", converter.hub_folder(tmp_path / "a", auto_map={"AutoModel": "x.X"}))
    for name in ("tokenizer_config.json", "processor_config.json", "preprocessor_config.json"):
        (good / name).write_text('{"auto_map": {"AutoTokenizer": ["evil/repo--x.X", null]}}')
        refused("program_code", good)
        (good / name).write_text("[" * 100_000)
        refused("bad_config", good)
        (good / name).unlink()
    (good / "modeling.py").touch()
    refused("program_code", good)
    (good / "modeling.py").unlink()
    (good / "model.safetensors.index.json").write_text(
        '{"weight_map": {"a": "model.safetensors", "b": "absent.safetensors"}}'
    )
    refused("parts_missing", good)
    (good / "model.safetensors.index.json").write_text("[" * 100_000)
    refused("bad_index", good)
    (good / "model.safetensors.index.json").unlink()
    (good / "model.safetensors").rename(good / "pytorch_model.bin")
    refused("no_safetensors", good)
    (good / "tokenizer.json").unlink()
    refused("no_tokenizer", good)
    (good / "config.json").write_text("[]")
    refused("no_config", good)


def test_a_job_of_the_teacher_that_can_be_cancelled(
    settings: Settings, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = converter.hub_folder(tmp_path / "slow", pause=600)
    engine = Engine(settings)
    try:
        with pytest.raises(AccessDenied):
            start_convert(engine, LOCAL_OWNER, folder, "F16", role="student")
        job = start_convert(engine, LOCAL_OWNER, folder, "F16", role="teacher")
        assert wait_for(lambda: (script.parent / "seen.json").exists(), JOB_S)
        part = part_of(settings.models_dir / "slow.F16.gguf")
        assert wait_for(part.exists, JOB_S)
        engine.jobs.cancel(job.id, LOCAL_OWNER)
        assert wait_for(lambda: not part.exists(), JOB_S)
    finally:
        engine.close()


def test_the_disk_is_looked_at_first(
    settings: Settings, script: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    args = arguments(settings, converter.hub_folder(tmp_path / "x"), "F32")
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(DiskFull):
        list(module.convert(**args))
