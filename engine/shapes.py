"""The protocol that a request is written in, told by its fields: where it goes, where the text of an answer lies, and
the same request in OpenAI's chat form. Knows no program text.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Fields of Ollama's body that OpenAI's has no word for: the window, and not to cut a prompt in silence
_OLLAMA_ALONE = frozenset({"format", "keep_alive", "messages", "options", "shift", "think", "truncate"})


@dataclass(frozen=True)
class Shape:
    """`route` after the base URL, or after its root where `native`; `text` is where the answer's text lies, in
    JavaScript and in PowerShell.
    """

    route: str
    text: str
    powershell: str
    native: bool = False

    def address(self, base_url: str) -> str:
        """Where such a body is posted."""
        base = base_url.rstrip("/")
        return f"{base.removesuffix('/v1') if self.native else base}/{self.route}"


CHAT = Shape("chat/completions", "choices[0].message.content", "choices[0].message.content")
TEXT = Shape("completions", "choices[0].text", "choices[0].text")
EMBEDDINGS = Shape("embeddings", "data.map((one) => one.embedding)", "data.embedding")
OLLAMA = Shape("api/chat", "message.content", "message.content", native=True)
REPLICATE = Shape("predictions", "output", "output")
RESPONSES = Shape("responses", "output.at(-1).content[0].text", "output[-1].content[0].text")


def shape_of(body: Mapping[str, Any]) -> Shape:
    """The shape of a body."""
    if "messages" in body:
        return OLLAMA if "num_ctx" in (body.get("options") or {}) else CHAT
    if "input" in body:
        asked = body["input"]
        if isinstance(asked, Mapping):
            return REPLICATE
        spoken = isinstance(asked, list) and any(isinstance(one, Mapping) for one in asked)
        return RESPONSES if spoken else EMBEDDINGS
    return TEXT


def openai_shape(body: Mapping[str, Any]) -> Mapping[str, Any]:
    """The request for clients that know OpenAI's routes alone: Ollama's without the window, for which these have no
    word; every other one as it is.
    """
    if shape_of(body) is not OLLAMA:
        return body
    options = {name: value for name, value in body["options"].items() if name != "num_ctx"}
    limit = options.pop("num_predict", -1)
    told = {name: value for name, value in body.items() if name not in _OLLAMA_ALONE}
    form = body.get("format")
    if isinstance(form, Mapping):
        told["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": form}}
    elif form == "json":
        told["response_format"] = {"type": "json_object"}
    known = {name: value for name, value in options.items() if name in _OPENAI_OPTIONS}
    return {**told, "messages": body["messages"], **known, **({} if limit < 0 else {"max_tokens": limit})}


_OPENAI_OPTIONS = frozenset({"temperature", "top_p", "seed", "stop", "presence_penalty", "frequency_penalty"})
