"""What every backend keeps, whatever is behind it: the same tests run against all of them."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from engine.backends.base import Backend, Control, Report, Request
from engine.backends.echo import Echo
from engine.backends.llamacpp import LlamaCpp
from engine.backends.lmstudio import LMStudio
from engine.backends.ollama import Ollama
from engine.backends.openai_compat import OpenAICompat
from engine.backends.pool import Balance, Pool
from engine.backends.replicate import Replicate
from engine.backends.responses import Responses
from engine.errors import EngineError, NotSupported, PromptTooLong
from engine.generation import Generation
from engine.params import Params
from engine.providers import Provider, provider
from engine.runtime.client import LlamaServer
from engine.runtime.supervisor import LocalRuntime
from engine.types import CAPABILITIES, Event, Finished, Heartbeat, Message, ReasoningDelta, TextDelta, ToolCall
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.llama_server import BareServer
from tests.standins.lmstudio_server import LMStudioStandIn
from tests.standins.ollama_server import OllamaStandIn
from tests.standins.openai_server import KEY, OpenAIStandIn
from tests.standins.replicate_server import KEY as REPLICATE_KEY
from tests.standins.replicate_server import ReplicateStandIn

STORY = "Write a very long story about a dog."
LONG = "one two three four five six seven eight nine ten " * 90  # some 900 tokens, seconds of reading
TOO_LONG = LONG * 20

PROGRESS = frozenset({"prompt_progress"})
STATS_KEYS = [
    "stopReason",
    "tokensPerSecond",
    "numGpuLayers",
    "timeToFirstTokenSec",
    "totalTimeSec",
    "promptTokensCount",
    "predictedTokensCount",
    "totalTokensCount",
    "cachedTokensCount",
    "wallTimeSec",
    "source",
]


@dataclass
class Case:
    """A backend, and what makes it answer at length or be silent for a while; `idle` says that nothing works for us."""

    backend: Backend
    endless: Request
    silent: Request
    refused: Request
    idle: Callable[[], bool] = lambda: True
    silent_backend: Backend | None = None
    endless_backend: Backend | None = None
    refused_backend: Backend | None = None
    exact: bool = field(init=False)

    def __post_init__(self) -> None:
        self.exact = "exact_count" in self.backend.capabilities


def request(text: str = "hi", *, virtual_window: int | None = None, **more: Any) -> Request:
    params = {"temperature": 0, "max_tokens": more.pop("max_tokens", 8)}
    return Request((Message("user", text),), Params(params), virtual_window=virtual_window, **more)


def free_slots(server: LlamaServer) -> bool:
    return not any(slot["is_processing"] for slot in server.get("/slots"))


@pytest.fixture(
    params=[
        pytest.param("llamacpp", marks=pytest.mark.model),
        pytest.param("openai_compat to llama.cpp", marks=pytest.mark.model),
        "openai_compat to the stand-in",
        "responses to the stand-in",
        "lmstudio to the stand-in",
        "ollama to the stand-in",
        "replicate to the stand-in",
        "a pool of two",
        "echo",
    ]
)
def case(request: pytest.FixtureRequest) -> Iterator[Case]:
    opened = {
        "llamacpp": local_case,
        "openai_compat to llama.cpp": remote_llama_case,
        "openai_compat to the stand-in": standin_case,
        "responses to the stand-in": responses_case,
        "lmstudio to the stand-in": lmstudio_case,
        "ollama to the stand-in": ollama_case,
        "replicate to the stand-in": replicate_case,
        "a pool of two": pool_case,
        "echo": echo_case,
    }[request.param](request)
    yield opened
    opened.backend.close()


def local_case(fixtures: pytest.FixtureRequest) -> Case:
    runtime: LocalRuntime = fixtures.getfixturevalue("llama")
    list(runtime.ready())
    return Case(
        LlamaCpp(runtime),
        endless=request(STORY, max_tokens=-1),
        silent=request(LONG + str(time.time()), max_tokens=1),
        refused=request(TOO_LONG),
        idle=lambda: free_slots(runtime.server) and runtime.gate.snapshot().running == 0,
    )


def remote_llama_case(fixtures: pytest.FixtureRequest) -> Case:
    bare: BareServer = fixtures.getfixturevalue("bare_llama")
    row = Provider(id="llama", name="llama.cpp", base_url=bare.address, params=frozenset(Params()), quirks=PROGRESS)
    server = LlamaServer(bare.address, bare.key)
    fixtures.addfinalizer(server.close)
    return Case(
        OpenAICompat(f"{bare.address}/v1", "smollm2", bare.key, row),
        endless=request(STORY, max_tokens=-1),
        silent=request(str(time.time()) + LONG, max_tokens=1),
        refused=request(TOO_LONG),
        idle=lambda: free_slots(server),
    )


def named_case(opened: Callable[[str], Backend], refused: str = "too-long-openai") -> Case:
    """A backend whose model's name chooses what happens."""
    return Case(
        opened("plain"),
        endless=request(),
        silent=request(),
        refused=request(TOO_LONG if refused == "plain" else "hi"),
        endless_backend=opened("stall"),
        silent_backend=opened("silent"),
        refused_backend=opened(refused),
    )


