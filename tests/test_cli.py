"""The command line: streams and exit codes of the real process, everything else in this one."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

from engine.cli import VERBS, main
from engine.cli.sentences import SENTENCES, sentence
from engine.cli.trace import budget
from engine.errors import PromptTooLong, StreamCut, Unreachable, all_codes
from engine.generation import Generation
from engine.params import PARAMS
from engine.types import Event, TextDelta
from tests.patience import SOON_S

ROOT = Path(__file__).parents[1]
ECHO = ("--model", "echo")
CHAT_KEYS = {"text", "stats", "usage", "outcome", "model", "trace_id"}

Run = Callable[..., tuple[int, str, str]]


def command(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "engine", *arguments]


def process(*arguments: str, stdin: bytes = b"", **options: Any) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(command(*arguments), input=stdin, capture_output=True, cwd=ROOT, timeout=240, **options)


@pytest.fixture
def run(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Run:
    """The exit code, stdout and stderr of a command in this process; `stdin` in bytes, `terminal`: somebody types."""

    def call(*arguments: str, stdin: bytes = b"", terminal: bool = False) -> tuple[int, str, str]:
        stream = io.TextIOWrapper(io.BytesIO(stdin), encoding="utf-8")
        monkeypatch.setattr(stream, "isatty", lambda: terminal)
        monkeypatch.setattr(sys, "stdin", stream)
        code = main(arguments)
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call


def orders(**fields: object) -> str:
    """A question that the echo model takes as orders."""
    return json.dumps(fields)


# --- the process: exit codes, streams, speed


def time_of(*arguments: str) -> float:
    started = time.perf_counter()
    assert process(*arguments).returncode == 0
    return time.perf_counter() - started


@pytest.mark.parametrize("verb", ["--help", "models"])
def test_help_and_models_are_quick(verb: str) -> None:
    assert time_of(verb) < SOON_S  # `bench start` holds them to 0.6 s and 1.5 s


HEAVY = {"sqlalchemy", "httpx", "openai", "langchain_openai", "tiktoken", "numpy", "xllamacpp", "llama_cpp"}


@pytest.mark.parametrize(("verb", "also"), [("--help", {"pydantic", "psutil"}), ("models", set())])
def test_help_and_models_import_little(verb: str, also: set[str]) -> None:
    code = (
        f"import contextlib, sys; from engine.cli import main\nwith contextlib.suppress(SystemExit): main([{verb!r}])"
    )
    code += "\nprint(*sys.modules, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True, cwd=ROOT)
    imported = set(done.stderr.decode().split())
    assert "engine.cli" in imported and not imported & (HEAVY | also)


def test_an_answer_goes_to_stdout_and_nothing_to_stderr() -> None:
    done = process("chat", "Où est l'été ? 🧒", *ECHO)
    assert (done.returncode, done.stdout.decode(), done.stderr) == (0, "Où est l'été ? 🧒\n", b"")


def test_stdout_is_utf8_whatever_the_locale_says() -> None:
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONIOENCODING": "ascii"}
    assert process("chat", "-", *ECHO, stdin="été\r\n".encode(), env=environment).stdout == "été\n".encode()


def test_bad_input_is_two_and_backend_failure_three() -> None:
    done = process("chat", "hi", "--model", "nobody/nothing")
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"unknown_model: no provider 'nobody'; there are ") and done.stderr.count(b"\n") == 1
    done = process("chat", orders(answer="one two three", fail_after=2), *ECHO)
    assert (done.returncode, done.stdout) == (3, b"one two\n")
    assert done.stderr == b"server_failed: echo was told to fail\n"


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to another process on Windows")
def test_ctrl_c_ends_the_answer() -> None:
    question = orders(answer="word " * 200, delay=0.3)
    running = subprocess.Popen(
        command("chat", question, *ECHO), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert running.stdout is not None
    first = running.stdout.read(4)  # it is under way
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=240)
    assert (running.returncode, first, err) == (130, b"word", b"")
    assert len(out) < 900 and out.endswith(b"\n")


def test_ctrl_c_leaves_whole_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    waiting = Generation._next

    def pressed(answer: Generation) -> Event:
        event = waiting(answer)
        if isinstance(event, TextDelta):
            signal.raise_signal(signal.SIGINT)  # while the answer is followed, whatever the load
        return event

    monkeypatch.setattr(Generation, "_next", pressed)
    code, out, err = run("chat", orders(answer="word " * 200, delay=0.1), *ECHO, "--json")
    assert (code, err, json.loads(out)["outcome"]) == (130, "", "user_stopped")


@pytest.mark.skipif(os.name == "nt", reason="no broken pipes of this kind on Windows")
def test_a_reader_that_goes_away_is_no_error() -> None:
    question = orders(answer="word " * 200, delay=0.3)
    running = subprocess.Popen(
        command("chat", question, *ECHO), stdout=subprocess.PIPE, stderr=subprocess.PIPE, cwd=ROOT
    )
    assert running.stdout is not None and running.stderr is not None
    running.stdout.read(4)
    running.stdout.close()
    assert running.wait(60) == 141
    assert running.stderr.read() == b""
    running.stderr.close()


# --- arguments


@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ((), "bad_input: the following arguments are required: VERB"),
        (("dance",), "bad_input: argument VERB: invalid choice: 'dance'"),
        (("chat", "hi", "--warmth", "1"), "bad_input: unrecognized arguments: --warmth 1"),
        (("chat", "hi", "--temperature", "9"), "bad_parameter: temperature takes a number from 0 to 2, not '9'"),
        (("chat", "hi", "--top-k", "1.5"), "bad_parameter: top_k takes a whole number from 0 to 1000, not '1.5'"),
        (("chat", "hi", "--seed", "nan"), "bad_parameter: seed takes a whole number"),
        (("chat", "hi", "--virtual-window", "x"), "bad_input: argument --virtual-window: invalid int value: 'x'"),
        (("chat", " "), "bad_input: nothing was asked"),
        (("chat", "\udcff"), "bad_input: the text is not UTF-8: character 0"),
        (
            ("chat", "hi", "--endpoint", "http://h/v1"),
            "bad_input: with --endpoint, name one of its models with --model",
        ),
        (("chat", "hi", "-m", "x", "--endpoint", "h:1"), "bad_input: an endpoint is written http(s)://"),
        (
            ("chat", "hi", "-m", "x", "--endpoint", "http://h", "--key-env", "NO"),
            "bad_input: the environment variable NO",
        ),
        (("chat", "hi", "-m", "openai/x", "--key-env", "NO"), "bad_input: --key-env belongs to --endpoint"),
        (("complete", "-n", "3"), "bad_input: one of the arguments -p/--prompt -f/--file is required"),
        (("complete", "-f", "no/such.txt"), "bad_file: no/such.txt cannot be read: No such file or directory"),
        (("complete", "-p", "x", "-i", "--json"), "bad_input: --interactive goes with"),
        (("models", "-o", "no/such/folder.txt"), "bad_file: no/such/folder.txt cannot be written"),
    ],
)
def test_bad_input_says_what_is_wrong(run: Run, arguments: Sequence[str], error: str) -> None:
    code, out, err = run(*arguments)
    assert (code, out) == (2, "")
    assert err.startswith(error) and err.count("\n") == 1


def test_every_parameter_has_a_flag(run: Run) -> None:
    given = {param.name: str(param.low or 0) for param in PARAMS if param.kind != "lines"}
    given["max_tokens"] = "-1"
    flags = [f"--{name.replace('_', '-')}={value}" for name, value in given.items()]
    code, out, err = run("trace", "hi", *ECHO, *flags, "--stop", "a", "--stop", "b", "--json")
    assert (code, err) == (0, "")
    body = json.loads(out)["request"]
    assert (body["temperature"], body["seed"], body["stop"]) == (0, 0, ["a", "b"])


def test_help_of_every_verb(capsys: pytest.CaptureFixture[str]) -> None:
    for verb in VERBS:
        with pytest.raises(SystemExit) as caught:
            main([verb, "--help"])
        assert caught.value.code == 0
        assert {"--json", "--output"} <= set(capsys.readouterr().out.replace(",", " ").split())


# --- models


def test_models_as_table_and_as_json(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    code, out, _ = run("models")
    assert code == 0 and out.startswith("id ") and "smollm2-135m-instruct" in out and "provider/model" in out
    monkeypatch.setenv("GROQ_API_KEY", "gsk-marked")
    _, out, _ = run("models", "--json")
    found = json.loads(out)
    assert [model["id"] for model in found["models"]] == ["smollm2-135m-instruct", "echo"]
    assert {row["id"]: row["key_set"] for row in found["providers"]}["groq"] is True
    assert "gsk-marked" not in out


def test_models_into_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "été.txt"
    assert run("models", "--json", "-o", str(path)) == (0, "", "")
    data = path.read_bytes()
    assert b"\r" not in data and json.loads(data.decode("utf-8"))["models"]


# --- chat


def test_chat_as_json(run: Run) -> None:
    code, out, err = run("chat", "un deux", "--system", "sois bref", *ECHO, "--json")
    found = json.loads(out)
    assert (code, err, set(found)) == (0, "", CHAT_KEYS)
    assert (found["text"], found["outcome"], found["model"]) == ("un deux", "stop", "echo")
    assert found["stats"]["stopReason"] == "eosFound" and found["trace_id"]
    assert found["usage"]["completion_tokens"] == 2


def test_chat_reads_standard_input(run: Run) -> None:
    assert run("chat", "-", *ECHO, stdin=b"\xef\xbb\xbfhi \xc3\xa9t\xc3\xa9") == (0, "hi été\n", "")
    assert run("chat", *ECHO, stdin=b"piped")[1] == "piped\n"
    assert run("chat", *ECHO, stdin=b"\xff\xfeh\x00") == (2, "", "bad_input: standard input is not UTF-8: byte 0\n")


def test_chat_stops_at_a_limit_and_at_a_text(run: Run) -> None:
    assert run("chat", "a b c d", *ECHO, "-n", "2")[1] == "a b\n"
    assert run("chat", "a b STOP c", *ECHO, "--stop", "STOP")[1] == "a b \n"


def test_chat_keeps_what_came_before_a_failure(run: Run) -> None:
    code, out, err = run("chat", orders(answer="a b c", fail_after=2), *ECHO, "--json")
    found = json.loads(out)
    assert (code, found["text"], found["outcome"]) == (3, "a b", "failed")
    assert found["error"]["code"] == "server_failed" and err.startswith("server_failed: ")


def test_a_prompt_too_long_for_the_virtual_window(run: Run) -> None:
    code, out, err = run("chat", "a b c", *ECHO, "--virtual-window", "4", "--json")
    assert (code, out, err) == (2, "", "prompt_too_long: the prompt has 7 tokens, the window 4\n")


def test_a_conversation(run: Run) -> None:
    code, out, err = run("chat", *ECHO, stdin=b'one\n\n{"fail_after": 0}\ntwo\n', terminal=True)
    assert (code, out) == (0, "> one\n> > \n> two\n> ")
    assert err == "server_failed: echo was told to fail\n"


# --- complete


def test_complete_as_llama_cli(run: Run) -> None:
    assert run("complete", "-p", "I believe", "-n", "1", *ECHO) == (0, "I believeI\n", "")
    assert run("complete", "-p", "I believe", "-n", "1", "--no-display-prompt", *ECHO)[1] == "I\n"
    wrapped = run("complete", "-p", "hi", "--in-prefix", "User: ", "--in-suffix", " Bot:", "--no-display-prompt", *ECHO)
    assert wrapped[1] == "User: hi Bot:\n"


def test_complete_stops_at_reverse_prompts(run: Run) -> None:
    arguments = ("complete", "-p", "a b User: c You: d", "-r", "You:", "--reverse-prompt", "User:", "--json", *ECHO)
    found = json.loads(run(*arguments)[1])
    assert (found["text"], found["outcome"], found["prompt"]) == ("a b ", "stop_string", "a b User: c You: d")


def test_complete_from_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "prompt.txt"
    path.write_bytes(b"\xef\xbb\xbfl'\xc3\xa9t\xc3\xa9")
    assert run("complete", "-f", str(path), "--no-display-prompt", *ECHO)[1] == "l'été\n"
    path.write_bytes(b"\xff")
    assert run("complete", "-f", str(path), *ECHO)[2].startswith("bad_file: ")


def test_complete_in_turns(run: Run) -> None:
    arguments = ("complete", "-i", "-p", "Go. User:", "-r", "User:", "--in-prefix", " ", "-n", "9", *ECHO)
    code, out, err = run(*arguments, stdin=b"hello\n")
    assert (code, err) == (0, "")
    assert out == "Go. User:" + "Go. " + "User:" + " hello\n" + "Go. " + "User:" + "\n"


# --- trace and tokens


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ((30, 512, 8192), (512, 7650, True)),
        ((30, -1, 100), (70, 0, True)),
        ((99, 512, 100), (1, 0, True)),
        ((100, 512, 100), (0, 0, False)),
        ((130, -1, 100), (0, 0, False)),
    ],
)
def test_the_windows_arithmetic(given: tuple[int, int, int], expected: tuple[int, int, bool]) -> None:
    found = budget(*given)
    assert (found["reserved"], found["free"], found["fits"]) == expected


def test_trace_of_the_echo_model(run: Run) -> None:
    code, out, err = run("trace", "hi l'été", "--system", "s", *ECHO, "--virtual-window", "100", "-n", "50", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert found["prompt"] == "system: s\nuser: hi l'été\nassistant:"
    assert "".join(token["piece"] for token in found["tokens"]) == found["prompt"]
    assert found["count"] == len(found["tokens"]) == 11
    assert (found["window"], found["reserved"], found["free"]) == (100, 50, 39)
    assert found["request"]["messages"][1]["content"] == "hi l'été" and found["request"]["model"] == "echo"
    assert (
        found["curl"].startswith("curl http://127.0.0.1:8501/v1/chat/completions") and "$ATELIER_KEY" in found["curl"]
    )
    assert "from openai import OpenAI" in found["python"] and "ChatOpenAI" in found["langchain"]


def test_trace_for_people(run: Run) -> None:
    out = run("trace", "hi", *ECHO)[1]
    assert "5 prompt + 512 reserved for the answer + 7675 free = 8192 tokens" in out
    out = run("trace", "hi", *ECHO, "--virtual-window", "5")[1]
    assert "5 prompt ≥ 5 window: refused" in out


def test_trace_of_a_remote_model_pretends_nothing(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("engine.backends.openai_compat")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-marked")
    code, out, _ = run("trace", "hi", "--model", "openai/gpt-5", "--json")
    found = json.loads(out)
    assert code == 0 and "sk-marked" not in out
    assert found["prompt"] is found["tokens"] is found["count"] is found["window"] is None
    assert found["reason"].startswith("prompt not observable")
    assert "https://api.openai.com/v1/chat/completions" in found["curl"] and "$OPENAI_API_KEY" in found["curl"]
    assert "prompt not observable" in run("trace", "hi", "--model", "openai/gpt-5")[1]


def test_tokens(run: Run) -> None:
    code, out, err = run("tokens", "l'été 🧒", *ECHO, "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["characters"], found["bytes"], found["cl100k_base"], found["o200k_base"]) == (7, 12, 6, 5)
    assert [token["piece"] for token in found["model"]["tokens"]] == ["l", "'", "été", " 🧒"]
    assert run("tokens", "--no-model", stdin=b"abc")[1].startswith("characters   3\nbytes        3\n")


def test_tokens_of_a_file(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "comptine.txt"
    path.write_bytes(b"Une souris verte\r\n")
    assert json.loads(run("tokens", "-f", str(path), "--no-model", "--json")[1])["bytes"] == 18


# --- sentences


def test_every_code_has_a_sentence() -> None:
    assert set(SENTENCES) == set(all_codes())


def test_sentences_are_one_line_with_what_is_known() -> None:
    assert sentence(PromptTooLong(100, 64)) == "the prompt has 100 tokens, the window 64"
    assert sentence(StreamCut(received=12)) == "the connection broke before the answer was complete (received 12)"
    assert sentence(Unreachable("no\nroute ")) == "no route"


# --- the real model


@pytest.mark.model
def test_trace_equals_llama_cpp_byte_for_byte(run: Run, bare_llama: Any) -> None:
    from engine.runtime.client import LlamaServer

    server = LlamaServer(bare_llama.address, bare_llama.key)
    code, out, err = run("trace", "hi l'été 🧒", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    prompt = server.post("/apply-template", {"messages": found["request"]["messages"]})["prompt"]
    options = {"content": prompt, "add_special": True, "parse_special": True, "with_pieces": True}
    assert found["prompt"] == prompt
    assert found["tokens"] == server.post("/tokenize", options)["tokens"]
    code, out, err = run("chat", "hi l'été 🧒", "-n", "4", "--json")
    assert (code, err) == (0, "")
    assert json.loads(out)["usage"]["prompt_tokens"] == found["count"]
    server.close()


@pytest.mark.model
def test_the_process_with_the_real_model_leaves_no_worker() -> None:
    done = process("chat", "hi", "--max-tokens", "8", "--json", "--seed", "1")
    assert (done.returncode, done.stderr) == (0, b"")
    found = json.loads(done.stdout)
    assert set(found) == CHAT_KEYS and found["text"] and found["stats"]["promptTokensCount"] == 31


@pytest.mark.model
def test_complete_with_the_real_model(run: Run) -> None:
    prompt = "I believe the meaning of life is"
    code, out, err = run("complete", "-p", prompt, "-n", "8", "--temperature", "0", "--json")
    found = json.loads(out)
    assert (code, err) == (0, "")
    assert (found["prompt"], found["outcome"]) == (prompt, "max_tokens")
    assert (found["usage"]["prompt_tokens"], found["usage"]["completion_tokens"]) == (7, 8)


@pytest.mark.parametrize(("terminal", "seen"), [(True, "a␛]0;x␇\nb\n"), (False, "a\x1b]0;x\x07\nb\n")])
def test_a_model_gives_the_terminal_no_orders(terminal: bool, seen: str, monkeypatch: pytest.MonkeyPatch) -> None:
    stream = io.StringIO()
    monkeypatch.setattr(stream, "isatty", lambda: terminal)
    monkeypatch.setattr(sys, "stdout", stream)
    assert main(["chat", "a\x1b]0;x\x07\nb", *ECHO]) == 0
    assert stream.getvalue() == seen
