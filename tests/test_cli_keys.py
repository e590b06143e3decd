"""The verbs `keys` and `server`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from engine.cli import main
from engine.engine import Engine
from engine.requestlog import Served
from engine.settings import Settings


def told(capsys: pytest.CaptureFixture[str]) -> str:
    return capsys.readouterr().out


def test_a_key_is_made_listed_and_ended(isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "open-webui", "--days", "7", "--requests", "10", "--json"]) == 0
    made = json.loads(told(capsys))
    assert made["key"].startswith("ak-") and made["role"] == "student" and made["state"] == "open"
    assert main(["keys", "create", "mine", "--teacher"]) == 0
    raw = told(capsys).strip()
    assert main(["keys", "list"]) == 0
    listed = told(capsys)
    assert "open-webui" in listed and "0 of 10" in listed and raw not in listed and raw.split("-", 2)[2] not in listed
    assert main(["keys", "revoke", made["id"]]) == 0 and made["id"] in told(capsys)
    assert main(["keys", "revoke", made["id"]]) == 2
    assert main(["keys", "--json", "list"]) == 0
    states = {one["name"]: one["state"] for one in json.loads(told(capsys))}
    assert states == {"open-webui": "revoked", "mine": "open"}


@pytest.mark.parametrize("wrong", [["--person", "nobody"], ["--requests", "0"], ["--days", "0"]])
def test_a_key_that_cannot_be(wrong: list[str], isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["keys", "create", "x", *wrong]) == 2
    assert not told(capsys)


def test_the_log_of_the_server(isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine = Engine(Settings(home=isolation))
    engine.requests.add(Served("local", "/v1/models", 200, 0.25, key="k1"))
    engine.requests.add(Served("local", "/v1/chat/completions", 502, 1.5, error="unreachable"))
    engine.close()
    assert main(["server", "log"]) == 0
    first, second = told(capsys).splitlines()
    assert first.endswith("200  /v1/models  -  ? + ? tokens  0.250 s  key k1") and "info" in first
    assert second.endswith("local  unreachable") and "error" in second
    assert main(["server", "log", "--level", "error", "--json"]) == 0
    assert json.loads(told(capsys))["status"] == 502
    assert main(["server", "log", "--key", "k1"]) == 0 and len(told(capsys).splitlines()) == 1
    assert main(["server", "log", "--limit", "0"]) == 2


def test_sites_and_rate(isolation: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["server", "cors", "http://localhost:3000", "null"]) == 0
    assert told(capsys) == "http://localhost:3000\nnull\n"
    assert main(["server", "cors", "nonsense"]) == 2
    assert main(["server", "cors", "--json"]) == 0
    assert json.loads(told(capsys)) == {"origins": ["http://localhost:3000", "null"]}
    assert main(["server", "cors", "--none"]) == 0 and "no page" in told(capsys)
    assert main(["server", "rate", "30", "--json"]) == 0
    assert json.loads(told(capsys)) == {"requests_per_minute": 30}
    assert main(["server", "rate", "-1"]) == 2
