"""One generation: order of events, stops, failures, statistics; with a backend that does what the test says."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from engine.backends.base import Control, Report, Request
from engine.errors import EngineError, PromptTooLong, ServerFailed, StreamCut, Unreachable
from engine.generation import HEARTBEAT_S, Generation
from engine.params import Params
from engine.types import (
    Event,
    Finished,
    Heartbeat,
    Loading,
    Message,
    PromptProgress,
    ReasoningDelta,
    Result,
    Stats,
    TextDelta,
    ToolCall,
    Usage,
)
from tests.patience import SOON_S

REQUEST = Request((Message("user", "hi"),), Params())
Step = Event | Report | float | Exception | Callable[[Control], None]


class Scripted:
    """A backend that gives events and reports, sleeps on numbers, raises exceptions and calls functions; it ends when
    stopped in its sleep, unless it is to raise last.
    """

    name = "scripted"
    capabilities: frozenset[Any] = frozenset()

    def __init__(self, *steps: Step) -> None:
        self.steps = steps
        self.closed = threading.Event()

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        try:
            for step in self.steps:
                if isinstance(step, float):
                    if control.wait(step) and not isinstance(self.steps[-1], Exception):
                        return
                elif isinstance(step, Exception):
                    raise step
                elif callable(step):
                    step(control)
                else:
                    yield step
        finally:
            self.closed.set()


def generation(*steps: Step, request: Request = REQUEST, **more: Any) -> Generation:
    return Generation(Scripted(*steps), request, model="m", **more)  # type: ignore[arg-type]


def report(finish: str = "stop", prompt: int | None = 5, completion: int | None = 2, **more: Any) -> Report:
    return Report(finish, Usage(prompt, completion), **more)


def test_events_come_in_order_and_finished_last() -> None:
    events = [Loading(0.1), PromptProgress(5, 5, 0), ReasoningDelta("hm"), TextDelta("a"), ToolCall("1", "f", "{}")]
    running = generation(*events, TextDelta("b"), report("tool_calls", model="true-name"))
    came = [event for event in running if not isinstance(event, Heartbeat)]
    assert came[:-1] == [*events, TextDelta("b")]
    assert isinstance(came[-1], Finished)
    result = running.result
    assert (result.text, result.reasoning, result.tool_calls) == ("ab", "hm", (ToolCall("1", "f", "{}"),))
    assert (result.outcome, result.model) == ("tool_calls", "true-name")


@pytest.mark.parametrize(
    ("given", "virtual", "outcome"),
    [
        (report("stop"), None, "stop"),
        (report("stop", stop_string="x"), None, "stop_string"),
        (report("tool_calls"), None, "tool_calls"),
        (report("length", 5, 2), None, "max_tokens"),
        (report("length", 5, 2, window=8), None, "max_tokens"),
        (report("length", 5, 3, window=8), None, "window_full"),
        (report("length", 5, 3, window=8192), 8, "window_full"),
        (report("length", 5, 3, window=8), 8192, "window_full"),
        (report("length", None, 3, window=8), None, "max_tokens"),
        (report("content_filter"), None, "stop"),
    ],
)
def test_outcomes(given: Report, virtual: int | None, outcome: str) -> None:
    request = Request(REQUEST.messages, REQUEST.params, virtual_window=virtual)
    assert generation(TextDelta("a"), given, request=request).result.outcome == outcome


def test_result_needs_no_consumer() -> None:
    assert generation(TextDelta("a"), 0.05, TextDelta("b"), report()).result.text == "ab"


def test_an_error_before_the_first_event_is_raised_with_its_cause() -> None:
    failure = Unreachable("no", address="x")
    with pytest.raises(Unreachable) as raised:
        list(generation(failure))
    assert raised.value is failure


def test_a_later_error_ends_the_stream_and_keeps_the_text() -> None:
    running = generation(TextDelta("par"), ServerFailed("down", status=500))
    events = list(running)
    assert isinstance(events[-1], Finished)
    assert (events[-1].outcome, type(events[-1].error)) == ("failed", ServerFailed)
    assert running.result.text == "par"
    assert running.result.error is events[-1].error


def test_a_backend_that_just_ends_was_cut() -> None:
    result = generation(TextDelta("par")).result
    assert isinstance(result.error, StreamCut)
    assert result.error.details == {"received": 3}


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_bug_ends_the_stream_and_keeps_its_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[type[BaseException]] = []
    monkeypatch.setattr(threading, "excepthook", lambda args: seen.append(args.exc_type))
    running = generation(TextDelta("a"), TypeError("a bug"))
    events = list(running)
    assert isinstance(events[-1], Finished)
    assert type(events[-1].error) is EngineError
    assert running.result.text == "a"
    deadline = time.monotonic() + SOON_S
    while not seen and time.monotonic() < deadline:
        time.sleep(0.01)
    assert seen == [TypeError]


def test_heartbeats_fill_silence() -> None:
    enough = threading.Event()

    def silence(_: Control) -> None:
        assert enough.wait(SOON_S)

    beats: list[float] = []
    started = time.monotonic()
    for event in generation(silence, report()):
        if isinstance(event, Heartbeat):
            beats.append(time.monotonic() - started)
            if len(beats) == 3:
                enough.set()
    assert len(beats) >= 3 and beats[0] >= HEARTBEAT_S


def test_a_refusal_is_raised_however_long_it_takes() -> None:
    running = Generation(Scripted(2 * HEARTBEAT_S, PromptTooLong(9, 8)), REQUEST, model="m")  # type: ignore[arg-type]
    with pytest.raises(PromptTooLong):
        list(running)


def test_stop_ends_a_waiting_backend_without_error() -> None:
    backend = Scripted(TextDelta("a"), 30.0, StreamCut("our own doing", received=1))
    running = Generation(backend, REQUEST, model="m")  # type: ignore[arg-type]
    events = iter(running)
    assert next(events) == TextDelta("a")
    for _ in range(3):
        running.stop()
    rest = [event for event in events if not isinstance(event, Heartbeat)]
    assert len(rest) == 1
    assert isinstance(rest[0], Finished)
    assert (rest[0].outcome, rest[0].error) == ("user_stopped", None)
    assert backend.closed.wait(SOON_S)


def test_stop_from_many_threads() -> None:
    running = generation(30.0, report())
    threads = [threading.Thread(target=running.stop) for _ in range(8)]
    for thread in threads:
        thread.start()
    assert [type(event) for event in running][-1] is Finished
    for thread in threads:
        thread.join()
    assert running.result.outcome == "user_stopped"


def test_events_after_a_stop_are_not_given() -> None:
    def stop_and_go_on(control: Control) -> None:
        control.stop()

    running = generation(TextDelta("a"), stop_and_go_on, TextDelta("b"), TextDelta("c"), report())
    assert running.result.text in ("a", "ab")
    assert running.result.outcome == "user_stopped"


def test_leaving_the_loop_stops_the_backend() -> None:
    backend = Scripted(TextDelta("a"), 30.0, report())
    running = Generation(backend, REQUEST, model="m")  # type: ignore[arg-type]
    for event in running:
        if isinstance(event, TextDelta):
            break
    assert backend.closed.wait(SOON_S)
    assert running.result.outcome == "user_stopped"


def test_it_is_iterated_once() -> None:
    running = generation(report())
    list(running)
    with pytest.raises(RuntimeError):
        iter(running)


def test_a_stopped_answer_knows_what_it_read() -> None:
    running = generation(PromptProgress(3, 40, 0), 30.0)
    next(event for event in running if isinstance(event, PromptProgress))
    running.stop()
    assert running.result.usage == Usage(prompt_tokens=40)


def test_times_are_measured_where_nobody_tells_them() -> None:
    running = generation(0.1, TextDelta("a"), 0.1, TextDelta("b"), 0.1, TextDelta("c"), report(completion=3))
    stats = running.result.stats
    assert stats.source == "measured"
    assert 0.1 <= stats.time_to_first_token <= stats.wall_time - stats.total_time
    assert 0.2 <= stats.total_time < SOON_S
    assert stats.tokens_per_second == pytest.approx(2 / stats.total_time)  # two intervals between three tokens
    assert 0.3 <= stats.wall_time < SOON_S


def test_times_of_the_server_are_kept() -> None:
    told = Stats(tokens_per_second=50.0, total_time=0.04, gpu_layers=3, source="server")
    stats = generation(TextDelta("a"), report(stats=told)).result.stats
    assert (stats.tokens_per_second, stats.total_time, stats.gpu_layers, stats.source) == (50.0, 0.04, 3, "server")
    assert stats.time_to_first_token is not None


def test_one_token_has_no_speed() -> None:
    stats = generation(TextDelta("a"), report(completion=1)).result.stats
    assert (stats.tokens_per_second, stats.total_time) == (None, None)


def test_thinking_counts_as_first_token() -> None:
    stats = generation(ReasoningDelta("hm"), 0.3, TextDelta("a"), report()).result.stats
    assert stats.total_time >= 0.3
    assert stats.time_to_first_token <= stats.wall_time - 0.3


def test_logprobs_are_kept() -> None:
    entries = ({"token": "a", "logprob": -1.0},)
    assert generation(TextDelta("a", entries), report()).result.logprobs == entries


class TestRecord:
    def test_it_gives_the_trace_id(self) -> None:
        seen: list[tuple[Request, Report | None, Result]] = []

        def record(request: Request, told: Report | None, result: Result) -> str:
            seen.append((request, told, result))
            return "t1"

        running = generation(TextDelta("a"), report(), record=record)
        finished = list(running)[-1]
        assert isinstance(finished, Finished)
        assert (finished.trace_id, running.result.trace_id) == ("t1", "t1")
        assert seen[0][0] is REQUEST
        assert seen[0][2].text == "a"

    def test_failures_and_stops_are_recorded_too(self) -> None:
        seen: list[Result] = []

        def record(_: Request, told: Report | None, result: Result) -> None:
            assert told is None
            seen.append(result)

        assert generation(TextDelta("a"), ServerFailed("x", status=500), record=record).result.outcome == "failed"
        running = generation(TextDelta("a"), 30.0, record=record)
        running.stop()
        assert running.result.outcome == "user_stopped"
        assert [result.outcome for result in seen] == ["failed", "user_stopped"]

    @pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
    def test_a_record_that_fails_costs_nobody_the_answer(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(threading, "excepthook", lambda args: None)

        def record(*_: object) -> str:
            raise OSError("disk full")

        running = generation(TextDelta("a"), report(), record=record)
        assert isinstance(list(running)[-1], Finished)
        assert (running.result.text, running.result.outcome, running.result.trace_id) == ("a", "stop", None)


class TestControl:
    def test_callbacks_come_once_and_late_ones_at_once(self) -> None:
        control, called = Control(), []
        control.on_stop(lambda: called.append(1))
        assert not control.wait(0.01)
        control.stop()
        control.stop()
        control.on_stop(lambda: called.append(2))
        assert called == [1, 2]
        assert control.stopped
        assert control.wait(0)
