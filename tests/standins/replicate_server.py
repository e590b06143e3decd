"""A loopback Replicate on two ports, one for its API and one for event streams and files, as the service has two hosts;
the model's name chooses what happens. Bodies are checked against ../shared/openapi/replicate.json where that is there.

Everything is real HTTP: chunked transfer, broken connections, comments. Requests are recorded. Its texts are made up.
"""

from __future__ import annotations

import contextlib
import functools
import json
import select
import socket
import struct
import threading
import time
import uuid
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import jsonschema

KEY = "r8_stand-in-0123456789abcdef"
WORDS = ("Hello", " from", " the", " stand-in", ".")
VERSION = "5c7d5dc6dd8bf75c1acaa8565735e7986bc5b66206b55cca93cb72c9bf15ccaa"
OPENAPI = Path(__file__).parents[3] / "shared" / "openapi" / "replicate.json"
IMAGES = ("image", "flux")  # names of models that make pictures begin so
NOW = "2026-11-22T06:00:00.000Z"
PROMPT_TOKENS = 7
THROTTLED = {"detail": "Request was throttled. Expected available in 1 second."}
LOGS = "Using seed: 7\n  0%|          | 0/4 [00:00<?, ?it/s]\n 50%|█████     | 2/4 [00:01<00:01,  2.0it/s]"

# Answers to a creation
REFUSALS: dict[str, tuple[int, dict[str, Any] | str, dict[str, str]]] = {
    "401": (401, {"title": "Unauthenticated", "detail": f"You did not pass a valid token: {KEY}", "status": 401}, {}),
    "402": (402, {"title": "Insufficient credit", "detail": "You have insufficient credit", "status": 402}, {}),
    "422": (422, {"title": "Input validation failed", "detail": "- input.temperature: must be at most 5\n"}, {}),
    "422-version": (422, {"title": "Invalid version or not permitted", "detail": "It does not exist"}, {}),
    "429": (429, THROTTLED, {"Retry-After": "2.5"}),
    "500": (500, {"title": "Internal server error", "detail": "There was an error", "status": 500}, {}),
    "html": (502, "<html><h1>502 Bad Gateway</h1></html>", {}),
}
# The pieces of an answer, where they are not WORDS
TOKENS: dict[str, tuple[str, ...]] = {
    "data-token": ("data:", "image/png is", " https://x.example", "\n", "data: again", "\n\n", " end"),
    "unicode": ("é", "漢字", "🍒", " ok"),
    "spaces": (" ", "  two", " "),
}


def schema(name: str) -> dict[str, Any] | None:
    """The OpenAPI document of a model's version, as cog writes it."""
    if name == "schema-less":
        return None
    text: dict[str, Any] = {"type": "string", "title": "Prompt", "x-order": 0, "description": "Prompt to send"}
    inputs: dict[str, Any] = {
        "prompt": text,
        "system_prompt": {"type": "string", "title": "System Prompt", "default": "", "x-order": 1},
        "max_tokens": {"type": "integer", "title": "Max Tokens", "default": 512, "minimum": 1, "x-order": 2},
        "temperature": {"type": "number", "default": 0.6, "minimum": 0, "maximum": 5, "x-order": 3},
        "top_p": {"type": "number", "default": 0.9, "minimum": 0, "maximum": 1, "x-order": 4},
        "stop_sequences": {"type": "string", "default": "", "x-order": 5},
        "seed": {"type": "integer", "x-order": 6},
    }
    required, named = ["prompt"], {}
    output: dict[str, Any] = {"type": "array", "items": {"type": "string"}, "x-cog-array-type": "iterator",
                              "x-cog-array-display": "concatenate"}  # fmt: skip
    if name == "other-names":
        inputs["max_new_tokens"] = inputs.pop("max_tokens")
        inputs["repetition_penalty"] = {"type": "number", "default": 1}
        del inputs["system_prompt"]
    elif name == "boundless":
        del inputs["max_tokens"]
    elif name == "messages":
        inputs = {"messages": {"type": "array", "items": {"type": "object"}, "x-order": 0},
                  "max_completion_tokens": {"type": "integer", "x-order": 1}}  # fmt: skip
        required = []
    elif name.startswith(IMAGES):
        inputs, required, named = image_inputs()
        output = {"type": "array", "items": {"type": "string", "format": "uri"}}
    shaped = {"Input": {"type": "object", "title": "Input", "properties": inputs, "required": required},
              "Output": {"title": "Output", **output}, **named}  # fmt: skip
    return {"openapi": "3.0.2", "info": {"title": "Cog", "version": "0.1.0"}, "components": {"schemas": shaped}}


