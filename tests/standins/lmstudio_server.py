"""A loopback LM Studio: OpenAI's protocol of the other stand-in under `/v1`, its own routes under `/api/v1` and
`/api/v0`, with its quirks.

An answer that its limit cut is counted one token too short; a question loads a model that is not loaded; a route that
it does not know is answered 200 with an error in it. `Handler.version` 3 is LM Studio 0.3, which has no `/api/v1`.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from typing import Any

from tests.standins.openai_server import Chunk, Handler, OpenAIStandIn, openai_error, plain

MODELS = {"plain": 32768, "other": 4096}
JIT_WINDOW = 4096
STATS = {"tokens_per_second": 51.4, "time_to_first_token": 0.111, "generation_time": 0.954, "stop_reason": "eosFound"}


class LMStudioHandler(Handler):
    """`loaded` are the windows by the name of an instance; `token` is the key that it wants, if any."""

    loaded: dict[str, int]
    token: str | None = None
    version = 4

    def do_GET(self) -> None:
        if not self._admitted():
            return
        if self.path == "/api/v1/models" and self.version >= 4:
            self._answer({"models": [self._v1(name) for name in MODELS]})
        elif self.path == "/api/v0/models":
            self._answer({"object": "list", "data": [self._v0(name) for name in MODELS]})
        elif self.path.startswith("/api/"):
            self._unexpected()
        else:
            super().do_GET()

    def do_POST(self) -> None:
        if not self._admitted():
            return
        if not self.path.startswith("/api/"):
            super().do_POST()
            return
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/v1/models/load" and self.version >= 4:
            self._record(body)
            self._load(body)
        elif self.path == "/api/v1/models/unload" and self.version >= 4:
            self._record(body)
            self.loaded.pop(body["instance_id"], None)
            self._json(200, {"instance_id": body["instance_id"]})
        else:
            self._unexpected(body)

    def _stream(self, body: dict[str, Any]) -> None:
        self.loaded.setdefault(body["model"], JIT_WINDOW)
        super()._stream(body)

    def chunks(self, body: dict[str, Any]) -> list[Chunk]:
        """The chunks of the answer, counted as LM Studio 0.4.22 counts; "stats" tells what its own routes tell."""
        chunks = plain(body) if body["model"] in MODELS else super().chunks(body)
        for chunk in chunks:
            usage = chunk.get("usage")
            if usage and chunks[-2]["choices"][0]["finish_reason"] == "length":
                usage["completion_tokens"] -= 1
        if body["model"] == "other":
            chunks[-1] |= {"stats": STATS, "model_info": {"arch": "llama", "quant": "Q4_K_M", "context_length": 4096}}
        return chunks

    def _load(self, body: dict[str, Any]) -> None:
        name = body["model"]
        if name not in MODELS:
            self._json(404, openai_error(f"Model {name} not found", "model_not_found"))
            return
        window = self.loaded[name] = body.get("context_length", JIT_WINDOW)
        self._json(200, {"type": "llm", "instance_id": name, "load_time_seconds": 0.1, "status": "loaded",
                         "load_config": {"context_length": window}})  # fmt: skip

    def _v1(self, name: str) -> dict[str, Any]:
        instances = [{"id": name, "config": {"context_length": self.loaded[name]}}] if name in self.loaded else []
        return {"type": "llm", "publisher": "test", "key": name, "display_name": name.title(), "architecture": "llama",
                "quantization": {"name": "Q8_0", "bits_per_weight": 8}, "size_bytes": 1000, "params_string": "135M",
                "loaded_instances": instances, "max_context_length": MODELS[name], "format": "gguf"}  # fmt: skip

    def _v0(self, name: str) -> dict[str, Any]:
        state = {"state": "loaded", "loaded_context_length": self.loaded[name]} if name in self.loaded else {}
        return {"id": name, "object": "model", "type": "llm", "quantization": "Q8_0", "state": "not-loaded",
                "max_context_length": MODELS[name], **state}  # fmt: skip

    def _answer(self, body: dict[str, Any]) -> None:
        self._record({})
        self._json(200, body)

    def _unexpected(self, body: dict[str, Any] | None = None) -> None:
        self._record(body or {})
        self._json(200, {"error": f"Unexpected endpoint or method. ({self.command} {self.path}). Returning 200 anyway"})

    def _admitted(self) -> bool:
        if self.token is None or self.headers.get("Authorization") == f"Bearer {self.token}":
            return True
        self._record({})
        self.close_connection = True  # the body is not read
        self._json(401, openai_error("An LM Studio API token is required", "invalid_request_error", "invalid_api_key"))
        return False


class LMStudioStandIn(OpenAIStandIn):
    """A running stand-in; `loaded` are the windows of what is in memory."""

    def __init__(self, port: int = 0, *, version: int = 4, token: str | None = None) -> None:
        self.loaded: dict[str, int] = {}
        fields = {"loaded": self.loaded, "version": version, "token": token}
        super().__init__(port, type("Handler", (LMStudioHandler,), fields))


@contextlib.contextmanager
def lmstudio_standin(port: int = 0, *, version: int = 4, token: str | None = None) -> Iterator[LMStudioStandIn]:
    """A stand-in for the length of the block."""
    server = LMStudioStandIn(port, version=version, token=token)
    try:
        yield server
    finally:
        server.close()
