"""The generated texts are executed, against a loopback server that keeps what it received."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.snippets import (
    FORMS,
    curl,
    javascript,
    langchain,
    llamaindex,
    portable,
    powershell,
    python_openai,
    snippets,
)

KEY = "sk-marked-key"
MESSAGE = {"role": "assistant", "content": "Thursday, naïve"}
CHAT = {"id": "1", "object": "chat.completion", "created": 1, "model": "m", "choices": [{"index": 0, "message": MESSAGE, "finish_reason": "stop"}]}  # fmt: skip # noqa: E501
TEXT = {"id": "1", "object": "text_completion", "created": 1, "model": "m", "choices": [{"index": 0, "text": "Thursday", "finish_reason": "stop"}]}  # fmt: skip # noqa: E501
DELTA = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [{"index": 0, "delta": {"role": "assistant", "content": "Thurs"}, "finish_reason": None}]}  # fmt: skip # noqa: E501
USAGE = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2}}  # fmt: skip # noqa: E501

SHEET = {  # the course sheet's request
    "model": "smollm2-1.7b-instruct",
    "messages": [
        {"role": "system", "content": "Always answer in rhymes. Today is Thursday"},
        {"role": "user", "content": "What day is it today?"},
    ],
    "temperature": 0.7,
    "max_tokens": -1,
    "stream": False,
}
NASTY = "'\"`$HOME $(id) \\ \\n !! !id\nJSON\n'JSON' ${x} <<EOF %s {0} \t\r\x00\x1b é 漢 🧒 \u2028 # \"\"\" '''"


class Handler(BaseHTTPRequestHandler):
    """Keeps the request, answers like an OpenAI-style server."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if not self.path.startswith("/v1/"):
            self.send_error(404, "no such route")
            return
        self.server.received.append((self.path, self.headers.get("Authorization"), body))  # type: ignore[attr-defined]
        streamed = body.get("stream")
        chunks = b"".join(b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in (DELTA, USAGE))
        whole = json.dumps(TEXT if "prompt" in body else CHAT).encode()
        data = chunks + b"data: [DONE]\n\n" if streamed else whole
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream" if streamed else "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        pass