def image_inputs() -> tuple[dict[str, Any], list[str], dict[str, Any]]:
    """The inputs of an image model, with a choice of values and a file among them."""
    choice = {"aspect_ratio": {"title": "aspect_ratio", "type": "string", "enum": ["1:1", "16:9", "9:16"],
                               "description": "An enumeration."}}  # fmt: skip
    inputs = {
        "prompt": {"type": "string", "title": "Prompt", "x-order": 0, "description": "Prompt for generated image"},
        "aspect_ratio": {"allOf": [{"$ref": "#/components/schemas/aspect_ratio"}], "default": "1:1", "x-order": 1},
        "num_outputs": {"type": "integer", "default": 1, "minimum": 1, "maximum": 4, "x-order": 2},
        "guidance": {"type": "number", "default": 3.5, "minimum": 0, "maximum": 10, "x-order": 3},
        "go_fast": {"type": "boolean", "default": True, "x-order": 4},
        "image": {"type": "string", "format": "uri", "x-order": 5, "description": "Input image"},
        "seed": {"type": "integer", "x-order": 6},
    }
    return inputs, ["prompt"], choice


@functools.cache
def shapes() -> dict[str, Any] | None:
    """The patched OpenAPI document; None where the file is not there. In a 3.1 document `nullable` means nothing, and
    the times are there, as null, before they are known.
    """
    if not OPENAPI.exists():
        return None
    document: dict[str, Any] = json.loads(OPENAPI.read_text(encoding="utf-8"))
    fields = document["components"]["schemas"]["schemas_prediction_response"]["properties"]
    for name in ("error", "started_at", "completed_at"):
        fields[name]["type"] = ["string", "null"]
    fields["version"] = {"type": "string"}  # "hidden" is a string, too: `oneOf` would refuse it
    return document


def wrong(name: str, body: Any) -> str | None:
    """What that schema says against the body; None where nothing."""
    document = shapes()
    if document is None:
        return None
    checker = jsonschema.Draft202012Validator({"$ref": f"#/components/schemas/{name}", **document})
    error = next(checker.iter_errors(body), None)
    return None if error is None else f"{name}: {error.json_path}: {error.message}"


@dataclass(frozen=True)
class Recorded:
    """One request as it came in; `host` is api or stream."""

    host: str
    method: str
    path: str
    headers: dict[str, str]
    body: dict[str, Any]


@dataclass
class Job:
    """One prediction. `created` and `first` are seconds of the monotonic clock: the creation was read, the first piece
    of the output was written to whoever reads.
    """

    name: str
    owner: str
    input: dict[str, Any]
    version: str
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:26])
    status: str = "starting"
    output: list[str] = field(default_factory=list)
    error: str | None = None
    logs: str = ""
    created: float = field(default_factory=time.monotonic)
    first: float | None = None
    ended: float | None = None
    looks: int = 0

    @property
    def over(self) -> bool:
        """Whether it has ended."""
        return self.status in ("succeeded", "failed", "canceled", "aborted")


