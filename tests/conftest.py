"""What every test shares: no home, no key and no setting of the developer's machine; the real model, loaded once per
worker.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import hypothesis
import pytest

from engine.engine import Engine
from engine.runtime.load import LoadParams
from engine.runtime.supervisor import LocalRuntime, Supervisor
from engine.settings import Settings
from tests.marks import no_key_is_left  # noqa: F401 - every session ends with it
from tests.sharing import JOB_NICE, cost_of, scheduler, step_back
from tests.standins.app_server import AppServer, app_server
from tests.standins.llama_server import BareServer, bare_server, bundled_gguf
from tests.standins.openai_server import OpenAIStandIn, openai_standin

OURS = ("ATELIER_", "LANGCHAIN_", "LANGSMITH_")
CHROMIUM = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"]
CHROMIUM += ["--disable-background-networking", "--disable-component-update", "--disable-sync"]
FOREIGN = ("_API_KEY", "_API_TOKEN", "_API_BASE", "_BASE_URL", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY")

# No deadline, since test machines are slow and shared. More: --hypothesis-profile=default
hypothesis.settings.register_profile("suite", max_examples=50, deadline=None)
hypothesis.settings.load_profile("suite")


@pytest.hookimpl(optionalhook=True)  # runs without xdist too
def pytest_xdist_setupnodes() -> None:
    """No worker goes before the application that the other one tests."""
    step_back()


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: Any, log: Any) -> Any:
    """Files that share a started application go to one worker."""
    return scheduler(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, so that both workers end together; the rest as it was."""
    items.sort(key=lambda item: -cost_of(item.nodeid))


@pytest.fixture(autouse=True)
def isolation(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty data folder and home of this test alone; keys, addresses, proxies and settings are gone."""
    for name in list(os.environ):
        if name != JOB_NICE and (name.startswith(OURS) or name.upper().endswith(FOREIGN)):
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


def small_settings(home: Path) -> Settings:
    """Settings with that data folder, the weights as they come, 2 slots of 1024 tokens, one thread."""
    return Settings(home=home, prepare=False, window=1024, slots=2, threads=1)


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalRuntime]:
    """The real model behind supervisor and gate, 2 slots of 1024 tokens, loaded at its first use."""
    supervisor = Supervisor(small_settings(tmp_path_factory.mktemp("llama")))
    yield supervisor.runtime(small_load())
    supervisor.close()


def small_load() -> LoadParams:
    """How `llama` is loaded."""
    # a small batch: llama.cpp looks at its stop switch between two of them, and test machines are slow
    return LoadParams(
        path=str(bundled_gguf()), context=1024, slots=2, threads=1, batch=32, alias="smollm2-135m-instruct"
    )


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A serving Engine with the real model, in a data folder of its own."""
    opened = Engine(small_settings(tmp_path_factory.mktemp("engine")), serve=True)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def room() -> Iterator[AppServer]:
    """The application in class mode with the echo, on loopback, and Gradio open."""
    with app_server("--class", "--host", "127.0.0.1") as server:
        assert server.gradio(headers={"Cookie": server.join(server.codes()["student"], "first")}).status == 200
        yield server


@pytest.fixture
def openai_server() -> Iterator[OpenAIStandIn]:
    """A fresh loopback stand-in of an OpenAI-style server."""
    with openai_standin() as server:
        yield server


# Once per file, not per session: while Playwright lives, its event loop counts as running, and asyncio.run fails
@pytest.fixture(scope="module")
def chromium() -> Iterator[Any]:
    """Debian's Chromium. Where it is missing the tests are skipped, and under CI they fail."""
    path = shutil.which("chromium")
    if path is None:
        reason = "no chromium on this machine: apt-get install chromium"
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=CHROMIUM)
        yield browser
        browser.close()
