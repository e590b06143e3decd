"""The verbs of the hub and of the converter, as typed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.models import convert as convert_module
from engine.models.download import SUFFIX
from tests.models.gguf_files import gguf
from tests.standins import converter
from tests.standins.app_server import free_port
from tests.standins.hub_server import TOKEN, Repository, hub_server

FILES = {"tiny-Q8_0.gguf": gguf(), "tiny-F16.gguf": gguf(data=4000)}


def told(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = main(arguments)
    out, err = capsys.readouterr()
    return code, out, err


def test_search_list_and_download(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, isolation: Path
) -> None:
    monkeypatch.setenv("HF_TOKEN", TOKEN)
    with hub_server(atelier__tiny=Repository(FILES, gated=True)) as server:
        monkeypatch.setenv("ATELIER_HUB", server.address)
        code, out, _ = told(capsys, "models", "search", "tiny")
        assert code == 0 and "atelier/tiny  size unknown  apache-2.0" in out and "gated" in out
        code, out, _ = told(capsys, "models", "search", "tiny", "--json")
        assert json.loads(out)[0]["id"] == "atelier/tiny"
        code, out, _ = told(capsys, "models", "download", "atelier/tiny", "--list")
        assert code == 0 and [line.split()[0] for line in out.splitlines()] == ["Q8_0", "F16"]
        code, out, _ = told(capsys, "models", "download", "atelier/tiny:F16", "--json")
        assert code == 0 and json.loads(out)["path"] == str(isolation / "models" / "tiny-F16.gguf")
        code, out, err = told(capsys, "models", "download", "atelier/tiny", "Q2_K")
        assert (code, out) == (2, "") and err.startswith("not_found: atelier/tiny has no GGUF file Q2_K")
        assert TOKEN not in out + err
        assert told(capsys, "models", "download")[0] == 2
        (isolation / "models" / f".x.gguf.0123456789ab{SUFFIX}").write_bytes(bytes(2_000_000))
        assert told(capsys, "models", "download", "--forget")[1] == "2.0 MB given back\n"


def test_without_a_network_and_with_a_wrong_name(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ATELIER_HUB", f"http://127.0.0.1:{free_port()}")
    code, _, err = told(capsys, "models", "search", "tiny")
    assert code == 3 and err.startswith("unreachable: 127.0.0.1:") and "import a GGUF file" in err
    assert told(capsys, "models", "download", "smollm2-360m-instruct")[0] == 3
    assert told(capsys, "models", "download", "nobody-has-this")[0] == 2


def test_the_curated_list_needs_no_network(capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(capsys, "models", "curated")
    assert code == 0 and "smollm2-1.7b-instruct" in out and "apache-2.0" in out
    assert len(json.loads(told(capsys, "models", "curated", "--json")[1])) > 10


def test_convert_says_what_is_missing_and_does_it_when_it_is_there(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path, isolation: Path
) -> None:
    monkeypatch.setattr(convert_module.shutil, "which", lambda _: None)
    folder = converter.hub_folder(tmp_path / "model")
    code, out, _ = told(capsys, "convert", "--check")
    assert code == 0 and out.startswith("llama.cpp's converter is not on this machine\ngit clone")
    code, _, err = told(capsys, "convert", str(folder))
    assert code == 2 and err.startswith("not_found: llama.cpp's converter is not on this machine")
    assert told(capsys, "convert")[0] == 2
    converter.install(isolation / "llama.cpp")
    assert json.loads(told(capsys, "convert", "--check", "--json")[1])["ready"] is True
    code, out, _ = told(capsys, "convert", str(folder), "--type", "Q8_0")
    assert code == 0 and str(isolation / "models" / "model.Q8_0.gguf") in out
