"""What every test shares: no home, no key and no setting of the developer's machine; the real model, loaded once per
worker.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.standins.llama_server import BareServer, bare_server
from tests.standins.openai_server import OpenAIStandIn, openai_standin

OURS = ("ATELIER_", "LANGCHAIN_", "LANGSMITH_")
FOREIGN = ("_API_KEY", "_API_TOKEN", "_API_BASE", "_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")


@pytest.fixture(autouse=True)
def isolation(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty data folder and home of this test alone; keys, addresses, proxies and settings are gone."""
    for name in list(os.environ):
        if name.startswith(OURS) or name.upper().endswith(FOREIGN):
            monkeypatch.delenv(name)
    home = tmp_path_factory.mktemp("home")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("USERPROFILE", str(home))
    monkeypatch.setenv("ATELIER_HOME", str(home / "atelier"))
    return home / "atelier"


@pytest.fixture(scope="session")
def bare_llama() -> Iterator[BareServer]:
    """The real llama.cpp server with the bundled Q4_1 model, 2 slots of 1024 tokens; no admission, no supervisor."""
    with bare_server() as server:
        yield server


@pytest.fixture
def openai_server() -> Iterator[OpenAIStandIn]:
    """A fresh loopback stand-in of an OpenAI-style server."""
    with openai_standin() as server:
        yield server
