"""The ways to ask one question: raw runtime, engine, /v1, Gradio, Streamlit; each timed as its user sees it.

Knows no statistics. A door is asked from many threads at once.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Protocol
from urllib.parse import urlencode

from engine.backends.base import Control
from engine.model import Model
from engine.params import Params
from engine.runtime.client import LlamaServer
from engine.types import Message, TextDelta


@dataclass(frozen=True)
class Asked:
    """One question: its text, seed and the most tokens of the answer."""

    question: str
    seed: int
    tokens: int


@dataclass
class Answer:
    """What came back: seconds from the question to the first text and to the last, the text, the error if any."""

    first: float | None = None
    total: float = 0.0
    text: str = ""
    error: str | None = None
    started: float = field(default_factory=time.perf_counter)

    def take(self, text: str) -> None:
        """Note more text, now."""
        if text:
            self.total = time.perf_counter() - self.started
            self.first = self.first or self.total
        self.text += text

    def end(self) -> Answer:
        """The answer; one without a text lasted until now."""
        self.total = self.total or time.perf_counter() - self.started
        return self


class Door(Protocol):
    """One way to ask."""

    name: str

    def ask(self, asked: Asked) -> Answer:
        """The whole answer, timed."""
        ...


class Raw:
    """The runtime's own HTTP address, with nothing in front: the base of all ratios."""

    name = "raw"

    def __init__(self, server: LlamaServer, path: str = "/v1/chat/completions", name: str = "raw") -> None:
        self.server, self.path, self.name = server, path, name

    def ask(self, asked: Asked) -> Answer:
        """The answer over HTTP, as any OpenAI client asks."""
        body = {
            "messages": [{"role": "user", "content": asked.question}],
            **Params(max_tokens=asked.tokens, seed=asked.seed).to_llamacpp(),
            "stream": True,
            "stream_options": {"include_usage": True},
        }
        answer = Answer()
        with contextlib.closing(self.server.stream(self.path, body, Control())) as chunks:
            for chunk in chunks:
                if choices := chunk.get("choices"):
                    answer.take(choices[0].get("delta", {}).get("content") or "")
        return answer.end()


class Engine:
    """`Model.stream` of the engine, in this process."""

    name = "engine"

    def __init__(self, model: Model, owner: str = "local") -> None:
        self.model, self.owner = model, owner

    def ask(self, asked: Asked) -> Answer:
        """The answer as a page gets it, event by event."""
        params = Params(max_tokens=asked.tokens, seed=asked.seed)
        answer = Answer()
        for event in self.model.stream([Message("user", asked.question)], params, owner=self.owner):
            if isinstance(event, TextDelta):
                answer.take(event.text)
        return answer.end()


class Gradio:
    """The named endpoint /chat of the Gradio mirror, over its event stream."""

    name = "gradio"

    def __init__(self, address: str) -> None:
        self.address = address
        self._local = threading.local()

    def ask(self, asked: Asked) -> Answer:
        """The answer as `gradio_client` streams it; every update carries the whole text so far."""
        client = self._client()
        answer = Answer()
        parameters = {"max_tokens": asked.tokens, "seed": asked.seed}
        job = client.submit(asked.question, params=parameters, api_name="/chat")
        for update in job:
            answer.take(update[0][len(answer.text) :])
        return answer.end()

    def _client(self) -> Any:
        from gradio_client import Client

        if not hasattr(self._local, "client"):
            self._local.client = Client(self.address, verbose=False)
        return self._local.client


class Streamlit:
    """A headless session of the Streamlit page: its websocket and its protocol buffers, without a browser."""

    name = "streamlit"

    def __init__(self, address: str) -> None:
        self.address = address.replace("http", "ws", 1)

    def ask(self, asked: Asked) -> Answer:
        """The answer as the browser would receive it: a new session, then one question typed into its chat box."""
        from websockets.sync.client import connect

        query = urlencode({"max_tokens": asked.tokens, "seed": asked.seed})
        with connect(
            f"{self.address}/_stcore/stream", subprotocols=["streamlit"], max_size=None, open_timeout=30
        ) as socket:  # type: ignore[list-item]
            socket.send(_rerun(query, None, None))
            box = _chat_box(socket)
            answer = Answer()
            socket.send(_rerun(query, box, asked.question))
            for text in _answers(socket):
                # a long answer is redrawn as a whole at each update
                answer.take(text[len(answer.text) :] if len(text) >= len(answer.text) else "")
            return answer.end()


@contextlib.contextmanager
def streamlit_run(address: str, query: str) -> Iterator[Callable[[], float]]:
    """A session of the Streamlit page, drawn; calling it runs the page again and gives the seconds until its end."""
    from websockets.sync.client import connect

    where = f"{address.replace('http', 'ws', 1)}/_stcore/stream"
    with connect(where, subprotocols=["streamlit"], max_size=None, open_timeout=30) as socket:  # type: ignore[list-item]

        def again() -> float:
            started = time.perf_counter()
            socket.send(_rerun(query, None, None))
            for _ in _messages(socket):
                pass
            return time.perf_counter() - started

        again()
        yield again


MAIN = 0  # streamlit.proto RootContainer


def _rerun(query: str, widget: str | None, value: str | None) -> bytes:
    from streamlit.proto.BackMsg_pb2 import BackMsg

    message = BackMsg()
    message.rerun_script.query_string = query
    if widget:
        state = message.rerun_script.widget_states.widgets.add(id=widget)
        state.chat_input_value.data = value or ""
    data: bytes = message.SerializeToString()
    return data


def _messages(socket: Any) -> Iterator[Any]:
    """Forward messages until the script has finished; one that begins anew, since the model is loaded now, has not."""
    from streamlit.proto.ForwardMsg_pb2 import ForwardMsg

    while True:
        message = ForwardMsg()
        message.ParseFromString(socket.recv(timeout=600))
        yield message
        early = message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN
        if message.WhichOneof("type") == "script_finished" and not early:
            return


def _chat_box(socket: Any) -> str:
    box = ""
    for message in _messages(socket):
        element = message.delta.new_element
        if message.WhichOneof("type") == "delta" and element.WhichOneof("type") == "chat_input":
            box = element.chat_input.id
    if not box:
        raise RuntimeError("the page has no chat box")
    return box


def _answers(socket: Any) -> Iterator[str]:
    """Texts of the Markdown element of the answer: the one in a chat message that is drawn again and again."""
    drawn: dict[tuple[int, ...], int] = {}
    for message in _messages(socket):
        element, place = message.delta.new_element, tuple(message.metadata.delta_path)
        is_text = message.WhichOneof("type") == "delta" and element.WhichOneof("type") == "markdown"
        if not is_text or place[0] != MAIN or len(place) < 3:
            continue
        drawn[place] = drawn.get(place, 0) + 1
        if drawn[place] == max(drawn.values()):
            yield element.markdown.body