def standin_case(fixtures: pytest.FixtureRequest) -> Case:
    server: OpenAIStandIn = fixtures.getfixturevalue("openai_server")
    row = Provider(id="standin", name="Stand-in", base_url=server.base_url)
    return named_case(lambda model: OpenAICompat(server.base_url, model, KEY, row))


def responses_case(fixtures: pytest.FixtureRequest) -> Case:
    server: OpenAIStandIn = fixtures.getfixturevalue("openai_server")
    return named_case(lambda model: Responses(server.base_url, model, KEY, provider("perplexity")))


def lmstudio_case(fixtures: pytest.FixtureRequest) -> Case:
    server = LMStudioStandIn()
    fixtures.addfinalizer(server.close)
    return named_case(lambda model: LMStudio(server.base_url, model, KEY, provider("lmstudio")))


def ollama_case(fixtures: pytest.FixtureRequest) -> Case:
    server = OllamaStandIn()
    fixtures.addfinalizer(server.close)
    return named_case(lambda model: Ollama(server.base_url, model, KEY, provider("ollama")), refused="plain")


def replicate_case(fixtures: pytest.FixtureRequest) -> Case:
    server = ReplicateStandIn()
    fixtures.addfinalizer(server.close)
    return named_case(
        lambda model: Replicate(
            server.base_url, {"too-long-openai": "meta/too-long"}.get(model, f"meta/{model}"), REPLICATE_KEY,
            provider("replicate"), poll_s=0.02,
        )
    )  # fmt: skip


def pool_case(fixtures: pytest.FixtureRequest) -> Case:
    server: OpenAIStandIn = fixtures.getfixturevalue("openai_server")
    row, balance = Provider(id="standin", name="Stand-in", base_url=server.base_url), Balance()
    fixtures.addfinalizer(balance.close)
    addresses = (server.base_url, server.base_url.replace("127.0.0.1", "localhost"))
    return named_case(
        lambda model: Pool({url: OpenAICompat(url, model, KEY, row) for url in addresses}, balance, lambda _: True)
    )


def echo_case(_: pytest.FixtureRequest) -> Case:
    return Case(
        Echo(window=1024),
        endless=request("la " * 400, extra={"delay": 0.5}, max_tokens=-1),
        silent=request(extra={"prompt_delay": 60}),
        refused=request(TOO_LONG),
    )


def generate(backend: Backend, asked: Request) -> Generation:
    return Generation(backend, asked, model="the-model")


def drained(generation: Generation) -> list[Event]:
    """All events; an error that was raised is in the result."""
    events: list[Event] = []
    with contextlib.suppress(EngineError):
        events.extend(iter(generation))
    return events


def seconds_to_end(generation: Generation) -> float:
    started = time.monotonic()
    drained(generation)
    return time.monotonic() - started


