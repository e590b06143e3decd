"""The real application with the real model, once for all pages."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.browser.tabs import FACES, Tab
from tests.standins.app_server import AppServer, app_server
from tests.standins.attached import answered
from tests.standins.replicate_server import KEY, replicate_standin

# One thread: the tests beside this one would make two threads wait for each other
SIZE = {"ATELIER_SLOTS": "2", "ATELIER_WINDOW": "2048", "ATELIER_BATCH": "32", "ATELIER_THREADS": "1"}
MODEL = {"ATELIER_MODEL": "smollm2-135m-instruct", "ATELIER_PREPARE": "0"}


@pytest.fixture(scope="session")
def app() -> Iterator[AppServer]:
    """The application with the real model, loaded, Gradio open, and a Replicate that starts cold."""
    with replicate_standin(boot_s=2.0) as replicate:
        far = {"REPLICATE_BASE_URL": replicate.base_url, "REPLICATE_API_TOKEN": KEY}
        with app_server(environment=SIZE | MODEL | far) as server:
            answered(server)
            yield server


@pytest.fixture
def tab(request: pytest.FixtureRequest, chromium: object, app: AppServer) -> Iterator[Tab]:
    """A tab of the interface that the test names; afterwards nothing was asked of another host, nothing complained."""
    opened = FACES[request.param](chromium, app.address)
    yield opened
    opened.close()
    assert opened.hosts <= {f"127.0.0.1:{app.port}"}
    assert opened.complaints == []