class Recorder:
    """A running server: `address` ends in /v1, `received` holds (path, Authorization, body)."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        self.address = f"http://127.0.0.1:{server.server_port}/v1"
        self.received: list[tuple[str, str | None, dict[str, Any]]] = server.received  # type: ignore[attr-defined]


@contextmanager
def recording() -> Iterator[Recorder]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.received = []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        try:
            yield Recorder(server)
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture(scope="module")
def recorder() -> Iterator[Recorder]:
    with recording() as running:
        yield running


def run_bash(script: str) -> str:
    done = subprocess.run(
        ["bash", "-c", script], capture_output=True, timeout=240, env={"PATH": "/usr/bin:/bin", "K": KEY}
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def run_python(script: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> str:
    """What the program prints; run in this process, because importing the two libraries takes seconds each time."""
    monkeypatch.setenv("K", KEY)
    capsys.readouterr()
    exec(compile(script, "snippet.py", "exec"), {})
    return capsys.readouterr().out


def test_curl_sends_the_sheets_request(recorder: Recorder) -> None:
    answer = json.loads(run_bash(curl(SHEET, recorder.address, "K")))
    assert recorder.received[-1] == ("/v1/chat/completions", f"Bearer {KEY}", SHEET)
    assert answer["choices"][0]["message"] == MESSAGE


def test_without_key_no_header(recorder: Recorder) -> None:
    run_bash(curl(SHEET, recorder.address, None))
    assert recorder.received[-1][1] is None


texts = st.text(max_size=40) | st.lists(
    st.sampled_from([*NASTY.split(" "), "\n", "'", '"', "\\", "JSON"]), max_size=8
).map("".join)
fields = st.dictionaries(
    st.text(min_size=1, max_size=12), texts | st.integers() | st.none() | st.booleans(), max_size=3
)


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(question=texts, system=texts, more=fields)
def test_bash_changes_no_character(recorder: Recorder, question: str, system: str, more: dict[str, Any]) -> None:
    messages = [{"role": "system", "content": system}, {"role": "user", "content": question}]
    body = {**more, "model": "m", "messages": messages, "stream": False}
    run_bash(curl(body, recorder.address, "K"))
    assert recorder.received[-1][2] == body


def test_the_address_is_quoted_too(recorder: Recorder) -> None:
    command = curl(SHEET, "http://127.0.0.1:1/$(touch x)'; echo", None)
    assert "'http://127.0.0.1:1/$(touch x)'\"'\"'; echo/chat/completions'" in command


def test_half_of_a_surrogate_pair_stays_sendable(recorder: Recorder) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "\ud83d"}]}
    run_bash(curl(body, recorder.address, None))
    assert recorder.received[-1][2] == body


@pytest.mark.parametrize("content", ["hi", NASTY, "l'été\n" * 40])
@pytest.mark.parametrize("more", [{}, {"top_k": 40, "stop": ["\n", "'"], "seed": 7, "min_p": 0.05, "top_p": 0.9}])
def test_openai_client_sends_the_body(
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    more: dict[str, Any],
) -> None:
    body = {**SHEET, **more, "messages": [{"role": "user", "content": content}]}
    printed = run_python(python_openai(body, recorder.address, "K"), monkeypatch, capsys)
    assert recorder.received[-1] == ("/v1/chat/completions", f"Bearer {KEY}", body)
    assert printed == "Thursday, naïve\n"


def test_openai_client_streams(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {**SHEET, "stream": True, "stream_options": {"include_usage": True}}
    assert run_python(python_openai(body, recorder.address, None), monkeypatch, capsys) == "Thurs"
    assert recorder.received[-1][2] == body


def test_openai_client_completes_a_raw_prompt(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"model": "m", "prompt": NASTY, "max_tokens": 5, "top_k": 1, "stream": False}
    assert run_python(python_openai(body, recorder.address, "K"), monkeypatch, capsys) == "Thursday\n"
    assert recorder.received[-1] == ("/v1/completions", f"Bearer {KEY}", body)
    assert langchain(body, recorder.address, "K") is None


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", ["hi", NASTY])
def test_langchain_sends_the_body(
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    stream: bool,
) -> None:
    body = {**SHEET, "top_k": 40, "stop": ["x"], "seed": 1, "stream": stream}
    body["messages"] = [{"role": "system", "content": content}, {"role": "user", "content": content}]
    if stream:
        body["stream_options"] = {"include_usage": True}
    program = langchain(body, recorder.address, "K")
    assert program is not None
    printed = run_python(program, monkeypatch, capsys)
    path, key, received = recorder.received[-1]
    assert (path, key) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert {"stream": False, **received} == body  # left out is False
    assert printed == ("Thurs" if stream else "Thursday, naïve\n")


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", ["hi", NASTY])
@pytest.mark.parametrize("more", [{}, {"top_k": 40, "stop": ["x"], "seed": 1}, {"temperature": 3.5}])
def test_llamaindex_sends_the_body(
    recorder: Recorder,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    content: str,
    stream: bool,
    more: dict[str, Any],
) -> None:
    body = {
        **SHEET,
        **more,
        "stream": stream,
        "messages": [{"role": "system", "content": content}, SHEET["messages"][1]],
    }
    if stream:
        body["stream_options"] = {"include_usage": True}
    program = llamaindex(body, recorder.address, "K")
    assert program is not None
    printed = run_python(program, monkeypatch, capsys)
    path, key, received = recorder.received[-1]
    assert (path, key) == ("/v1/chat/completions", f"Bearer {KEY}")
    assert {"stream": False, **received} == body
    assert printed == ("Thurs" if stream else "Thursday, naïve\n")


def test_llamaindex_adds_no_temperature(
    recorder: Recorder, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": "hi"}], "stream": False}
    program = llamaindex(body, recorder.address, None)
    assert program is not None
    run_python(program, monkeypatch, capsys)
    assert {"stream": False, **recorder.received[-1][2]} == body


def test_llamaindex_has_no_form_for_what_it_would_rewrite() -> None:
    assert llamaindex({"model": "m", "prompt": "hi"}, "http://127.0.0.1/v1", None) is None
    parts = [{"role": "user", "content": "hi", "name": "me"}]
    assert llamaindex({"model": "m", "messages": parts}, "http://127.0.0.1/v1", None) is None


def run_node(script: str) -> str:
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node on this machine")
    environment = {"PATH": os.environ["PATH"], "K": KEY}
    command = [node, "--input-type=module", "-"]
    done = subprocess.run(command, input=script.encode(), capture_output=True, timeout=240, env=environment)
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content", ["hi", NASTY, "\ud83d"])
def test_fetch_sends_the_body(recorder: Recorder, content: str, stream: bool) -> None:
    body = {**SHEET, "stop": ["x"], "stream": stream, "messages": [{"role": "user", "content": content}]}
    printed = run_node(javascript(body, recorder.address, "K"))
    assert recorder.received[-1] == ("/v1/chat/completions", f"Bearer {KEY}", body)
    assert printed == ("Thurs" if stream else "Thursday, naïve\n")


def test_fetch_completes_a_raw_prompt(recorder: Recorder) -> None:
    body = {"model": "m", "prompt": NASTY, "max_tokens": 5, "stream": False}
    assert run_node(javascript(body, recorder.address, None)) == "Thursday\n"
    assert recorder.received[-1] == ("/v1/completions", None, body)


def test_fetch_says_what_the_server_says(recorder: Recorder) -> None:
    script = javascript(SHEET, recorder.address.replace("/v1", "/nothing"), None)
    with pytest.raises(AssertionError, match="no such route"):
        run_node(script)


@pytest.mark.parametrize("content", ["hi", NASTY, "'@\n'@ \u2019@ $(Get-Date)"])
def test_powershell_text_holds_the_body_as_it_is(content: str) -> None:
    body = {**SHEET, "stream": True, "stream_options": {}, "messages": [{"role": "user", "content": content}]}
    script = powershell(body, "http://127.0.0.1:1/it's", "K")
    start, _, rest = script.partition("\n")
    here, end, command = rest.partition("\n'@\n")
    assert (start, end) == ("$body = @'", "\n'@\n")
    assert not [line for line in here.splitlines() if line.startswith(("'@", "\u2019@"))]
    assert json.loads(here) == {**SHEET, "stream": False, "messages": body["messages"]}
    assert "-Uri 'http://127.0.0.1:1/it''s/chat/completions'" in command
    assert 'Authorization = "Bearer $env:K"' in command


@pytest.mark.skipif(shutil.which("pwsh") is None, reason="no PowerShell on this machine")
@pytest.mark.parametrize("content", ["hi", NASTY])
def test_powershell_sends_the_body(recorder: Recorder, content: str) -> None:
    body = {**SHEET, "messages": [{"role": "user", "content": content}]}
    command = ["pwsh", "-NoProfile", "-Command", powershell(body, recorder.address, "K")]
    done = subprocess.run(command, capture_output=True, timeout=300, env={**os.environ, "K": KEY})
    assert done.returncode == 0, done.stderr.decode()
    assert recorder.received[-1] == ("/v1/chat/completions", f"Bearer {KEY}", body)
    assert done.stdout.decode() == "Thursday, naïve\n"


def test_no_snippet_holds_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("K", KEY)
    made = snippets(SHEET, "http://127.0.0.1/v1", "K")
    assert KEY not in repr(made)
    assert "$K" in made.curl
    assert [form.name for form in made.forms()] == list(FORMS)
    assert all(form.text for form in made.forms())


def test_portable_leaves_out_what_only_we_read() -> None:
    body = {"messages": [], "temperature": 0.7, "top_k": 40, "stream": True, "return_progress": True, "verbose": True}
    assert portable(body, "m") == {"model": "m", "messages": [], "temperature": 0.7, "top_k": 40, "stream": False}