class ReplicateStandIn:
    """A running stand-in. `base_url` is the API with /v1, `host` without, `stream_host` the other port; `requests` is
    what came in, `jobs` the predictions in their order, `invalid` every body that the OpenAPI document refuses.

    `boot_s` is the cold start, `token_s` the time between two pieces, of models that name neither.
    """

    def __init__(self, *, boot_s: float = 0.0, token_s: float = 0.0, words: tuple[str, ...] = WORDS) -> None:
        self.boot_s, self.token_s, self.words = boot_s, token_s, words
        self.requests: list[Recorded] = []
        self.jobs: list[Job] = []
        self.invalid: list[str] = []
        self.closing = threading.Event()
        self.changed = threading.Condition()
        self._api, self._stream = _serve(ApiHandler, self), _serve(StreamHandler, self)
        self.host = f"http://127.0.0.1:{self._api.server_port}"
        self.base_url = f"{self.host}/v1"
        self.stream_host = f"http://127.0.0.1:{self._stream.server_port}"

    def seen(self, method: str, ending: str) -> list[Recorded]:
        """The requests of that method whose path ends so."""
        return [one for one in self.requests if one.method == method and one.path.endswith(ending)]

    def job(self, job_id: str) -> Job | None:
        """The prediction of that id."""
        return next((job for job in self.jobs if job.id == job_id), None)

    def close(self) -> None:
        """Stop listening."""
        self.closing.set()
        with self.changed:
            self.changed.notify_all()
        for server in (self._api, self._stream):
            server.shutdown()
            server.server_close()

    def work(self, job: Job) -> None:
        """What the machine of the model does, in a thread of its own."""
        name = job.name
        if self._waits(job, 3600.0 if name == "slow-boot" else self.boot_s):
            return
        with self.changed:
            job.status, job.logs = "processing", LOGS if name.startswith(IMAGES) else ""
            self.changed.notify_all()
        for number, piece in enumerate(self.pieces(job)):
            if name == "stall" and number == 1 and self._waits(job, 3600.0):
                return
            if self._waits(job, self.token_s):
                return
            with self.changed:
                job.output.append(piece)
                self.changed.notify_all()
        late = dict.fromkeys(("failed", "failed-late", "error-in-stream", "too-long", "image-failed"), "failed")
        late["canceled"] = "canceled"
        words = {"too-long": "Prompt length exceeds maximum input length (E1002)", "failed": f"out of memory {KEY}",
                 "image-failed": "NSFW content detected"}  # fmt: skip
        with self.changed:
            job.ended, job.status = time.monotonic(), late.get(name, "succeeded")
            job.error = words.get(name, "the model crashed") if job.status == "failed" else None
            self.changed.notify_all()

    def pieces(self, job: Job) -> list[str]:
        """The output, bounded by whatever the model calls its limit."""
        name = job.name
        if name.startswith(IMAGES):
            wanted = job.input.get("num_outputs", 1)
            return [f"{self.stream_host}/files/{job.id}/{self.file_of(name, at)}" for at in range(wanted)]
        if name in ("failed", "too-long"):
            return []
        words = TOKENS.get(name, self.words)
        limits = ("max_tokens", "max_new_tokens", "max_completion_tokens")
        limit = next((job.input[one] for one in limits if one in job.input), None)
        pieces = list(words[:limit])
        return pieces[:2] if name in ("failed-late", "error-in-stream", "canceled") else pieces

    def file_of(self, name: str, at: int) -> str:
        """The name of the file that an image model made."""
        if name == "image-one-gone":
            return "gone.png" if at == 1 else f"out-{at}.png"
        return {"image-page": "page.html", "image-endless": "endless.png", "image-gone": "gone.png"}.get(
            name, f"out-{at}.png"
        )

    def told(self, job: Job) -> dict[str, Any]:
        """The prediction as JSON."""
        own = f"{self.base_url}/predictions/{job.id}"
        urls = {"get": own, "cancel": f"{own}/cancel", "web": f"https://replicate.com/p/{job.id}"}
        if job.name not in ("no-stream", "instant") and not job.name.startswith(IMAGES):
            urls["stream"] = f"{self.stream_host}/v1/streams/{job.id}"
        if job.name == "strange-stream":
            urls["stream"] = "http://169.254.169.254/latest/meta-data"
        output: Any = list(job.output) or None
        if job.name == "string" and job.over:
            output = "".join(job.output)
        if job.name == "image-single" and output:
            output = output[0]
        if job.name == "image-elsewhere" and output:
            output = ["http://169.254.169.254/latest/meta-data", "file:///etc/passwd"]
        return {
            "id": job.id, "model": f"{job.owner}/{job.name}", "version": job.version, "input": job.input,
            "output": output, "logs": job.logs, "error": job.error, "status": job.status, "data_removed": False,
            "source": "api", "created_at": NOW, "started_at": None if job.status == "starting" else NOW,
            "completed_at": NOW if job.over else None, "urls": urls, "metrics": self._metrics(job),
        }  # fmt: skip

    def _metrics(self, job: Job) -> dict[str, Any]:
        if job.ended is None or job.name == "no-metrics":
            return {}
        spent = {"predict_time": 1.25, "total_time": 1.5}
        if job.status != "succeeded" or job.name.startswith(IMAGES):
            return spent
        return spent | {"input_token_count": PROMPT_TOKENS, "output_token_count": len(job.output),
                        "tokens_per_second": 40.0, "time_to_first_token": 0.25}  # fmt: skip

    def _waits(self, job: Job, seconds: float) -> bool:
        """Whether the prediction ended, or the stand-in, before the time was over."""
        end = time.monotonic() + seconds
        with self.changed:
            while not job.over and not self.closing.is_set() and (left := end - time.monotonic()) > 0:
                self.changed.wait(left)
        return job.over or self.closing.is_set()


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    standin: ReplicateStandIn

    def handle_error(self, *_: object) -> None:
        """A client that hangs up is part of the game."""


