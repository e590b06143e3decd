"""The application as a process: its addresses, its doors in their order, its end, and the sentences when it cannot."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from apps.announce import addresses, checks, lan_addresses, websocket_problem
from apps.classroom import Classroom, grouped
from apps.options import LM_STUDIO_PORT, Options
from apps.ui.i18n import words
from engine.errors import BadFile
from tests.standins.app_server import ROOT, AppServer, app_server, free_port, wait_for


@pytest.fixture(scope="module")
def alone() -> Iterator[AppServer]:
    """The application, also where LM Studio listens, in French; Gradio comes by itself."""
    wanted = {"LANG": "fr_FR.UTF-8", "ATELIER_GRADIO_ON_DEMAND": "0"}
    with app_server("--lmstudio-port", str(free_port()), environment=wanted) as server:
        yield server


def test_every_door_opens_gradio_last(alone: AppServer) -> None:
    first = alone.ask("GET", "/", headers={"Accept": "text/html"})
    assert first.status == 200 and b"<html" in first.body
    assert alone.ask("GET", "/_stcore/health").status == 200
    assert alone.ask("GET", "/v1/models").status == 200
    assert alone.gradio(headers={"Accept": "text/html"}).status == 200
    for wanted, lang in (("fr-CA", "fr"), ("de, en;q=0.5", "en")):
        reply = alone.ask("GET", "/gradio?x=1", headers={"Accept-Language": wanted})
        assert reply.status == 307 and reply.headers["location"] == f"/gradio/{lang}/?x=1"


def test_until_gradio_is_there_its_page_says_so_and_the_end_does_not_wait() -> None:
    with app_server() as server:
        page = server.ask("GET", "/gradio/fr/", headers={"Accept": "text/html", "Accept-Language": "fr"})
        api = server.ask("GET", "/gradio/fr/gradio_api/info")
        assert page.status == 503 and "Gradio se charge" in page.body.decode() and b'http-equiv="refresh"' in page.body
        assert api.status == 503 and api.headers["retry-after"] == "1" and "detail" in api.json
        assert server.websocket("/gradio/fr/x") == 403
        ends(server, signal.SIGTERM)


def test_the_terminal_names_every_address_in_its_language(alone: AppServer) -> None:
    assert wait_for(lambda: "LM Studio" in alone.output)
    assert "L’Atelier LLM est prêt" in alone.output
    for path in ("/", "/gradio", "/v1"):
        assert f"{alone.address}{path}\n" in alone.output


def test_lm_studios_port_answers_too(alone: AppServer) -> None:
    assert wait_for(lambda: "LM Studio" in alone.output)
    line = next(line for line in alone.output.splitlines() if "LM Studio" in line)
    port = int(line.rpartition(":")[2].removesuffix("/v1"))
    other = AppServer(port, alone.home, alone.process)
    assert other.ask("GET", "/v1/models").json == alone.ask("GET", "/v1/models").json


def test_second_processes_find_it(alone: AppServer) -> None:
    path = alone.home / "attach.json"
    attach = json.loads(path.read_text())
    assert attach["address"] == alone.address and attach["pid"] == alone.process.pid
    assert path.stat().st_mode & 0o077 == 0


def ends(server: AppServer, how: signal.Signals) -> None:
    """End it while a browser keeps its connection; nothing may be left behind."""
    children = psutil.Process(server.process.pid).children(recursive=True)
    with socket.create_connection(("127.0.0.1", server.port)) as lazy:
        lazy.sendall(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        lazy.recv(100)
        server.process.send_signal(how)
        assert server.process.wait(60) == 0
    assert not any(child.is_running() for child in children)
    assert not (server.home / "attach.json").exists()
    assert "Traceback" not in server.output


@pytest.mark.model
def test_its_end_ends_the_model_too() -> None:
    small = {"ATELIER_MODEL": "smollm2-135m-instruct", "ATELIER_SLOTS": "1", "ATELIER_WINDOW": "256"}
    with app_server(environment={**small, "ATELIER_PREPARE": "0", "ATELIER_THREADS": "1"}) as server:
        server.ask("POST", "/v1/completions", {"prompt": "x", "max_tokens": 1})
        (worker,) = psutil.Process(server.process.pid).children()
        server.process.terminate()
        assert server.process.wait(60) == 0
        assert not worker.is_running()


def started(*options: str, lang: str = "C.UTF-8") -> subprocess.CompletedProcess[str]:
    """A start that is expected to end by itself."""
    environment = {**os.environ, "LANG": lang, "LC_ALL": lang}
    command = [sys.executable, "-m", "apps.server", *options]
    return subprocess.run(
        command, cwd=ROOT, env=environment, capture_output=True, text=True, encoding="utf-8", timeout=240
    )


def test_a_port_in_use_is_one_sentence() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        ours = started("--port", str(port))
        french = started("--port", str(port), lang="fr_FR.UTF-8")
        theirs = started("--port", str(free_port()), "--lmstudio-port", str(port))
    assert ours.returncode == french.returncode == theirs.returncode == 1
    assert ours.stderr == f"Port {port} is in use. Stop the other program or choose another one: --port {port + 1}\n"
    assert french.stderr.startswith(f"Le port {port} est occupé.")
    assert "LM Studio" in theirs.stderr and theirs.stderr.count("\n") == 1


def test_an_address_that_is_not_ours_is_one_sentence() -> None:
    done = started("--host", "192.0.2.1", "--port", str(free_port()))
    assert done.returncode == 1 and "192.0.2.1" in done.stderr and done.stderr.count("\n") == 1


# --- the class ------------------------------------------------------------------------------------------------------


def test_the_class_is_announced_with_codes_a_picture_and_what_was_checked() -> None:
    with app_server("--class") as room:
        assert wait_for(lambda: "If students cannot reach" in room.output)
        codes = room.codes()
        assert grouped(codes["student"]) in room.output and grouped(codes["teacher"]) in room.output
        assert "✓ a websocket goes through the door" in room.output
        assert "free on the disk" in room.output and "of memory" in room.output and "answers at once" in room.output
        if lan_addresses():
            assert f"http://{lan_addresses()[0]}:{room.port}/" in room.output and "█" in room.output
            assert room.ask("GET", "/healthz", host=f"{lan_addresses()[0]}:{room.port}").status == 200


def test_a_websocket_that_does_not_come_through_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    assert websocket_problem("127.0.0.1", port)


def test_the_checks_warn_of_a_network_disk(isolation: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from apps import announce, host

    for cached in (host.options, host.engine):
        cached.cache_clear()
    isolation.mkdir(parents=True)
    monkeypatch.setattr(announce, "network_file_system", lambda _: "nfs4")
    found = [check for check in checks(Options(port=1), words("en")) if not check.good]
    host.engine.cache_clear()
    assert any("nfs4" in check.text and "ATELIER_HOME" in check.text for check in found)


@pytest.mark.parametrize(("lang", "begin"), [("C.UTF-8", "The codes"), ("fr_FR.UTF-8", "Les codes")])
def test_a_class_file_that_cannot_be_had_is_one_sentence(isolation: Path, lang: str, begin: str) -> None:
    (isolation / "class.json").mkdir(parents=True)  # a file that belongs to somebody else is none to root
    done = started("--class", "--port", str(free_port()), lang=lang)
    assert done.returncode == 1 and done.stderr.startswith(begin) and done.stderr.count("\n") == 1
    assert str(isolation / "class.json") in done.stderr and "ATELIER_HOME" in done.stderr


@pytest.mark.parametrize("method", ["read_text", "mkdir"])
def test_a_class_file_of_somebody_else_is_a_bad_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, method, denied)
    with pytest.raises(BadFile) as refused:
        Classroom(tmp_path / "class.json")
    assert refused.value.details == {"path": str(tmp_path / "class.json"), "reason": "Permission denied"}


# --- options --------------------------------------------------------------------------------------------------------


def test_options_from_the_command_line_win_and_pass_through_the_environment() -> None:
    options = Options.from_argv(["--port", "9000", "--class", "--root-path", "/x"], {"ATELIER_PORT": "1"})
    assert (options.port, options.class_mode, options.host, options.root_path) == (9000, True, "0.0.0.0", "/x")
    assert Options.from_env(options.to_env()) == options


def test_options_have_quiet_defaults() -> None:
    assert Options.from_argv([], {}) == Options()
    assert Options.from_argv(["--lmstudio-port"], {}).lmstudio_port == LM_STUDIO_PORT
    assert Options.from_argv(["--class", "--host", "127.0.0.1"], {}).host == "127.0.0.1"


def test_shown_addresses_are_those_that_work() -> None:
    assert addresses(Options()) == []
    assert addresses(Options(forwarded_host="box-8501.app.github.dev")) == ["https://box-8501.app.github.dev"]
    assert addresses(Options(public_host="a.example", root_path="/x/")) == ["https://a.example/x"]
    assert addresses(Options(host="192.0.2.7", port=9)) == ["http://192.0.2.7:9"]


# --- under a path ---------------------------------------------------------------------------------------------------


def test_under_a_path_every_door_is_there_with_it_or_without_and_ctrl_c_leaves_nothing_behind() -> None:
    with app_server("--root-path", "/atelier") as server:
        for base in ("", "/atelier"):
            assert server.ask("GET", f"{base}/", headers={"Accept": "text/html"}).status == 200
            assert server.ask("GET", f"{base}/_stcore/health").status == 200
            assert server.ask("GET", f"{base}/v1/models").status == 200
            assert server.websocket(f"{base}/_stcore/stream") == 101
        assert server.gradio().status == 200
        assert server.ask("GET", "/atelier/gradio/en/config").json["root"].endswith("/atelier/gradio/en")
        assert server.ask("GET", "/atelier/gradio").headers["location"].startswith("/atelier/gradio/")
        ends(server, signal.SIGINT)
