"""Code for servers with a protocol of their own: posted to their own routes, and to OpenAI's where a client knows no
other.
"""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator

import pytest

from engine.backends.base import Request
from engine.backends.ollama import Ollama
from engine.backends.responses import Responses
from engine.params import Params
from engine.providers import provider
from engine.shapes import EMBEDDINGS, OLLAMA, RESPONSES, openai_shape, shape_of
from engine.snippets import Snippets, portable, snippets
from engine.types import Message
from tests.standins.ollama_server import OllamaStandIn, ollama_standin
from tests.standins.openai_server import OpenAIStandIn

HI = Request((Message("user", "Hi"),), Params(max_tokens=2, seed=7))


@pytest.fixture
def ollama() -> Iterator[OllamaStandIn]:
    with ollama_standin() as server:
        yield server


def of_ollama(server: OllamaStandIn) -> Snippets:
    body = Ollama(server.base_url, "plain", None, provider("ollama")).body(HI)
    return snippets(portable(body, "plain"), server.base_url, None)


def test_ollamas_own_route_is_asked_with_its_window(ollama: OllamaStandIn) -> None:
    made = of_ollama(ollama)
    assert ollama.base_url.replace("/v1", "/api/chat") in made.curl and '"num_ctx"' in made.curl
    assert "$answer.message.content" in made.powershell and ".message.content" in made.javascript
    if shutil.which("curl"):
        subprocess.run(["bash", "-c", made.curl], capture_output=True, check=True, timeout=240)
        sent = ollama.chats()[-1].body
        assert sent["options"]["num_ctx"] == 8192 and (sent["truncate"], sent["stream"]) == (False, False)


def test_openais_clients_get_what_they_have_words_for(ollama: OllamaStandIn) -> None:
    made = of_ollama(ollama)
    for text in (made.python, made.langchain or "", made.llamaindex or ""):
        assert "num_ctx" not in text and "options" not in text and "seed=7" in text
    schema = {"model": "m", "messages": [], "options": {"num_ctx": 9, "num_predict": 3, "top_k": 2}, "format": {"a": 1}}
    told = openai_shape(schema)
    assert told["max_tokens"] == 3 and "top_k" not in told
    assert told["response_format"]["json_schema"]["schema"] == {"a": 1}


def test_responses_are_asked_through_their_route(openai_server: OpenAIStandIn) -> None:
    body = Responses(openai_server.base_url, "plain", None, provider("perplexity")).body(HI)
    made = snippets(portable(body, "plain"), openai_server.base_url, None)
    assert f"{openai_server.base_url}/responses" in made.curl and made.langchain is made.llamaindex is None
    compile(made.python, "shown", "exec")
    assert "client.responses.create(" in made.python and "max_output_tokens=2" in made.python
    if shutil.which("curl"):
        subprocess.run(["bash", "-c", made.curl], capture_output=True, check=True, timeout=240)
        assert openai_server.last.body["input"][0]["content"] == "Hi"


def test_shapes_are_told_by_fields() -> None:
    assert shape_of({"input": ["a text"]}) is EMBEDDINGS and shape_of({"input": "a text"}) is EMBEDDINGS
    assert shape_of({"input": [{"role": "user", "content": "x"}]}) is RESPONSES
    assert shape_of({"messages": [], "options": {"num_ctx": 1}}) is OLLAMA
