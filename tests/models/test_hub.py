"""Search and listing over real HTTP, against a stand-in of the hub."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from engine.errors import (
    BadInput,
    ModelFileCorrupt,
    NotFound,
    RateLimited,
    ServerFailed,
    TimedOut,
    Unauthorized,
    Unreachable,
)
from engine.models import hub_http
from engine.models.bundled import bundled_file
from engine.models.details import details
from engine.models.fit import fit, fit_of
from engine.models.hub import BEGINNING, Hub, HubModel
from engine.models.hub_fit import fits
from engine.models.hub_http import HubSession
from engine.settings import Settings
from tests.models.gguf_files import gguf
from tests.standins.app_server import free_port
from tests.standins.hub_server import COMMIT, TOKEN, HubServer, Repository, digest, hub_server

SMALL, LARGE = gguf(), gguf(data=4000)
FILES = {
    "README.md": b"# read me", "tiny-Q4_K_M.gguf": SMALL, "tiny-F16.gguf": LARGE, "mmproj-tiny-f16.gguf": SMALL,
    "big-Q2_K-00001-of-00002.gguf": SMALL, "big-Q2_K-00002-of-00002.gguf": LARGE,
}  # fmt: skip
TOLD = {"total": 135_000_000, "architecture": "llama", "context_length": 8192}


@pytest.fixture(scope="module")
def server() -> Iterator[HubServer]:
    repositories = {
        "atelier__tiny-GGUF": Repository(FILES, downloads=5, gguf=TOLD),
        "atelier__closed-GGUF": Repository(FILES, downloads=9, gated=True, licence="gemma"),
        "other__thing-GGUF": Repository({}, downloads=7),
        "atelier__real-GGUF": Repository({"real-Q4_1.gguf": bundled_file().read_bytes(), "not-F16.gguf": b"?" * 100}),
    }
    with hub_server(**repositories) as running:
        yield running


def hub(server: HubServer, tmp_path: Path, token: str | None = None) -> Hub:
    return Hub(Settings(home=tmp_path, hub=server.address), token)


@pytest.fixture(autouse=True)
def no_token(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv("HF_TOKEN", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))


def test_search_finds_by_words_the_most_downloaded_first(server: HubServer, tmp_path: Path) -> None:
    found = hub(server, tmp_path).search("gguf atelier")
    assert [model.id for model in found] == ["atelier/closed-GGUF", "atelier/tiny-GGUF", "atelier/real-GGUF"]
    assert found[0].gated and found[0].licence == "gemma"
    assert found[1] == HubModel(
        "atelier/tiny-GGUF", 5, 3, False, "apache-2.0", 135_000_000, 8192, "llama", "2026-01-02T03:04:05.000Z"
    )
    asked = server.requests[-1]
    assert "filter=gguf" in asked.path and "limit=20" in asked.path and asked.headers["user-agent"] == "atelier-llm"
    assert "authorization" not in asked.headers
    assert len(hub(server, tmp_path).search("gguf", limit=1)) == 1
    assert hub(server, tmp_path).search("nothing of that name") == ()
    with pytest.raises(BadInput):
        hub(server, tmp_path).search("x", limit=0)


def test_a_repository_lists_its_models_with_sizes_and_digests(server: HubServer, tmp_path: Path) -> None:
    found = hub(server, tmp_path, TOKEN).repository("https://huggingface.co/atelier/tiny-GGUF")
    assert (found.id, found.revision, found.model.context) == ("atelier/tiny-GGUF", COMMIT, 8192)
    assert [file.quantization for file in found.files] == ["Q4_K_M", "F16", "Q2_K"]
    assert found.file("q4_k_m").parts[0].sha256 == digest(SMALL)
    assert found.file().quantization == "Q4_K_M"
    assert found.file("tiny-F16.gguf").size_bytes == len(LARGE)
    assert found.file("Q2_K").size_bytes == len(SMALL) + len(LARGE)
    assert server.requests[-1].headers["authorization"] == f"Bearer {TOKEN}"
    with pytest.raises(NotFound, match="Q4_K_M, F16, Q2_K"):
        found.file("Q8_0")
    assert json.loads(json.dumps(found.to_dict()))["files"][0]["name"] == "tiny-Q4_K_M.gguf"


def test_a_file_is_described_by_its_beginning(server: HubServer, tmp_path: Path) -> None:
    asked = hub(server, tmp_path)
    repository = asked.repository("atelier/real-GGUF")
    file = repository.file("Q4_1")
    told, known = asked.details(repository, file), details(bundled_file())
    assert told.shape == known.shape and told.trained_context == known.trained_context == 8192
    assert (told.architecture, told.size_bytes) == ("llama", known.size_bytes) and told.parameters == 0
    assert server.doors("cdn")[-1].headers["range"] == f"bytes=0-{BEGINNING - 1}"
    settings = Settings(home=tmp_path, window=8192)
    one, many = fit_of(told, settings, 1), fit_of(told, settings, 16)
    assert not one.rough and many.needed - one.needed > 15 * 188 * 10**6  # DESIGN.md: a window takes 188 MB
    assert fit_of(replace(told, shape=None), settings).rough
    with pytest.raises(ModelFileCorrupt) as damaged:
        asked.details(repository, repository.file("F16"))
    assert damaged.value.details["reason"] == "on_hub" and damaged.value.details["why"]


def test_one_beginning_tells_how_every_format_of_a_model_fits(server: HubServer, tmp_path: Path) -> None:
    data = bundled_file().read_bytes()
    files = {"real-Q4_1.gguf": data, "real-F16.gguf": data + bytes(2**20), "other-Q4_0.gguf": b"?" * 100}
    server.repositories["atelier/several-GGUF"] = Repository(files)
    asked, settings = hub(server, tmp_path), Settings(home=tmp_path, window=8192)
    repository, before = asked.repository("atelier/several-GGUF"), len(server.doors("cdn"))
    found = fits(asked, repository, settings, 1)
    assert len(server.doors("cdn")) - before == 2  # of each model one, whatever its formats
    assert found["real-F16.gguf"].needed - found["real-Q4_1.gguf"].needed == 2**20 and not found["real-F16.gguf"].rough
    assert found["other-Q4_0.gguf"].rough  # what is no GGUF file is judged by its size
    many = fits(asked, repository, settings, 16)
    assert many["real-Q4_1.gguf"].needed > found["real-Q4_1.gguf"].needed


def test_refusals_are_told_apart(server: HubServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(NotFound, match="no atelier/none"):
        hub(server, tmp_path).repository("atelier/none")
    with pytest.raises(NotFound):
        hub(server, tmp_path, TOKEN).repository("atelier/none")
    with pytest.raises(Unauthorized) as refused:
        hub(server, tmp_path, "hf_wrong").repository("atelier/tiny-GGUF")
    assert "hf_wrong" not in json.dumps(refused.value.to_dict())
    for status, headers, kind in (
        (429, {"Retry-After": "7"}, RateLimited),
        (500, {}, ServerFailed),
        (200, {"Content-Type": "text/html"}, ServerFailed),
    ):
        monkeypatch.setattr(server, "refuse", (status, headers, "<html>"))
        with pytest.raises(kind) as told:
            hub(server, tmp_path).search("x")
        assert told.value.details.get("retry_after", 7.0) == 7.0
    monkeypatch.setattr(server, "refuse", (200, {}, '{"error": "?"}'))
    with pytest.raises(ServerFailed, match="does not answer as a Hugging Face hub"):
        hub(server, tmp_path).search("x")
    monkeypatch.setattr(server, "refuse", (200, {}, '[{"id": 3}]'))
    with pytest.raises(ServerFailed):
        hub(server, tmp_path).search("x")


def test_without_a_network_one_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    nobody = Settings(home=tmp_path, hub=f"http://127.0.0.1:{free_port()}")
    with pytest.raises(Unreachable, match=r"cannot be reached .*without a network, import a GGUF file instead"):
        Hub(nobody).search("x")
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(Unreachable, match="HF_HUB_OFFLINE"):
        Hub(nobody).search("x")


def test_a_hub_that_never_answers_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    import socket

    monkeypatch.setattr(hub_http, "CONNECT_S", 0.3)
    with socket.create_server(("127.0.0.1", 0)) as silent:  # accepts, and says nothing
        session = HubSession(f"http://127.0.0.1:{silent.getsockname()[1]}", read_s=0.3)
        with pytest.raises(TimedOut):
            session.json("/api/models", {}, "search")


@pytest.mark.parametrize(
    "address", ["", "huggingface.co", "ftp://x", "http://", "http://u:p@h", "http://h?x=1", "http://["]
)
def test_the_hub_has_an_address(address: str) -> None:
    with pytest.raises(BadInput):
        HubSession(address)


def test_the_settings_take_the_usual_variable_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("ATELIER_HUB", raising=False)
    monkeypatch.delenv("HF_ENDPOINT", raising=False)
    assert Settings().hub == "https://huggingface.co"
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert Settings().hub == "https://mirror.example"
    monkeypatch.setenv("ATELIER_HUB", "https://own.example")
    assert Settings().hub == "https://own.example"


def test_fit_is_judged_by_memory_and_disk(tmp_path: Path) -> None:
    giga = 10**9
    assert fit(giga, tmp_path / "not" / "yet", free=8 * giga).name in ("fits", "no_disk")
    assert fit(1000, tmp_path, free=8 * giga).name == "fits"
    assert fit(1000, tmp_path, free=300 * 2**20).name == "tight"
    assert fit(1000, tmp_path, free=10**8).name == "too_large"
    assert fit(10**18, tmp_path, free=10**19).name == "no_disk"


def test_a_list_that_does_not_end_is_no_hubs(server: HubServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "refuse", (200, {}, "[" + "1," * 5000 + "1]"))
    assert len(HubSession(server.address).json("/api/models", {}, "x")) == 5001
    monkeypatch.setattr(hub_http, "ANSWER_MAX", 1000)
    with pytest.raises(ServerFailed, match="does not answer as"):
        HubSession(server.address).json("/api/models", {}, "x")