def _serve(handler: type[BaseHTTPRequestHandler], standin: ReplicateStandIn) -> _Server:
    server = _Server(("127.0.0.1", 0), handler)
    server.standin = standin
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    return server


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server
    host = "api"

    def log_message(self, *_: object) -> None:
        """Silence."""

    @property
    def standin(self) -> ReplicateStandIn:
        """Whose server this is."""
        return self.server.standin

    def _record(self, body: dict[str, Any]) -> None:
        self.standin.requests.append(Recorded(self.host, self.command, self.path, dict(self.headers), body))

    def _json(self, status: int, body: Any, headers: dict[str, str] | None = None) -> None:
        data = (body if isinstance(body, str) else json.dumps(body)).encode()
        self.send_response(status)
        self.send_header("Content-Type", "text/html" if isinstance(body, str) else "application/json")
        self.send_header("Content-Length", str(len(data)))
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data)

    def _wait_for_the_client_to_go(self) -> None:
        while not self.standin.closing.is_set():
            if select.select([self.connection], [], [], 0.02)[0] and not self.connection.recv(1, socket.MSG_PEEK):
                break
        self.close_connection = True


class ApiHandler(_Handler):
    """api.replicate.com."""

    def do_GET(self) -> None:
        self._record({})
        parts = self.path.strip("/").split("/")
        if not self._admitted():
            return
        if parts[1:] == ["account"]:
            self._json(200, {"type": "user", "username": "atelier", "name": "Atelier", "github_url": None})
        elif parts[1] == "collections":
            models = [self._model("meta", one, "short") for one in ("plain", "other-names")]
            self._json(200, {"name": "Language models", "slug": parts[2], "description": "", "models": models})
        elif parts[1] == "predictions":
            self._look(parts[2])
        elif parts[1] == "models" and len(parts) == 4:
            self._described(parts[2], parts[3])
        elif parts[1] == "models" and len(parts) == 6:
            self._json(200, self._version(parts[3], parts[5]))
        else:
            self._missing()

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or b"{}")
        self._record(body)
        parts = self.path.strip("/").split("/")
        if not self._admitted():
            return
        if parts[-1] == "cancel":
            self._cancel(parts[2])
        elif parts[1] == "models":
            self._create(parts[2], parts[3], "hidden", body, "schemas_prediction_request")
        else:
            name = self._named(str(body.get("version")))
            self._create("test", name, str(body.get("version")), body, "schemas_version_prediction_request")

    def _named(self, version: str) -> str:
        """The model of a version: versions of community models begin with the model's name in hex."""
        with contextlib.suppress(ValueError):
            name = bytes.fromhex(version).rstrip(b"\0").decode(errors="ignore")
            return name if name.isprintable() and name else "plain"
        return "plain"

    def _create(self, owner: str, name: str, version: str, body: dict[str, Any], request: str) -> None:
        if problem := wrong(request, body):
            self.standin.invalid.append(problem)
            self._json(422, {"title": "Invalid request", "detail": problem, "status": 422})
            return
        if name in REFUSALS:
            status, told, headers = REFUSALS[name]
            self._json(status, told, headers)
            return
        if name == "silent":
            self._wait_for_the_client_to_go()
            return
        if problem := self._refused_input(name, body["input"]):
            self._json(422, {"title": "Input validation failed", "detail": problem, "status": 422})
            return
        self._begun(Job(name, owner, body["input"], version))

    def _begun(self, job: Job) -> None:
        standin = self.standin
        with standin.changed:
            standin.jobs.append(job)
        if job.name == "instant":
            job.status, job.output, job.ended = "succeeded", standin.pieces(job), time.monotonic()
        elif job.name == "aborted":
            job.status = "aborted"
        else:
            if job.name in ("processing", "too-long"):
                job.status = "processing"
            if job.name == "processing":
                job.output.append(WORDS[0])
            told = self._checked(job)
            if job.name == "processing":
                job.output.clear()
            threading.Thread(target=standin.work, args=(job,), daemon=True).start()
            if seconds := self.headers.get("Prefer", "").partition("wait=")[2]:
                with standin.changed:
                    standin.changed.wait_for(lambda: job.over or standin.closing.is_set(), int(seconds))
                told = self._checked(job)
            self._json(201, told, {"Location": told["urls"]["get"]})
            return
        self._json(201, self._checked(job))

    def _checked(self, job: Job) -> dict[str, Any]:
        told = self.standin.told(job)
        if problem := wrong("schemas_prediction_response", told):
            self.standin.invalid.append(problem)
        if job.name == "no-version":
            del told["version"]
        return told

    def _refused_input(self, name: str, given: dict[str, Any]) -> str | None:
        document = schema(name)
        if document is None:
            return None
        known = document["components"]["schemas"]["Input"]
        for error in jsonschema.Draft202012Validator({**known, **document}).iter_errors(given):
            where = ".".join(["input", *map(str, error.path)])
            return f"- {where}: {error.message}\n"
        unknown = set(given) - set(known["properties"])
        return f"- input: Additional property {unknown.pop()} is not allowed\n" if unknown else None

    def _look(self, job_id: str) -> None:
        job = self.standin.job(job_id)
        if job is None:
            self._missing()
            return
        job.looks += 1
        if job.name == "throttled" and job.looks < 3:
            self._json(429, THROTTLED, {"Retry-After": "0.01"})
        elif job.name == "throttled-for-hours" and job.looks < 2:
            self._json(429, THROTTLED, {"Retry-After": "7200"})
        elif job.name == "cut-lost":
            self._json(503, {"title": "Service unavailable", "status": 503})
        elif job.name == "deleted":
            self._json(200, [])
        else:
            self._json(200, self._checked(job))

    def _cancel(self, job_id: str) -> None:
        job = self.standin.job(job_id)
        if job is None:
            self._missing()
            return
        with self.standin.changed:
            if not job.over:
                job.status, job.ended = "canceled", time.monotonic()
            self.standin.changed.notify_all()
        self._json(200, self._checked(job))

    def _described(self, owner: str, name: str) -> None:
        if name == "404":
            self._missing()
        elif name == "busy":
            self._json(429, THROTTLED, {"Retry-After": "0.5"})
        else:
            self._json(200, self._model(owner, name))

    def _model(self, owner: str, name: str, kind: str = "whole") -> dict[str, Any]:
        document = schema(name)
        community = owner == "test" and name.startswith("community")
        version = name.encode().hex().ljust(64, "0") if community else VERSION
        latest = None if document is None or kind == "short" else self._version(name, version)
        told = {"url": f"https://replicate.com/{owner}/{name}", "owner": owner, "name": name, "visibility": "public",
                "description": f"What {name} does", "run_count": 5, "is_official": not community,
                "latest_version": latest, "default_example": None, "github_url": None, "paper_url": None,
                "license_url": None, "cover_image_url": None}  # fmt: skip
        return told

    def _version(self, name: str, version: str) -> dict[str, Any]:
        return {"id": version, "created_at": NOW, "cog_version": "0.16.1", "openapi_schema": schema(name)}

    def _admitted(self) -> bool:
        if self.headers.get("Authorization") == f"Bearer {KEY}":
            return True
        self._json(
            401, {"title": "Unauthenticated", "detail": "You did not pass an authentication token", "status": 401}
        )
        return False

    def _missing(self) -> None:
        self._json(404, {"detail": "The requested resource could not be found.", "status": 404})


