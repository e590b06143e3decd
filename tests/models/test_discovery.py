"""Files are found in each program's own layout, once each; what is broken is told and hides nothing else."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from engine.catalog import BUNDLED, Catalog
from engine.engine import Engine
from engine.errors import AccessDenied
from engine.models.bundled import bundled_file
from engine.models.discovery import FoundFile, discover, survey
from engine.models.identity import ids_of
from engine.settings import Settings
from tests.models import gguf_files as make

TINY = make.gguf()
EMBEDDER = make.gguf(fields=[make.string("general.architecture", "bert"), make.u32("bert.context_length", 512)])


def put(path: Path, data: bytes = TINY) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)
    return path


@pytest.fixture
def home() -> Path:
    return Path.home()  # of this test alone


def found(*folders: Path) -> list[tuple[str, str]]:
    return [(file.source, file.name) for file in discover(Settings(), folders)]


def ollama(root: Path, name: str, data: bytes, digest: str = "ab" * 32, **layers: str) -> Path:
    """A model as Ollama keeps it: the manifest under its name, the weights as a blob."""
    described = [{"mediaType": "application/vnd.ollama.image.model", "digest": f"sha256:{digest}", "size": len(data)}]
    described += [{"mediaType": kind, "digest": f"sha256:{other}"} for kind, other in layers.items()]
    manifest = {"schemaVersion": 2, "config": {"digest": "sha256:" + "00" * 32}, "layers": described}
    put(root / "manifests" / name, json.dumps(manifest).encode())
    return put(root / "blobs" / f"sha256-{digest}", data)


def test_nothing_is_there_at_first() -> None:
    assert survey(Settings()) == survey(Settings(), ()) and found() == []


def test_every_programs_own_layout(home: Path, tmp_path: Path) -> None:
    put(Settings().models_dir / "own.gguf")
    put(home / ".lmstudio/models/lmstudio-community/Qwen-GGUF/Qwen-Q8_0.gguf")
    put(home / ".cache/lm-studio/models/old/Old-GGUF/old.gguf")
    blob = ollama(home / ".ollama/models", "registry.ollama.ai/library/llama3.2/1b", TINY)
    ollama(home / ".ollama/models", "hf.co/unsloth/gemma/Q4_K_M", TINY, "cd" * 32)
    snapshot = home / ".cache/huggingface/hub/models--Qwen--Q-GGUF/snapshots/abc/q.gguf"
    put(home / ".cache/huggingface/hub/models--Qwen--Q-GGUF/blobs" / ("ef" * 32))
    snapshot.parent.mkdir(parents=True)
    snapshot.symlink_to("../../blobs/" + "ef" * 32)
    put(home / ".cache/llama.cpp/ggml-org_model.gguf")
    put(tmp_path / "shelf/deep/er/added.GGUF")
    files = {(file.source, file.name): file for file in discover(Settings(), [tmp_path / "shelf"])}
    assert list(files) == [
        ("own", "own"),
        ("lmstudio", "Qwen-Q8_0"),
        ("lmstudio", "old"),
        ("ollama", "hf.co/unsloth/gemma:Q4_K_M"),
        ("ollama", "llama3.2:1b"),
        ("huggingface", "q"),
        ("llamacpp", "ggml-org_model"),
        ("folder", "added"),
    ]
    assert files["ollama", "llama3.2:1b"].path == blob
    assert all((file.size_bytes, file.problem, len(file.parts)) == (len(TINY), None, 1) for file in files.values())


def test_places_that_the_environment_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", str(tmp_path / "o"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "h"))
    monkeypatch.setenv("LLAMA_CACHE", str(tmp_path / "l"))
    ollama(tmp_path / "o", "registry.ollama.ai/me/own/latest", TINY)
    put(tmp_path / "h/models--a--b/snapshots/1/x.gguf")
    put(tmp_path / "l/y.gguf")
    assert found() == [("ollama", "me/own:latest"), ("huggingface", "x"), ("llamacpp", "y")]


def test_one_file_is_found_once_however_many_ways_lead_to_it(home: Path, tmp_path: Path) -> None:
    file = put(home / ".lmstudio/models/a/b/c.gguf")
    (tmp_path / "link.gguf").symlink_to(file)
    prepared = put(Settings().models_dir / "prepared" / "SmolLM2-135M-Instruct.Q8_0.gguf")
    folders = [tmp_path, home / ".lmstudio/models", bundled_file().parent, prepared.parent]
    assert found(*folders) == [("lmstudio", "c")]  # and the bundled weights never


def test_several_parts_are_one_model(tmp_path: Path) -> None:
    for number in (2, 1, 3):
        put(tmp_path / f"big-{number:05}-of-00003.gguf")
    put(tmp_path / "half-00002-of-00002.gguf")
    whole, half = discover(Settings(), [tmp_path])
    if whole.name != "big":
        whole, half = half, whole
    assert whole.path.name == "big-00001-of-00003.gguf" and whole.size_bytes == 3 * len(TINY)
    assert [part.name[4:9] for part in whole.parts] == ["00001", "00002", "00003"] and whole.problem is None
    assert half.problem == "part 1 of 2 is missing"


def test_what_is_broken_is_told_and_hides_nothing(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "good.gguf")
    (tmp_path / "gone.gguf").symlink_to(tmp_path / "nowhere")
    (tmp_path / "circle").symlink_to(tmp_path)
    store = home / ".ollama/models"
    ollama(store, "registry.ollama.ai/library/good/latest", TINY)
    ollama(store, "registry.ollama.ai/library/lost/latest", TINY, "cd" * 32).unlink()
    for number, text in enumerate((b"{", b"[]", b'{"layers": [3]}', b"[" * 100_000, b'{"layers": null}')):
        put(store / f"manifests/registry.ollama.ai/library/bad/{number}", text)
    put(store / "manifests/registry.ollama.ai/library/evil/1", json.dumps({"layers": [
        {"mediaType": "application/vnd.ollama.image.model", "digest": "sha256:../../../../etc/passwd"}
    ]}).encode())  # fmt: skip
    told = survey(Settings(), [tmp_path, tmp_path / "unplugged"])
    assert [file.name for file in told.files] == ["good:latest", "good"]
    reasons = {trouble.path.name: trouble.reason for trouble in told.troubles}
    assert reasons.pop("gone.gguf") == "a link that leads nowhere"
    assert reasons.pop("unplugged") == "no such folder"
    assert reasons.pop("sha256-" + "cd" * 32) == "No such file or directory"
    assert set(reasons.values()) == {"no manifest of a model"} and set(reasons) == set("01234")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_pipes_are_told_and_not_waited_for(home: Path, tmp_path: Path) -> None:
    put(tmp_path / "good.gguf")
    manifest = home / ".ollama/models/manifests/registry.ollama.ai/library/pipe/latest"
    manifest.parent.mkdir(parents=True)
    pipes = [manifest, tmp_path / "pipe.gguf"]
    for pipe in pipes:
        os.mkfifo(pipe)
    told = survey(Settings(), [tmp_path])
    assert [file.name for file in told.files] == ["good"]
    assert {trouble.path: trouble.reason for trouble in told.troubles} == dict.fromkeys(pipes, "no regular file")


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="nothing is unreadable to root, or on Windows by mode")
def test_an_unreadable_folder_is_told(tmp_path: Path) -> None:
    put(tmp_path / "a.gguf")
    put(tmp_path / "locked/b.gguf").parent.chmod(0)
    told = survey(Settings(), [tmp_path])
    (tmp_path / "locked").chmod(0o700)
    assert [file.name for file in told.files] == ["a"] and told.troubles[0].reason == "Permission denied"


def test_a_whole_disk_is_not_read_to_its_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("engine.models.discovery.ENTRIES_MAX", 5)
    for number in range(9):
        put(tmp_path / f"{number}.gguf")
    told = survey(Settings(), [tmp_path])
    assert len(told.files) == 5 and "name a smaller folder" in told.troubles[0].reason


# --- in the catalogue


def test_found_files_are_models_with_ids_of_their_own(home: Path) -> None:
    for path in (".lmstudio/models/a/b/Tiny.gguf", ".lmstudio/models/c/d/tiny.gguf", ".cache/llama.cpp/Tiny.gguf"):
        put(home / path)
    put(Settings().models_dir / "Tiny.gguf")
    ollama(home / ".ollama/models", "registry.ollama.ai/me/own@x/1b", TINY)
    catalog = Catalog(Settings())
    ids = [card.id for card in catalog.cards()]
    assert ids[:3] == [BUNDLED, "tiny", "tiny-lmstudio"] and ids[-1] == "echo" and len(set(ids)) == len(ids) == 7
    assert ids[3].startswith("tiny-lmstudio-") and ids[4:6] == ["me-own-x:1b", "tiny-llamacpp"]
    assert [catalog.card(name).id for name in ids] == ids == [card.id for card in Catalog(Settings()).cards()]
    card = catalog.card("me-own-x:1b")
    assert (card.name, card.source, card.quantization, card.window) == ("me/own@x:1b", "ollama", "Q8_0", 2048)


def test_ids_never_meet() -> None:
    def file(name: str, path: str) -> FoundFile:
        return FoundFile(Path(path), "folder", name, (Path(path),), 1)

    files = [
        file("echo", "/1"),
        file("a b", "/2"),
        file("A/B", "/3"),
        file("a-b", "/4"),
        file("a-b", "/4"),
        file("", "/5"),
    ]
    assert len(set(ids_of(files, taken=("echo",)))) == len(files)


def test_files_for_embedding_are_not_asked_to_chat(tmp_path: Path) -> None:
    put(tmp_path / "e.gguf", EMBEDDER)
    put(tmp_path / "mmproj.gguf", make.gguf(fields=[make.string("general.architecture", "clip")]))
    catalog = Catalog(Settings(), folders=lambda: [tmp_path])
    assert {card.id: card.kind for card in catalog.cards()} == {
        BUNDLED: "chat", "e": "embedding", "mmproj": "projector", "echo": "chat",
    }  # fmt: skip


def test_a_real_file_comes_before_the_sheets_name_for_another(home: Path) -> None:
    put(home / ".lmstudio/models/a/b/SmolLM2-1.7B-Instruct.gguf")
    assert Catalog(Settings()).card("smollm2-1.7b-instruct").source == "lmstudio"


def test_other_folders_are_looked_at_again_when_told(home: Path) -> None:
    catalog = Catalog(Settings())
    assert len(catalog.cards()) == 2
    put(home / ".lmstudio/models/a/b/new.gguf")
    catalog.look_again()
    assert len(catalog.cards()) == 3


def test_headers_are_remembered_until_a_file_changes(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = put(home / ".cache/llama.cpp/a.gguf")
    assert Catalog(Settings()).card("a").quantization == "Q8_0"
    with monkeypatch.context() as patch:  # another process
        patch.setattr("engine.models.facts.read_header", lambda path: pytest.fail("was read"))
        assert Catalog(Settings()).card("a").quantization == "Q8_0"
    put(path, make.gguf(fields=[make.u32("general.file_type", 2), make.string("general.name", "Another")]))
    assert Catalog(Settings()).card("a").quantization == "Q4_0"
    put(path, b"GGUF")
    assert "has 4 bytes" in str(Catalog(Settings()).card("a").problem)


@pytest.mark.parametrize("text", [b"", b"[]", b"{", b'{"x": 3}', b'{"x": [1, 2, {"kind": "evil"}]}', b"[" * 100_000])
def test_a_damaged_note_is_written_anew(home: Path, text: bytes) -> None:
    put(home / ".cache/llama.cpp/a.gguf")
    put(Settings().models_dir / "headers.json", text)
    assert Catalog(Settings()).card("a").quantization == "Q8_0"
    assert "Q8_0" in (Settings().models_dir / "headers.json").read_text()


def test_a_student_loads_no_file_of_another_program_that_the_teacher_has_not_opened(home: Path) -> None:
    put(home / ".lmstudio/models/a/b/huge.gguf")
    put(Settings().models_dir / "own.gguf")
    engine = Engine(Settings())
    try:
        with pytest.raises(AccessDenied, match="huge is the teacher's"):
            engine.model("huge", role="student")
        assert engine.model("own", role="student").card.id == "own"
        opened = engine.model("huge")
        assert engine.model("huge", role="student") is opened
    finally:
        engine.close()
