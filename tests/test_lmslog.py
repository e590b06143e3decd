"""LM Studio's log through a stand-in `lms`: the exact prompt of a request, and why there is none."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from engine.engine import Engine
from engine.lmslog import LINE_MAX, LmsLog, is_lmstudio
from engine.params import Params
from engine.settings import Settings
from engine.types import Message
from tests.standins.app_server import wait_for
from tests.standins.lms import Lms
from tests.standins.openai_server import OpenAIStandIn

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="the stand-in is a script with a first line")
HERE = "http://localhost:1234/v1"
PROMPT = "<|im_start|>system\nBe brief<|im_end|>\n<|im_start|>user\nhi<|im_end|>\n<|im_start|>assistant\n"


def event(text: str, **more: object) -> str:
    return json.dumps({"type": "llm.prediction.input", "input": text, "modelIdentifier": "m", "modelPath": "p", **more})


@pytest.fixture
def lms(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lms:
    made = Lms(tmp_path)
    monkeypatch.setenv("PATH", f"{made.folder}{os.pathsep}{os.environ['PATH']}")
    return made


@pytest.fixture
def log() -> Iterator[LmsLog]:
    opened = LmsLog()
    yield opened
    opened.close()


def listening(log: LmsLog, lms: Lms) -> None:
    log.listen(HERE)
    assert wait_for(lambda: lms.pid is not None)


def test_the_prompt_of_what_was_said(log: LmsLog, lms: Lms) -> None:
    listening(log, lms)
    lms.say(event("<|im_start|>user\nhello<|im_end|>"))
    lms.say(event(PROMPT))
    lms.say("not json")
    lms.say(json.dumps({"type": "server.log", "content": "hi"}))
    lms.say(json.dumps({"type": "llm.prediction.output", "output": "Be brief hi"}))
    assert wait_for(lambda: log.prompt_of(["Be brief", "hi"], 60) == PROMPT)
    assert log.prompt_of(["hi", "Be brief"], 60) is None  # another order is another conversation
    assert log.prompt_of(["hello "], 60) == "<|im_start|>user\nhello<|im_end|>"
    assert log.prompt_of(["hi"], 0) is None  # too old
    assert log.reason(HERE) == "lms_silent"


def test_events_in_an_envelope_are_read_too(log: LmsLog, lms: Lms) -> None:
    listening(log, lms)
    lms.say(json.dumps({"timestamp": 1, "data": json.loads(event("x hi y"))}))
    assert wait_for(lambda: log.prompt_of(["hi"], 60) == "x hi y")


def test_an_endless_line_is_passed_over(log: LmsLog, lms: Lms) -> None:
    listening(log, lms)
    lms.say(event("hi " * (LINE_MAX // 2)))
    lms.say(event("short hi"))
    assert wait_for(lambda: log.prompt_of(["hi"], 600) == "short hi")


def test_it_ends_with_close(log: LmsLog, lms: Lms) -> None:
    listening(log, lms)
    pid = lms.pid
    assert pid is not None and psutil.pid_exists(pid)
    log.close()
    assert wait_for(lambda: not psutil.pid_exists(pid))


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it notices a closed input")
def test_it_ends_with_its_parent(lms: Lms) -> None:
    code = f"from engine.lmslog import LmsLog; LmsLog().listen({HERE!r}); print('on', flush=True); input()"
    parent = subprocess.Popen([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None and parent.stdout.readline() == "on\n"
    assert wait_for(lambda: lms.pid is not None)
    pid = lms.pid
    parent.kill()
    parent.communicate()
    assert pid is not None and wait_for(lambda: not psutil.pid_exists(pid))


def test_why_there_is_none(log: LmsLog, lms: Lms, monkeypatch: pytest.MonkeyPatch) -> None:
    assert log.reason("http://192.168.1.9:1234/v1") == "lms_elsewhere"
    assert log.reason(HERE) == "lms_failed"  # nobody listens
    listening(log, lms)
    lms.say("QUIT")
    assert wait_for(lambda: log.reason(HERE) == "lms_failed")
    assert log.prompt_of(["hi"], 60) is None
    monkeypatch.setenv("PATH", "")
    assert log.reason(HERE) == "lms_missing"


def test_a_server_elsewhere_is_not_listened_to(log: LmsLog, lms: Lms) -> None:
    log.listen("http://192.168.1.9:1234/v1")
    assert log.prompt_of(["hi"], 60) is None and lms.pid is None


def test_which_endpoints_are_lm_studio() -> None:
    assert is_lmstudio("lmstudio", "http://localhost:4321/v1")
    assert is_lmstudio("endpoint", HERE)
    assert not is_lmstudio("endpoint", "http://localhost:8080/v1")
    assert not is_lmstudio("openai", "https://api.openai.com/v1")


def test_a_trace_of_lm_studio_holds_the_exact_prompt(
    lms: Lms, tmp_path: Path, openai_server: OpenAIStandIn, monkeypatch: pytest.MonkeyPatch
) -> None:
    import engine.lmslog as lmslog
    from engine.providers import typed_in

    monkeypatch.setattr(lmslog, "is_lmstudio", lambda provider, base_url: True)
    opened = Engine(Settings(home=tmp_path / "home"))
    try:
        opened.catalog.add(typed_in(openai_server.base_url))
        model = opened.model("endpoint/m")
        assert wait_for(lambda: lms.pid is not None)
        said = threading.Event()
        saying = threading.Thread(target=lambda: [lms.say(event(PROMPT)) for _ in iter(lambda: said.wait(0.05), True)])
        saying.start()
        assert wait_for(lambda: opened.lms.prompt_of(["hi"], 60) is not None)
        result = model.answer([Message("system", "Be brief"), Message("user", "hi")], Params())
        said.set()
        saying.join()
        assert result.trace_id is not None
        assert opened.traces.get(result.trace_id, "local").prompt == PROMPT
        assert model.unobservable() == "lms_silent"
    finally:
        opened.close()