def is_idle_soon(case: Case) -> bool:
    return wait_for(case.idle, SOON_S)


def test_it_ends_with_exactly_one_finished(case: Case) -> None:
    generation = generate(case.backend, request())
    events = drained(generation)
    finished = [event for event in events if isinstance(event, Finished)]
    assert finished == [events[-1]]
    result = generation.result
    assert (finished[0].outcome, finished[0].usage, finished[0].stats) == (result.outcome, result.usage, result.stats)
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == result.text
    assert result.text
    assert result.error is None


def test_the_result_is_json_with_lm_studios_keys(case: Case) -> None:
    generation = generate(case.backend, request(max_tokens=2))
    drained(generation)
    data = json.loads(json.dumps(generation.result.to_dict()))
    assert list(data) == ["text", "stats", "usage", "outcome", "model", "trace_id"]
    assert list(data["stats"]) == STATS_KEYS
    assert data["stats"]["predictedTokensCount"] == data["usage"]["completion_tokens"]
    assert 0 <= data["stats"]["timeToFirstTokenSec"] <= data["stats"]["wallTimeSec"]


def test_max_tokens(case: Case) -> None:
    generation = generate(case.backend, request("Tell me of cats and dogs.", max_tokens=3))
    drained(generation)
    assert generation.result.outcome == "max_tokens"
    assert generation.result.usage.completion_tokens == 3


def test_the_virtual_window(case: Case) -> None:
    """Where tokens can be counted beforehand it is kept exactly; elsewhere it is refused, never ignored."""
    if not case.exact:
        with pytest.raises(NotSupported):
            list(case.backend.run(request(virtual_window=50), Control()))
        return
    text = "Tell me of cats, of dogs and of all the birds that you know in this world."
    count = case.backend.count(request(text))
    full = generate(case.backend, request(text, virtual_window=count + 3, max_tokens=-1))
    drained(full)
    assert (full.result.outcome, full.result.usage.total_tokens) == ("window_full", count + 3)
    bounded = generate(case.backend, request(text, virtual_window=count + 3, max_tokens=2))
    drained(bounded)
    assert bounded.result.outcome == "max_tokens"
    with pytest.raises(PromptTooLong) as refused:
        list(case.backend.run(request(text, virtual_window=count), Control()))
    assert (refused.value.prompt_tokens, refused.value.window) == (count, count)


def test_it_can_be_iterated_once(case: Case) -> None:
    generation = generate(case.backend, request(max_tokens=1))
    drained(generation)
    with pytest.raises(RuntimeError):
        iter(generation)


def test_stop_while_it_writes(case: Case) -> None:
    generation = generate(case.endless_backend or case.backend, case.endless)
    stopped_at: list[float] = []

    def stop() -> None:
        stopped_at.append(time.monotonic())
        generation.stop()

    seen = ""
    for event in generation:
        if isinstance(event, TextDelta):
            seen += event.text
            if not stopped_at:
                threading.Timer(0.1, stop).start()
                stopped_at.append(float("nan"))
    assert time.monotonic() - stopped_at[-1] < SOON_S
    result = generation.result
    assert (result.outcome, result.error) == ("user_stopped", None)
    assert result.text == seen != ""
    counts_are_true_or_unknown(case, generation)
    assert is_idle_soon(case)


def counts_are_true_or_unknown(case: Case, generation: Generation) -> None:
    """Of an answer that ended early; a count that nobody knows is None, never 0."""
    result, usage = generation.result, generation.result.usage
    if case.exact:
        assert usage.prompt_tokens == case.backend.count(generation.request)
        assert usage.completion_tokens and usage.completion_tokens <= len(result.text.encode())
    else:
        assert usage.completion_tokens is None
    assert result.stats.tokens_per_second != 0 and result.stats.total_time != 0


def test_stop_while_it_is_silent(case: Case) -> None:
    generation = generate(case.silent_backend or case.backend, case.silent)
    time.sleep(0.4)
    generation.stop()
    generation.stop()
    assert seconds_to_end(generation) < SOON_S
    assert generation.result.outcome == "user_stopped"
    assert is_idle_soon(case)


