"""`models`: list, show, import, folders, in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.models.bundled import bundled_file
from engine.settings import Settings
from tests.models import gguf_files as make

Run = Callable[..., Any]


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str]) -> Run:
    """What the command printed; JSON parsed. With `fails`, what it said on stderr and its exit code."""

    def call(*arguments: str, fails: int = 0) -> Any:
        code = main(arguments)
        captured = capsys.readouterr()
        assert code == fails, captured.err
        if fails:
            return captured.err
        return json.loads(captured.out) if "--json" in arguments else captured.out

    return call


def test_what_was_found_where_is_listed_and_what_is_broken(run: Run, tmp_path: Path) -> None:
    store = Path.home() / ".lmstudio/models/a/b"
    store.mkdir(parents=True)
    (store / "one.gguf").write_bytes(make.gguf())
    (store / "two.gguf").write_bytes(make.gguf())
    (store / "lost.gguf").symlink_to(tmp_path / "nowhere")
    told = run("models", "list", "--json", "--duplicates")
    assert [(card["id"], card["kind"]) for card in told["models"]][1:3] == [("one", "chat"), ("two", "chat")]
    assert told["troubles"][0]["reason"] == "a link that leads nowhere"
    assert [sorted(Path(path).name for path in group) for group in told["duplicates"]] == [["one.gguf", "two.gguf"]]
    assert run("models", "--json")["models"] == told["models"]
    text = run("models", "list", "--duplicates")
    assert "lmstudio" in text and "a link that leads nowhere" in text and "the same bytes: " in text


def test_a_card_with_memory(run: Run) -> None:
    told = run("models", "show", "smollm2-135m-instruct", "--context", "8192", "--slots", "2", "--sha256", "--json")
    assert (told["architecture"], told["parameters"], told["trained_context"]) == ("llama", 134515008, 8192)
    assert told["memory"]["kv"] == 2 * 188_743_680 and told["memory"]["fits"] in (True, False)
    assert len(told["sha256"]) == 64 and Path(told["path"]).name == bundled_file().name
    text = run("models", "show", "smollm2-1.7b-instruct", "--kv-type", "q8_0")
    assert "<|im_end|>" in text and "memory total" in text and told["sha256"] in text  # which is known by now
    assert "{%" in run("models", "show", "smollm2-135m-instruct", "--template")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("show", "echo"), "not_supported: echo has no file"),
        (("show", "nobody"), "unknown_model"),
        (("show", "smollm2-135m-instruct", "--kv-type", "q3"), "bad_parameter"),
        (("import", "no/such/file"), "bad_file: no/such/file is no file"),
        (("folders", "add"), "bad_input: models folders add needs a folder"),
        (("folders", "remove", "/nowhere"), "not_found"),
    ],
)
def test_what_cannot_be_done(run: Run, arguments: tuple[str, ...], said: str) -> None:
    assert run("models", *arguments, fails=2).startswith(said)


def test_a_file_is_imported_under_its_own_or_another_name(run: Run, tmp_path: Path) -> None:
    source = tmp_path / "Tiny.gguf"
    source.write_bytes(make.gguf())
    told = run("models", "import", str(source), "--json")
    assert (told["id"], Path(told["path"])) == ("tiny", Settings().models_dir / "Tiny.gguf")
    assert run("models", "import", str(source), "--name", "../other").startswith("other  ")
    source.write_bytes(b"GGUX")
    assert run("models", "import", str(source), fails=3).startswith("model_file_corrupt: Tiny.gguf is not a sound GGUF")


def test_folders_are_added_listed_and_removed(run: Run, tmp_path: Path) -> None:
    (tmp_path / "t.gguf").write_bytes(make.gguf())
    assert str(tmp_path) in run("models", "folders", "add", str(tmp_path))
    assert {"source": "folder", "path": str(tmp_path), "exists": True} in run("models", "folders", "--json")
    assert "t" in [card["id"] for card in run("models", "--json")["models"]]
    assert str(tmp_path) not in run("models", "folders", "remove", str(tmp_path))
