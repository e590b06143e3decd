"""The generated texts for Replicate are executed, against its stand-in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from engine.backends.base import Request
from engine.backends.replicate import Replicate
from engine.params import Params
from engine.providers import provider
from engine.snippets import FORMS, portable, snippets
from engine.types import Message
from tests.patience import SOON_S
from tests.standins.replicate_server import KEY, VERSION, WORDS, ReplicateStandIn, replicate_standin

NASTY = "'\"`$HOME $(id) \\ \\n !!\nJSON\n'JSON' é 漢 🧒 \"\"\" '''"
RUNS = {"curl": ("bash", "-c"), "javascript": ("node", "--input-type=module", "-e"), "python": (sys.executable, "-c")}


def body(server: ReplicateStandIn, model: str) -> dict[str, object]:
    opened = Replicate(server.base_url, model, KEY, provider("replicate"))
    return portable(opened.body(Request((Message("user", NASTY),), Params({"max_tokens": 9, "seed": 1}))), model)


@pytest.mark.parametrize("name", RUNS)
@pytest.mark.parametrize("model", ["meta/plain", f"meta/plain:{VERSION}"])
def test_they_ask_what_we_ask(name: str, model: str, tmp_path: Path) -> None:
    if shutil.which(RUNS[name][0]) is None:
        pytest.skip(f"no {RUNS[name][0]} here")
    with replicate_standin() as server:
        made = snippets(body(server, model), server.base_url, "REPLICATE_API_TOKEN")
        text = str(getattr(made, name))
        assert KEY not in text
        done = subprocess.run([*RUNS[name], text], capture_output=True, text=True, timeout=SOON_S, cwd=tmp_path,
                              env={**os.environ, "REPLICATE_API_TOKEN": KEY})  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert ("Hello" if name == "curl" else "".join(WORDS)) in done.stdout
        assert server.jobs[0].input["prompt"] == NASTY


def test_forms_that_do_not_exist() -> None:
    with replicate_standin() as server:
        made = snippets(body(server, "meta/plain"), server.base_url, None)
    assert (made.langchain, made.llamaindex) == (None, None)
    assert [form.name for form in made.forms()] == list(FORMS)
    assert "-join $answer.output" in made.powershell and "Authorization" not in made.curl
