"""Downloads over real HTTP from a stand-in of the hub that breaks, refuses and lies."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from engine.engine import Engine
from engine.errors import (
    AccessDenied,
    DiskFull,
    JobFailed,
    ModelFileCorrupt,
    NotFound,
    ServerFailed,
    StreamCut,
    Unauthorized,
    Unreachable,
)
from engine.filelock import file_lock
from engine.models import room
from engine.models.download import arguments, download, forget_partials, partials, start_download
from engine.models.hub import Hub
from engine.person import LOCAL_OWNER
from engine.settings import Settings
from engine.tasks import Progress
from tests.models.gguf_files import gguf, tensor
from tests.patience import JOB_S
from tests.standins.app_server import wait_for
from tests.standins.hub_server import TOKEN, Faults, HubServer, Repository, digest, hub_server

DATA = gguf(tensors=[tensor("w", [250_000])], data=1_000_000)
OTHER = gguf(tensors=[tensor("v", [100_000])], data=400_000)
NAME = "tiny-Q8_0.gguf"
SPLIT = ("big-F16-00001-of-00002.gguf", "big-F16-00002-of-00002.gguf")
REPOSITORIES = {
    "atelier__tiny-GGUF": Repository(
        {NAME: DATA, "broken-Q4_0.gguf": b"no GGUF at all" * 10, SPLIT[0]: DATA, SPLIT[1]: OTHER}
    ),
    "other__tiny-GGUF": Repository({NAME: OTHER}),
    "third__closed": Repository({NAME: OTHER}, gated=True, was="old/name"),
}


@pytest.fixture(scope="module")
def running() -> Iterator[HubServer]:
    with hub_server(**REPOSITORIES) as server:
        yield server


@pytest.fixture
def server(running: HubServer) -> HubServer:
    running.faults, running.refuse = Faults(), None
    running.requests.clear()
    return running


class Fetched:
    """One run of the task in this process."""

    def __init__(
        self, server: HubServer, folder: Path, wanted: str = "Q8_0", token: str | None = None, **more: Any
    ) -> None:
        self.folder = folder
        owner = more.pop("owner", "atelier/tiny-GGUF")
        repository = Hub(Settings(home=folder, hub=server.address), token).repository(owner)
        parts = [
            {"name": part.name, "size": part.size_bytes, "sha256": part.sha256}
            for part in repository.file(wanted).parts
        ]
        order = {"parts": parts, "folder": str(folder), "token": token, "pause_s": 0.01} | more
        self.work = download(server.address, repository.id, repository.revision, **order)
        self.progress: list[Progress] = []

    def run(self) -> dict[str, Any]:
        """What it returns, its progress kept."""
        while True:
            try:
                self.progress.append(next(self.work))
            except StopIteration as end:
                result: dict[str, Any] = end.value
                return result


def visible(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith("."))


def test_a_file_arrives_checked_with_progress_in_bytes(server: HubServer, tmp_path: Path) -> None:
    one = Fetched(server, tmp_path, token=TOKEN)
    told = one.run()
    assert (tmp_path / NAME).read_bytes() == DATA
    assert told["path"] == str(tmp_path / NAME) and told["checked"] and told["fetched"] == 1
    assert told["sha256"] == {NAME: digest(DATA)}
    done = [progress.done for progress in one.progress]
    assert done == sorted(done) and done[0] == 0 and done[-1] == len(DATA) == one.progress[0].total and len(done) > 3
    assert partials(tmp_path) == ()
    hub = next(request for request in server.doors("hub") if "/resolve/" in request.path)
    assert hub.headers["authorization"] == f"Bearer {TOKEN}"
    assert all("authorization" not in request.headers for request in server.doors("cdn"))


def test_broken_connections_are_gone_on_from(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(cuts=[200_000, 300_000], statuses=[503])
    told = Fetched(server, tmp_path).run()
    assert (tmp_path / NAME).read_bytes() == DATA and told["checked"]
    ranges = [request.headers.get("range") for request in server.doors("cdn")]
    assert ranges == [None, None, "bytes=200000-", "bytes=500000-"]


def test_what_was_left_is_gone_on_from_by_the_next_run(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(cuts=[300_000] + [0] * 5)
    with pytest.raises((StreamCut, Unreachable)) as broken:
        Fetched(server, tmp_path).run()
    assert broken.value.retryable
    (left,) = partials(tmp_path)
    assert (left.name, left.size_bytes) == (NAME, 300_000) and visible(tmp_path) == []
    server.requests.clear()
    again = Fetched(server, tmp_path)
    again.run()
    assert (tmp_path / NAME).read_bytes() == DATA
    assert again.progress[1].done > 300_000
    assert [request.headers.get("range") for request in server.doors("cdn")] == ["bytes=300000-"]


@pytest.mark.parametrize("fault", ["ignore_range", "wrong_range"])
def test_a_server_that_cannot_go_on_begins_anew(server: HubServer, tmp_path: Path, fault: str) -> None:
    server.faults = Faults(cuts=[300_000], **{fault: True})
    Fetched(server, tmp_path).run()
    assert (tmp_path / NAME).read_bytes() == DATA


def test_a_slow_first_byte_is_waited_for(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(first_byte_s=0.5)
    Fetched(server, tmp_path).run()
    assert (tmp_path / NAME).read_bytes() == DATA


def test_other_bytes_than_the_hubs_are_thrown_away(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(corrupt=True)
    with pytest.raises(JobFailed) as caught:
        Fetched(server, tmp_path).run()
    assert caught.value.details["reason"] == "checksum" and caught.value.details["expected"] == digest(DATA)
    server.faults = Faults(endless=True)
    with pytest.raises(JobFailed) as caught:
        Fetched(server, tmp_path).run()
    assert caught.value.details["reason"] == "size"
    server.faults = Faults()
    with pytest.raises(ModelFileCorrupt) as damaged:
        Fetched(server, tmp_path, "Q4_0").run()
    assert (damaged.value.details["path"], damaged.value.details["reason"]) == ("broken-Q4_0.gguf", "not_kept")
    assert partials(tmp_path) == () and visible(tmp_path) == []


def test_a_hub_in_trouble_and_one_that_refuses(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(statuses=[503] * 5)
    with pytest.raises(ServerFailed, match="503"):
        Fetched(server, tmp_path).run()
    server.faults = Faults(statuses=[410])
    with pytest.raises(ServerFailed, match="410"):
        Fetched(server, tmp_path).run()
    with pytest.raises(Unauthorized, match="accept its licence at") as gated:
        Fetched(server, tmp_path, owner="third/closed").run()
    assert gated.value.details["reason"] == "gated"
    assert Fetched(server, tmp_path, owner="third/closed", token=TOKEN).run()["checked"]
    assert Fetched(server, tmp_path, owner="old/name", token=TOKEN).run()["repository"] == "third/closed"
    with pytest.raises(NotFound):
        Fetched(server, tmp_path, parts=[{"name": "none.gguf", "size": 1, "sha256": None}]).run()
    assert server.faults.statuses == []


def test_parts_arrive_as_one_model(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(cuts=[100_000])
    one = Fetched(server, tmp_path, "F16")
    told = one.run()
    assert visible(tmp_path) == told["files"] == list(SPLIT) and told["path"].endswith(SPLIT[0])
    assert told["size"] == one.progress[-1].done == one.progress[-1].total == len(DATA) + len(OTHER)
    (tmp_path / SPLIT[1]).unlink()
    assert Fetched(server, tmp_path, "F16").run()["fetched"] == 1


def test_what_is_there_is_not_fetched_and_never_written_over(server: HubServer, tmp_path: Path) -> None:
    Fetched(server, tmp_path).run()
    server.requests.clear()
    assert Fetched(server, tmp_path).run()["fetched"] == 0 and server.doors("cdn") == []
    told = Fetched(server, tmp_path, owner="other/tiny-GGUF").run()
    assert told["files"] == [f"other_{NAME}"] and (tmp_path / NAME).read_bytes() == DATA
    assert Fetched(server, tmp_path, owner="other/tiny-GGUF").run()["fetched"] == 0


def test_an_unfinished_file_without_a_digest_is_gone_on_with_at_its_own_revision_only(
    server: HubServer, tmp_path: Path
) -> None:
    plain: dict[str, Any] = {"parts": [{"name": NAME, "size": len(DATA), "sha256": None}]}
    server.faults = Faults(cuts=[300_000] + [0] * 5)
    with pytest.raises((StreamCut, Unreachable)):
        Fetched(server, tmp_path, **plain).run()
    server.faults = Faults()
    server.requests.clear()
    list(download(server.address, "atelier/tiny-GGUF", "main", folder=str(tmp_path), **plain))
    assert [request.headers.get("range") for request in server.doors("cdn")] == [None]
    assert (tmp_path / NAME).read_bytes() == DATA
    (left,) = partials(tmp_path)
    assert (left.name, left.size_bytes) == (NAME, 300_000)


def test_the_disk_is_looked_at_first(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Fetched(server, tmp_path)
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1 << 20}))
    with pytest.raises(DiskFull):
        one.run()
    assert server.doors("cdn") == []


def test_two_never_fetch_the_same_file_and_leftovers_can_be_forgotten(server: HubServer, tmp_path: Path) -> None:
    server.faults = Faults(cuts=[300_000] + [0] * 5)
    with pytest.raises((StreamCut, Unreachable)):
        Fetched(server, tmp_path).run()
    with file_lock(tmp_path / f".{NAME}.lock"):
        with pytest.raises(JobFailed, match="being downloaded already"):
            Fetched(server, tmp_path).run()
        assert forget_partials(tmp_path) == 0
    assert forget_partials(tmp_path) == 300_000
    assert partials(tmp_path) == ()


def test_a_job_can_be_cancelled_gone_on_with_and_holds_no_token(server: HubServer, tmp_path: Path) -> None:
    engine = Engine(Settings(home=tmp_path, hub=server.address, model="echo", job_nice=0))
    try:
        repository = Hub(engine.settings, TOKEN).repository("atelier/tiny-GGUF")
        file = repository.file("Q8_0")
        with pytest.raises(AccessDenied):
            start_download(engine, LOCAL_OWNER, repository, file, role="student")
        server.faults = Faults(piece_s=600)  # it cannot end by itself
        job = start_download(engine, LOCAL_OWNER, repository, file, role="teacher", token=TOKEN)
        folder = engine.settings.models_dir
        assert wait_for(
            lambda: sum(one.size_bytes for one in partials(folder)) > 0 if folder.exists() else False, JOB_S
        )
        assert engine.jobs.cancel(job.id, LOCAL_OWNER).state == "cancelled"
        assert wait_for(lambda: not engine.jobs._own, JOB_S)
        assert partials(folder) and not list(folder.glob("*.gguf"))
        server.faults = Faults()
        again = start_download(engine, LOCAL_OWNER, repository, file, role="teacher", token=TOKEN)
        done = engine.jobs.wait(again.id, JOB_S)
        assert done.state == "done", done.error
        assert (folder / NAME).read_bytes() == DATA
        assert engine.catalog.card("tiny-q8_0").quantization == "Q8_0"
        assert any("range" in request.headers for request in server.doors("cdn"))
        assert TOKEN not in json.dumps([dict(row.args) for row in engine.jobs.list()])
        assert TOKEN not in json.dumps(arguments(engine, repository, file))
    finally:
        engine.close()
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".gguf"]
    assert all(TOKEN.encode() not in data for data in kept)