def test_stop_at_once_and_stop_too_late(case: Case) -> None:
    early = generate(case.backend, case.endless)
    early.stop()
    events = drained(early)
    assert isinstance(events[-1], Finished)
    assert early.result.outcome == "user_stopped"
    late = generate(case.backend, request(max_tokens=1))
    drained(late)
    outcome = late.result.outcome
    late.stop()
    assert late.result.outcome == outcome != "user_stopped"


def test_a_consumer_who_leaves_stops_it(case: Case) -> None:
    generation = generate(case.endless_backend or case.backend, case.endless)
    events = iter(generation)
    next(event for event in events if isinstance(event, TextDelta))
    events.close()  # type: ignore[attr-defined]
    assert generation.result.outcome == "user_stopped"
    assert is_idle_soon(case)


def test_heartbeats_while_it_is_silent(case: Case) -> None:
    generation = generate(case.silent_backend or case.backend, case.silent)
    gaps, last, beats = [], time.monotonic(), 0
    for event in generation:
        now = time.monotonic()
        gaps.append(now - last)
        last, beats = now, beats + isinstance(event, Heartbeat)
        if beats == 3:
            break
        assert len(gaps) < 50
    generation.stop()
    assert beats == 3
    assert max(gaps) < SOON_S
    assert generation.result.outcome == "user_stopped"


def test_a_refused_prompt(case: Case) -> None:
    backend = case.refused_backend or case.backend
    with pytest.raises(PromptTooLong) as refused:
        list(backend.run(case.refused, Control()))
    if refused.value.prompt_tokens is not None:  # Ollama keeps it to itself
        assert refused.value.prompt_tokens >= refused.value.window  # type: ignore[operator]
    generation = generate(backend, case.refused)
    events = drained(generation)
    assert not [event for event in events if not isinstance(event, Heartbeat | Finished)]
    assert (generation.result.outcome, generation.result.text) == ("failed", "")
    assert isinstance(generation.result.error, PromptTooLong)


def test_run_gives_events_and_one_report_last(case: Case) -> None:
    came = list(case.backend.run(request(), Control()))
    assert [isinstance(item, Report) for item in came] == [False] * (len(came) - 1) + [True]
    assert not [item for item in came if isinstance(item, Heartbeat | Finished)]


def test_capabilities_are_known_and_kept(case: Case) -> None:
    backend = case.backend
    assert backend.capabilities <= set(CAPABILITIES)
    if "exact_prompt" not in backend.capabilities:
        with pytest.raises(NotSupported):
            backend.render(request())
    if not case.exact:
        with pytest.raises(NotSupported):
            backend.count(request())
        return
    asked = request("Combien de tokens ? 🍒 <|im_end|>")
    rendered = backend.render(asked)
    generation = generate(backend, asked)
    drained(generation)
    assert backend.count(asked) == len(rendered.tokens) == generation.result.usage.prompt_tokens
    assert len(rendered.pieces) == len(rendered.tokens)


def test_no_secret_in_the_body(case: Case) -> None:
    body = json.dumps(case.backend.body(request("hello there")))
    assert "hello there" in body
    assert KEY not in body
    assert "key" not in body.lower()


def test_eight_at_once_all_end(case: Case) -> None:
    """More than there are slots, from as many threads; each gets its own answer."""
    generations = [generate(case.backend, request(f"Say {number}", max_tokens=4)) for number in range(8)]
    for generation in generations:
        events = drained(generation)
        assert isinstance(events[-1], Finished)
        assert generation.result.error is None
        assert generation.result.usage.completion_tokens in range(1, 6)
    assert is_idle_soon(case)


def test_only_known_events_come(case: Case) -> None:
    kinds = (TextDelta, ReasoningDelta, ToolCall, Heartbeat, Finished)
    for event in drained(generate(case.backend, request())):
        assert isinstance(event, kinds) or type(event).__name__ in ("Queued", "Loading", "PromptProgress")
