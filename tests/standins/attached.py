"""What a running application's own key opens: the runtime of its model, as llama.cpp shows it. Knows no test."""

from __future__ import annotations

from typing import Any

import psutil

from engine.runtime import attach
from tests.standins.app_server import AppServer, wait_for

MODEL = "smollm2-135m-instruct"


def told(app: AppServer, path: str, body: Any = None) -> Any:
    """What the model's llama.cpp server says, byte for byte passed on."""
    found = attach.read(app.home)
    assert found is not None
    reply = app.ask(
        "GET" if body is None else "POST",
        f"/runtime/{MODEL}/{path}",
        body,
        {"Authorization": f"Bearer {found.key}", "Content-Type": "application/json"},
    )
    assert reply.status == 200, reply
    return reply.json


def loaded(app: AppServer) -> None:
    """Return when the model is loaded."""
    assert wait_for(lambda: attach.read(app.home))
    assert told(app, "health") == {"status": "ok"}


def answered(app: AppServer) -> None:
    """Return when the model is loaded and every door open."""
    loaded(app)
    assert app.gradio("/gradio/fr/").status == 200


def busy(app: AppServer) -> int:
    """How many slots of the model are at work."""
    return sum(slot["is_processing"] for slot in told(app, "slots"))


def worker(app: AppServer) -> psutil.Process:
    """The one process that hosts the model."""
    children = psutil.Process(app.process.pid).children()
    (found,) = [child for child in children if "engine.runtime.worker" in child.cmdline()]
    return found
