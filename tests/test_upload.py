"""`POST /upload`: the teacher's files come in as they are sent, nobody else's, and nothing that is no model."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
import pytest

from tests.models import gguf_files as make
from tests.standins.app_server import AppServer, Reply, app_server, wait_for

TINY = make.gguf()
LARGE = 96 << 20  # bytes
BLOCK = bytes(1 << 20)


@pytest.fixture(scope="module")
def room() -> Iterator[AppServer]:
    """The application in class mode with the echo; nobody opens its Gradio."""
    with app_server("--class", "--host", "127.0.0.1") as server:
        yield server


@pytest.fixture(scope="module")
def teacher(room: AppServer) -> dict[str, str]:
    return {"Cookie": room.join(room.codes()["teacher"], "Teacher")}


@pytest.fixture(autouse=True)
def folder(room: AppServer) -> Iterator[Path]:
    """The folder of models; what came into it is gone afterwards."""
    path = room.home / "models"
    before = set(path.glob("*"))
    yield path
    for file in set(path.glob("*")) - before:
        if file.is_file():
            file.unlink(missing_ok=True)


def send(room: AppServer, data: bytes, name: str, headers: dict[str, str] | None) -> Reply:
    return room.ask("POST", f"/upload?name={quote(name)}", data, headers)


def kept(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("*") if path.is_file() and path.suffix != ".json")


def test_only_the_teacher_brings_files(room: AppServer, folder: Path, teacher: dict[str, str]) -> None:
    student = {"Cookie": room.join(room.codes()["student"], "Student")}
    before = kept(folder)
    assert send(room, TINY, "a.gguf", None).status == 401
    refused = send(room, TINY, "a.gguf", student)
    assert (refused.status, refused.json["error"]["code"]) == (403, "access_denied")
    assert send(room, TINY, "a.gguf", {**teacher, "Origin": "https://evil.example"}).status == 403
    assert room.ask("GET", "/upload?name=a.gguf", headers=teacher).status == 405
    assert room.websocket("/upload", headers=teacher) == 403
    assert kept(folder) == before


def test_a_file_becomes_a_model(room: AppServer, folder: Path, teacher: dict[str, str]) -> None:
    reply = send(room, TINY, "C:\\été\\Tiny Model.gguf", teacher)
    assert reply.status == 201
    card = reply.json["model"]
    assert (card["id"], card["name"], card["quantization"]) == ("tiny-model", "Tiny", "Q8_0")
    assert (folder / "Tiny Model.gguf").read_bytes() == TINY
    listed = room.ask("GET", "/v1/models", headers=teacher).json["data"]
    assert "tiny-model" in [model["id"] for model in listed]
    again = send(room, TINY, "Tiny Model.gguf", teacher)
    assert again.json["model"]["id"] == "tiny-model" and str(room.home) not in again.body.decode()


@pytest.mark.parametrize(
    ("data", "name", "status", "code"),
    [
        (b"PK\x03\x04" + bytes(100_000), "zip.gguf", 422, "model_file_corrupt"),
        (TINY[:-8], "cut.gguf", 422, "model_file_corrupt"),
        (b"", "empty.gguf", 422, "model_file_corrupt"),
        (TINY, "", 400, "bad_file"),
        (TINY, "../..", 400, "bad_file"),
    ],
)
def test_what_is_no_model_is_refused(
    room: AppServer, folder: Path, teacher: dict[str, str], data: bytes, name: str, status: int, code: str
) -> None:
    before = kept(folder)
    reply = send(room, data, name, teacher)
    assert (reply.status, reply.json["error"]["code"]) == (status, code)
    assert kept(folder) == before


def announce(room: AppServer, headers: dict[str, str], size: int, data: bytes) -> Any:
    """A connection that has announced `size` bytes and sent some."""
    connection = room.connection()
    connection.putrequest("POST", "/upload?name=announced.gguf")
    for name, value in {**headers, "Content-Length": str(size)}.items():
        connection.putheader(name, value)
    connection.endheaders(data)
    return connection


def test_too_much_is_refused_before_it_comes(room: AppServer, folder: Path, teacher: dict[str, str]) -> None:
    connection = announce(room, teacher, 65 << 30, TINY)
    response = connection.getresponse()
    assert response.status == 413 and json.loads(response.read())["error"]["details"]["limit"] == 64 << 30
    connection.close()


def test_a_connection_that_breaks_leaves_nothing(room: AppServer, folder: Path, teacher: dict[str, str]) -> None:
    before = kept(folder)
    connection = announce(room, teacher, 10 << 20, TINY)
    assert wait_for(lambda: any(name.endswith(".part") for name in kept(folder)))
    connection.close()
    assert wait_for(lambda: kept(folder) == before)


def test_a_large_file_goes_to_disk_and_not_through_memory(
    room: AppServer, folder: Path, teacher: dict[str, str]
) -> None:
    assert send(room, TINY, "first.gguf", teacher).status == 201  # what is imported at first use is there
    process = psutil.Process(room.process.pid)
    head = make.gguf(tensors=[make.tensor("w", [LARGE // 4])], data=0)
    before, most = process.memory_info().rss, 0
    connection = announce(room, teacher, len(head) + LARGE, head)
    for _ in range(LARGE // len(BLOCK)):
        connection.send(BLOCK)
        most = max(most, process.memory_info().rss)
    response = connection.getresponse()
    card = json.loads(response.read())["model"]
    assert (response.status, card["size_bytes"]) == (201, len(head) + LARGE)
    assert most - before < LARGE // 2
    connection.close()
    assert time.time() - (folder / "announced.gguf").stat().st_mtime < 3600
