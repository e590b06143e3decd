"""The flags of the form: preset, schema, grammar, template."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.engine import Engine
from engine.params import Params
from engine.presets import Preset, write_preset


def run(*arguments: str) -> int:
    """The exit code of the command line."""
    return main(list(arguments))


def test_a_preset_is_taken_and_flags_go_before_it(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.json"
    file.write_bytes(write_preset(Preset("p", "Rhyme.", Params(max_tokens=2, stop=["zzz"]).changed())))
    assert run("chat", "one two three four", "-m", "echo", "--preset", str(file)) == 0
    assert len(capsys.readouterr().out.split()) == 2
    assert run("chat", "one two three four", "-m", "echo", "--preset", str(file), "-n", "3") == 0
    assert len(capsys.readouterr().out.split()) == 3


def test_what_a_preset_has_besides_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.json"
    file.write_text(json.dumps({"name": "p", "operation": {"fields": [{"key": "llm.prediction.tools", "value": 1}]}}))
    assert run("chat", "hi", "-m", "echo", "--preset", str(file)) == 0
    assert "llm.prediction.tools" in capsys.readouterr().err


def test_a_raw_text_takes_a_preset_too(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "p.json"
    kept = Preset("p", "Rhyme.", Params(max_tokens=3, stop=["zzz"]).changed(), {"template": "chatml"})
    file.write_bytes(write_preset(kept))
    assert run("complete", "-p", "one two three four", "-m", "echo", "--preset", str(file), "--json") == 0
    told = json.loads(capsys.readouterr().out)
    assert len(told["text"].split()) == 3 and told["prompt"] == "one two three four"
    assert run("complete", "-p", "one", "-m", "echo", "--grammar", "yes-no") == 2
    assert capsys.readouterr().err.startswith("not_supported: ")


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        (["--grammar", "nowhere.gbnf"], "bad_file"),
        (["--json-schema", "{bad}"], "bad_grammar"),
        (["--grammar", "yes-no"], "not_supported"),
        (["--template", "nowhere.jinja"], "bad_input"),
        (["--preset", "{bad}"], "bad_input"),
    ],
)
def test_what_cannot_be_used(flags: list[str], code: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    bad = tmp_path / "bad"
    bad.write_text("{")
    given = [str(bad) if flag == "{bad}" else flag for flag in flags]
    assert run("chat", "hi", "-m", "echo", *given) == 2
    assert code in capsys.readouterr().err


@pytest.mark.model
def test_the_real_model_obeys_and_is_judged(
    engine: Engine, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATELIER_HOME", str(engine.settings.home))
    monkeypatch.setenv("ATELIER_THREADS", "1")
    monkeypatch.setenv("ATELIER_PREPARE", "0")
    common = ["chat", "Is Paris in France?", "-n", "20", "--json"]
    assert run(*common, "--grammar", "yes-no", "--template", "chatml") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["text"] in ("yes", "no") and told["verdict"] == {"ok": True, "errors": []}
