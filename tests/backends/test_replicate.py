"""Replicate: every trap of its protocol and of its client, and every documented fault, over real HTTP on two loopback
ports.
"""

from __future__ import annotations

import json
import logging
import threading
import time
import traceback
from collections.abc import Iterator
from typing import Any

import pytest

from engine.addresses import Reach
from engine.backends.base import Control, Report, Request
from engine.backends.replicate import Descriptions, Replicate
from engine.backends.replicate_api import Described, Prediction, Reference
from engine.backends.replicate_inputs import dialogue, input_of
from engine.errors import (
    BadInput,
    BadParameter,
    EngineError,
    NotSupported,
    PaymentRequired,
    PromptTooLong,
    RateLimited,
    ServerFailed,
    StreamCut,
    Unauthorized,
    UnknownModel,
    Unreachable,
)
from engine.generation import Generation
from engine.params import Params
from engine.providers import provider
from engine.types import Finished, Loading, Message, Result, TextDelta
from tests.patience import SOON_S
from tests.standins.app_server import wait_for
from tests.standins.replicate_server import (
    KEY,
    PROMPT_TOKENS,
    TOKENS,
    VERSION,
    WORDS,
    ReplicateStandIn,
    replicate_standin,
)

HI = (Message("system", "Be brief."), Message("user", "Hi"))
WHOLE = "".join(WORDS)


@pytest.fixture
def replicate() -> Iterator[ReplicateStandIn]:
    with replicate_standin() as server:
        yield server


def backend(server: ReplicateStandIn, model: str = "meta/plain", *, key: str | None = KEY, **options: Any) -> Replicate:
    row = provider("replicate").model_copy(update=options.pop("row", {}))
    return Replicate(server.base_url, model, key, row, poll_s=0.02, **options)


def start(opened: Replicate, messages: tuple[Message, ...] = HI, **params: Any) -> Generation:
    extra = params.pop("extra", {})
    return Generation(opened, Request(messages, Params(params), extra=extra), model=opened.model)


def answer(opened: Replicate, messages: tuple[Message, ...] = HI, **params: Any) -> Result:
    return start(opened, messages, **params).result


def failure(server: ReplicateStandIn, name: str) -> tuple[EngineError, str]:
    """The error that this model's answer ends with, and the text that had come."""
    result = answer(backend(server, f"meta/{name}"))
    assert result.outcome == "failed" and result.error is not None
    return result.error, result.text