class StreamHandler(_Handler):
    """streaming.api.replicate.com, and replicate.delivery below /files."""

    host = "stream"
    end = b"\n"

    def do_GET(self) -> None:
        self._record({})
        parts = self.path.strip("/").split("/")
        if parts[0] == "files":
            self._file(parts[-1])
            return
        job = self.standin.job(parts[-1])
        if job is None or job.name == "stream-404":
            self._json(404, {"detail": "Not found"})
            return
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.end = b"\r\n" if job.name == "crlf" else b"\n"
        with contextlib.suppress(OSError):
            self._events(job)

    def _events(self, job: Job) -> None:
        name, sent = job.name, 0
        if name in ("crlf", "ping"):
            self._chunk(b": hello" + self.end * 2)
        if name == "ping":
            self._event("ping", "{}")
            self._event("logs", "Loading weights")
        while True:
            with self.standin.changed:
                while len(job.output) == sent and not job.over and not self.standin.closing.is_set():
                    self.standin.changed.wait(1.0)
                fresh, over = job.output[sent:], job.over
            if self.standin.closing.is_set():
                return
            for piece in fresh:
                if sent == 2 and self._fault(name):
                    return
                sent += 1
                self._event("output", piece, number=sent)
                if job.first is None:
                    job.first = time.monotonic()
            if over and len(job.output) == sent:
                break
            if name == "silent-stream" and sent == 2:  # comments, and nothing else for ever
                while not self.standin.closing.wait(0.05):
                    self._chunk(b": still here" + self.end * 2)
                return
        if job.status == "failed":
            self._event("error", json.dumps({"detail": job.error}))
        reason = {"failed": "error", "canceled": "canceled"}.get(job.status)
        self._event("done", json.dumps({"reason": reason} if reason else {}), numbered=False)
        self.wfile.write(b"0\r\n\r\n")

    def _fault(self, name: str) -> bool:
        """What happens after the second piece; True when the stream is over with it."""
        if name in ("cut", "cut-lost"):  # in the middle of a chunk
            self.wfile.write(b"30\r\nevent: output\nda")
            self.wfile.flush()
            self.connection.shutdown(socket.SHUT_RDWR)
        elif name in ("cut-clean", "deleted", "throttled", "throttled-for-hours"):  # the transfer ends well
            self.wfile.write(b"0\r\n\r\n")
        elif name == "idle":
            self._chunk(b":408: 408 Request Timeout\n\n")
            self.wfile.write(b"0\r\n\r\n")
        else:
            return False
        self.close_connection = True
        return True

    def _event(self, kind: str, data: str, *, number: int = 0, numbered: bool = True) -> None:
        lines = [f"event: {kind}", *(f"data: {line}" for line in data.split("\n"))]
        if number and numbered and "no-ids" not in self.path and not self._without_ids:
            lines.insert(1, f"id: 1690212292:{number}")
        block = self.end.join(line.encode() for line in lines) + self.end * 2
        job = self.standin.job(self.path.rsplit("/", 1)[-1])
        if job is not None and job.name == "unicode":  # one byte at a time: characters are cut in the middle
            for at in range(len(block)):
                self._chunk(block[at : at + 1])
            return
        self._chunk(block)

    @property
    def _without_ids(self) -> bool:
        job = self.standin.job(self.path.rsplit("/", 1)[-1])
        return job is not None and job.name == "no-ids"

    def _chunk(self, data: bytes) -> None:
        self.wfile.write(b"%x\r\n%s\r\n" % (len(data), data))
        self.wfile.flush()

    def _file(self, name: str) -> None:
        if name == "gone.png":
            self._json(404, {"detail": "Not found"})
            return
        if name == "page.html":
            self._json(200, "<script>alert(1)</script>")
            return
        self.send_response(200)
        self.send_header("Content-Type", "image/png")
        if name == "endless.png":
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            self._chunk(picture(0))
            with contextlib.suppress(OSError):
                while not self.standin.closing.is_set():
                    self._chunk(b"\0" * 65536)
            return
        data = picture(zlib.crc32(self.path.encode()) % 256)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)


def picture(shade: int, side: int = 64) -> bytes:
    """A real PNG of that grey."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    row = b"\0" + bytes([shade]) * side
    head = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(row * side)) + chunk(b"IEND", b"")


@contextlib.contextmanager
def replicate_standin(**options: Any) -> Iterator[ReplicateStandIn]:
    """A stand-in for the length of the block; every body of it and to it was as the OpenAPI document says."""
    server = ReplicateStandIn(**options)
    try:
        yield server
    finally:
        server.close()
    assert not server.invalid, server.invalid