class TestTraps:
    """§1.3 of the research: what the client does wrong, done right."""

    @pytest.mark.parametrize("name", sorted(TOKENS))
    def test_any_token_text_survives(self, replicate: ReplicateStandIn, name: str) -> None:
        """The client makes a file of `data:` and `https:`; here it is text, new lines and half characters too."""
        assert answer(backend(replicate, f"meta/{name}")).text == "".join(TOKENS[name])

    @pytest.mark.parametrize("name", ["no-ids", "ping", "crlf"])
    def test_events_without_ids_of_unknown_names_with_comments(self, replicate: ReplicateStandIn, name: str) -> None:
        assert answer(backend(replicate, f"meta/{name}")).text == WHOLE

    @pytest.mark.parametrize("name", ["cut", "cut-clean", "idle"])
    def test_a_stream_that_ends_without_done_is_looked_up(self, replicate: ReplicateStandIn, name: str) -> None:
        result = answer(backend(replicate, f"meta/{name}"))
        assert (result.text, result.outcome, result.error) == (WHOLE, "stop", None)
        assert result.usage.completion_tokens == len(WORDS)

    @pytest.mark.parametrize("name", ["stream-404", "no-stream", "string", "strange-stream", "instant", "no-version"])
    def test_without_a_stream_it_is_looked_up(self, replicate: ReplicateStandIn, name: str) -> None:
        """404, no address of a stream, one that leads elsewhere, an output that is no list, a field that is missing."""
        assert answer(backend(replicate, f"meta/{name}")).text == WHOLE
        if name in ("no-stream", "strange-stream", "instant"):
            assert not replicate.seen("GET", replicate.jobs[0].id) or replicate.requests[-1].host == "api"

    def test_processing_is_not_finished(self, replicate: ReplicateStandIn) -> None:
        """The client takes a creation that answers `processing` for the end, and gives the beginning as the whole."""
        assert answer(backend(replicate, "meta/processing")).text == WHOLE

    def test_the_stream_is_another_host_and_gets_no_key_unless_it_is_the_rows_own(
        self, replicate: ReplicateStandIn
    ) -> None:
        answer(backend(replicate))
        answer(backend(replicate, row={"stream_hosts": (replicate.stream_host,)}))
        told = [one.headers.get("Authorization") for one in replicate.requests if one.host == "stream"]
        assert told == [None, f"Bearer {KEY}"]

    def test_a_long_retry_after_is_not_obeyed(
        self, replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The client would sleep as long as a server says."""
        monkeypatch.setattr("engine.backends.replicate.WAIT_MAX_S", 0.05)
        started = time.monotonic()
        assert answer(backend(replicate, "meta/throttled-for-hours")).text == WHOLE
        assert time.monotonic() - started < SOON_S

    def test_throttled_look_ups_are_tried_again_and_creations_never(self, replicate: ReplicateStandIn) -> None:
        assert answer(backend(replicate, "meta/throttled")).text == WHOLE
        assert isinstance(failure(replicate, "429")[0], RateLimited)
        assert len(replicate.seen("POST", "meta/429/predictions")) == 1

    def test_the_environments_token_is_not_spent(
        self, replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("REPLICATE_API_TOKEN", KEY)
        assert isinstance(answer(backend(replicate, key=None)).error, Unauthorized)
        assert all("Authorization" not in one.headers for one in replicate.requests)


class TestFaults:
    """Each ends in its own error, with the text that had come."""

    def test_refusals(self, replicate: ReplicateStandIn) -> None:
        kinds = {"401": Unauthorized, "402": PaymentRequired, "422": BadParameter, "422-version": UnknownModel,
                 "429": RateLimited, "500": ServerFailed, "html": ServerFailed, "404": UnknownModel}  # fmt: skip
        found = {name: failure(replicate, name) for name in kinds}
        assert {name: type(error) for name, (error, _) in found.items()} == kinds
        assert all(text == "" for _, text in found.values())
        assert found["422"][0].details["name"] == "temperature"
        assert found["429"][0].details["retry_after"] == 2.5

    @pytest.mark.parametrize(
        ("name", "text", "reason"),
        [
            ("failed", "", "prediction_failed"),
            ("failed-late", "Hello from", "prediction_failed"),
            ("error-in-stream", "Hello from", "prediction_failed"),
            ("canceled", "Hello from", "prediction_canceled"),
            ("aborted", "", "prediction_aborted"),
        ],
    )
    def test_ends_that_are_none(self, replicate: ReplicateStandIn, name: str, text: str, reason: str) -> None:
        error, came = failure(replicate, name)
        assert isinstance(error, ServerFailed)
        assert (error.details["reason"], came) == (reason, text)

    def test_a_stream_that_says_nothing_any_more_is_looked_up(
        self, replicate: ReplicateStandIn, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("engine.backends.replicate.BEAT_S", 0.05)
        monkeypatch.setattr("engine.backends.replicate.SILENT_S", 0.1)
        result = answer(backend(replicate, "meta/silent-stream"))
        assert (result.text, result.outcome, result.error) == (WHOLE, "stop", None)

    @pytest.mark.parametrize("name", ["cut-lost", "deleted"])
    def test_a_cut_that_cannot_be_looked_up(self, replicate: ReplicateStandIn, name: str) -> None:
        error, text = failure(replicate, name)
        assert isinstance(error, StreamCut)
        assert text == "Hello from" and error.details["received"] == len(text)

    def test_a_prompt_that_is_too_long(self, replicate: ReplicateStandIn) -> None:
        assert isinstance(failure(replicate, "too-long")[0], PromptTooLong)

    def test_nobody_there(self) -> None:
        row = provider("replicate")
        error = answer(Replicate("http://127.0.0.1:9/v1", "meta/plain", KEY, row)).error
        assert isinstance(error, Unreachable)

    def test_a_slow_boot_shows_that_it_loads_and_can_be_stopped(self, replicate: ReplicateStandIn) -> None:
        generation = start(backend(replicate, "meta/slow-boot"))
        loading = next(event for event in generation if isinstance(event, Loading))
        assert loading.elapsed > 0
        generation.stop()
        assert generation.result.outcome == "user_stopped"
        assert wait_for(lambda: replicate.jobs[0].status == "canceled", SOON_S)

    def test_no_key_in_errors_logs_and_traces(
        self, replicate: ReplicateStandIn, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        for name in ("401", "failed", "plain", "cut"):
            opened = backend(replicate, f"meta/{name}")
            result = answer(opened)
            shown = json.dumps(result.to_dict())
            if result.error is not None:
                shown += "".join(traceback.format_exception(result.error))
            assert KEY not in shown and KEY not in json.dumps(opened.body(Request(HI, Params())))
        assert "r8_" not in caplog.text

    @pytest.mark.parametrize("name", ["meta", "meta/", "/x", "a/b/c", "a/b:", "../x/y", "a/b:c d", "a b/c", "a/b@c"])
    def test_names_that_are_none(self, name: str) -> None:
        with pytest.raises(UnknownModel):
            Replicate("http://127.0.0.1:9/v1", name, KEY, provider("replicate"))

    def test_only_what_it_can(self, replicate: ReplicateStandIn) -> None:
        for asked in (Request(HI, Params(), raw="x"), Request(HI, Params(), virtual_window=64)):
            with pytest.raises(NotSupported):
                backend(replicate).body(asked)


class TestStop:
    def test_a_stop_cancels(self, replicate: ReplicateStandIn) -> None:
        generation = start(backend(replicate, "meta/stall"))
        for event in generation:
            if isinstance(event, TextDelta):
                generation.stop()
        result = generation.result
        assert (result.outcome, result.text, result.error) == ("user_stopped", WORDS[0], None)
        assert wait_for(lambda: replicate.jobs[0].status == "canceled", SOON_S)
        assert wait_for(lambda: len(replicate.seen("POST", "/cancel")) == 1, SOON_S)

    def test_a_stop_before_the_creation_is_answered_cancels_what_it_made(self, replicate: ReplicateStandIn) -> None:
        opened, control = backend(replicate, "meta/stall"), Control()
        opened.describe()
        control.stop()
        assert not list(opened.run(Request(HI, Params()), control))
        assert wait_for(lambda: [job.status for job in replicate.jobs] == ["canceled"], SOON_S)

    def test_what_ended_is_not_cancelled(self, replicate: ReplicateStandIn) -> None:
        answer(backend(replicate))
        assert not replicate.seen("POST", "/cancel")

    def test_a_deadline_is_sent_along(self, replicate: ReplicateStandIn) -> None:
        answer(backend(replicate, deadline_s=90))
        assert replicate.seen("POST", "/predictions")[0].headers["cancel-after"] == "90s"


class TestBody:
    def test_what_is_sent_is_what_body_says(self, replicate: ReplicateStandIn) -> None:
        opened = backend(replicate)
        generation = start(opened, temperature=0.5, max_tokens=9, seed=3, stop=["a", "b"], min_p=0.1)
        assert generation.result.text == WHOLE
        sent = replicate.seen("POST", "/predictions")[0]
        assert sent.path == "/v1/models/meta/plain/predictions"
        assert sent.body == opened.body(generation.request)
        assert sent.body["input"] == {"prompt": "Hi", "system_prompt": "Be brief.", "temperature": 0.5, "seed": 3,
                                      "top_p": 0.95, "max_tokens": 9, "stop_sequences": "a,b"}  # fmt: skip

    def test_the_models_own_names(self, replicate: ReplicateStandIn) -> None:
        answer(backend(replicate, "meta/other-names"), max_tokens=3, repeat_penalty=1.1, top_p=0.5, seed=1)
        assert replicate.jobs[0].input == {"prompt": "Be brief.\n\nHi", "max_new_tokens": 3, "repetition_penalty": 1.1,
                                           "temperature": 0.7, "top_p": 0.5, "seed": 1}  # fmt: skip

    def test_messages_where_the_model_takes_them(self, replicate: ReplicateStandIn) -> None:
        answer(backend(replicate, "meta/messages"), max_tokens=3)
        said = [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}]
        assert replicate.jobs[0].input == {"messages": said, "max_completion_tokens": 3}

    def test_the_usual_names_where_there_is_no_schema(self, replicate: ReplicateStandIn) -> None:
        answer(backend(replicate, "meta/schema-less"), max_tokens=3)
        assert replicate.jobs[0].input == {"prompt": "Hi", "system_prompt": "Be brief.", "max_tokens": 3,
                                           "temperature": 0.7, "top_p": 0.95}  # fmt: skip

    def test_versions(self, replicate: ReplicateStandIn) -> None:
        """One that is named; and the latest of a community model, which has no route of its own."""
        assert answer(backend(replicate, f"meta/plain:{VERSION}")).text == WHOLE
        assert answer(backend(replicate, "test/community")).text == WHOLE
        first, second = replicate.seen("POST", "/v1/predictions")
        assert first.body["version"] == VERSION
        assert second.body["version"] == b"community".hex().ljust(64, "0")

    def test_extra_goes_into_the_input_as_far_as_the_model_takes_it(self, replicate: ReplicateStandIn) -> None:
        answer(backend(replicate), extra={"top_p": 0.25, "response_format": {"type": "json_object"}})
        assert replicate.jobs[0].input["top_p"] == 0.25
        assert "response_format" not in replicate.jobs[0].input

    def test_a_conversation_is_a_dialogue(self) -> None:
        turns = [Message("user", "Hi"), Message("assistant", "Hello"), Message("user", "Again")]
        assert dialogue(turns) == "User: Hi\n\nAssistant: Hello\n\nUser: Again\n\nAssistant:"
        assert dialogue(turns[:1]) == "Hi"

    def test_a_model_without_a_prompt_gets_its_first_text(self) -> None:
        described = Described(inputs={"image": {"type": "string", "format": "uri"}, "caption": {"type": "string"}})
        assert input_of(HI[1:], Params(), {}, described, frozenset()) == {"caption": "Hi"}

    def test_a_body_without_a_network_has_the_usual_names(self) -> None:
        opened = Replicate("http://127.0.0.1:9/v1", "meta/plain", KEY, provider("replicate"))
        assert opened.body(Request(HI, Params()))["input"]["prompt"] == "Hi"

    def test_descriptions_are_asked_once_an_hour_and_for_each_key(self, replicate: ReplicateStandIn) -> None:
        now = [0.0]
        known = Descriptions(clock=lambda: now[0])
        for _ in range(3):
            answer(backend(replicate, descriptions=known))
        assert len(replicate.seen("GET", "/models/meta/plain")) == 1
        answer(backend(replicate, key="r8_stand-in-0123456789-other", descriptions=known))
        now[0] = 3601.0
        answer(backend(replicate, descriptions=known))
        assert len(replicate.seen("GET", "/models/meta/plain")) == 3


class TestReport:
    def test_counts_and_times_are_replicates(self, replicate: ReplicateStandIn) -> None:
        *_, report = backend(replicate).run(Request(HI, Params()), Control())
        assert isinstance(report, Report)
        assert (report.usage.prompt_tokens, report.usage.completion_tokens) == (PROMPT_TOKENS, len(WORDS))
        assert report.stats is not None
        assert (report.stats.tokens_per_second, report.stats.total_time, report.stats.source) == (40.0, 1.0, "server")
        assert report.stats.billed_time == 1.25
        assert report.response["metrics"]["predict_time"] == 1.25

    def test_what_is_not_told_is_unknown(self, replicate: ReplicateStandIn) -> None:
        result = answer(backend(replicate, "meta/no-metrics"))
        assert (result.outcome, result.usage.completion_tokens, result.stats.source) == ("stop", None, "measured")

    @pytest.mark.parametrize(
        "told", [{}, {"id": "../x", "status": "succeeded"}, {"id": "a", "status": 3}, {"id": 3, "status": "failed"}]
    )
    def test_what_is_no_prediction(self, told: dict[str, Any]) -> None:
        with pytest.raises(ServerFailed):
            Prediction.read(told)

    def test_odd_predictions(self) -> None:
        odd = Prediction.read(
            {"id": "a", "status": "queued", "urls": [], "metrics": [], "output": [{"a": 1}, "b", None]}
        )
        assert (odd.ended, odd.stream, odd.text) == (False, None, '{"a": 1}bnull')
        metrics = {"a": True, "b": "1", "c": -1, "d": float("nan"), "e": 1e300, "f": 2.9}
        odd = Prediction.read({"id": "a", "status": "succeeded", "metrics": metrics})
        assert [odd.number(name) for name in "abcde"] == [None] * 5 and odd.count("f") == 2

    def test_references(self) -> None:
        assert Reference.read("meta/meta-llama-3-8b-instruct").path == "meta/meta-llama-3-8b-instruct"
        assert Reference.read(f"a/b.c:{VERSION}").version == VERSION


def test_many_at_once_do_not_wait_for_one_another(replicate: ReplicateStandIn) -> None:
    """One that stalls, and five that answer meanwhile."""
    slow = start(backend(replicate, "meta/stall"))
    quick = [start(backend(replicate)) for _ in range(5)]
    assert [one.result.text for one in quick] == [WHOLE] * 5
    slow.stop()
    assert slow.result.outcome == "user_stopped"


def test_addresses_that_are_refused_are_not_asked(replicate: ReplicateStandIn) -> None:
    def nowhere(host: str, port: int, seconds: float) -> list[str]:
        raise BadInput("not there", what="base_url", reason="endpoint_private")

    reach: Reach = nowhere
    assert isinstance(answer(backend(replicate, reach=reach)).error, BadInput)
    assert not replicate.requests


def test_two_runs_of_one_backend_do_not_stop_each_other(replicate: ReplicateStandIn) -> None:
    opened = backend(replicate, "meta/stall")
    first, second = start(opened), start(opened)
    ended = threading.Event()
    threading.Thread(target=lambda: (first.result, ended.set()), daemon=True).start()
    for event in second:
        if isinstance(event, TextDelta):
            second.stop()
        assert not isinstance(event, Finished) or event.outcome == "user_stopped"
    assert not ended.is_set()
    first.stop()
    assert ended.wait(SOON_S)
