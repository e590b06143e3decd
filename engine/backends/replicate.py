"""Language models that Replicate hosts: begun and looked up through its client, read by our own reader of its events.
Knows no catalogue.

An answer is whole when its stream says `done` and the prediction has ended; a stream that breaks is followed by looking
the prediction up until it ends. One that nobody wants any more is cancelled, for its time costs money, and a deadline
that is sent along ends it where even that fails.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import queue
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import httpx

from engine.addresses import Reach
from engine.backends.base import Control, Report, Request
from engine.backends.http_errors import hidden
from engine.backends.json_line import PLAIN, SHOWN_MAX
from engine.backends.line import Line, certificates
from engine.backends.replicate_api import (
    CALL_S,
    Described,
    Prediction,
    Reference,
    ReplicateApi,
    prompt_too_long,
)
from engine.backends.replicate_inputs import input_of, limit_of, parameter_of
from engine.backends.sse import ServerSent, events
from engine.errors import (
    BackendError,
    BadParameter,
    EngineError,
    NotSupported,
    RateLimited,
    ServerFailed,
    StreamCut,
    TimedOut,
    Unauthorized,
)
from engine.types import Capability, Event, Loading, Rendered, Stats, TextDelta, Usage

if TYPE_CHECKING:
    from engine.providers import Provider

DEADLINE_S = 600  # of one prediction, boot included: Replicate ends it then
POLL_S = 1.0  # Replicate's own advice: every one or two seconds
WAIT_MAX_S = 10.0  # whatever a `Retry-After` says
TROUBLES_MAX = 5  # look-ups that fail one after the other
SETTLE_S = 20.0  # for the numbers of an answer that is whole
CANCEL_S = 0.7  # that a stop waits for its confirmation; it goes on alone after that
BEAT_S = 1.0
SILENT_S = 10.0  # without an event: the prediction may have ended, and its stream not
DESCRIBED_S = 3600.0
DESCRIBED_MAX = 200


class Descriptions:
    """What models take, remembered for an hour, for each key by itself. Thread safe."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._told: dict[tuple[str, str, str], tuple[Described, float]] = {}

    def of(self, address: str, model: str, key: str | None, ask: Callable[[], Described]) -> Described:
        """What `ask` says, or said within the hour. Raises what it raises."""
        name = address, model, hashlib.sha256((key or "").encode()).hexdigest()
        with self._lock:
            found, until = self._told.get(name, (None, 0.0))
        if found is not None and self._clock() < until:
            return found
        found = ask()
        with self._lock:
            while len(self._told) >= DESCRIBED_MAX:
                self._told.pop(next(iter(self._told)))
            self._told[name] = found, self._clock() + DESCRIBED_S
        return found


class Replicate:
    """The backend of one model; `provider` says which parameters may be sent, and whose stream gets the key.

    Raises UnknownModel for a name that is not owner/name or owner/name:version.
    """

    name = "replicate"

    def __init__(
        self,
        base_url: str,
        model: str,
        key: str | None,
        provider: Provider,
        *,
        descriptions: Descriptions | None = None,
        reach: Reach | None = None,
        deadline_s: int = DEADLINE_S,
        poll_s: float | None = None,
    ) -> None:
        self.base_url = base_url.rstrip("/")
        self.model = model
        self.provider = provider
        self.reference = Reference.read(model)
        self.capabilities: frozenset[Capability] = provider.capabilities
        self.deadline_s, self.poll_s = deadline_s, POLL_S if poll_s is None else poll_s
        self.key = key or None
        self.reach = reach
        self._descriptions = descriptions or Descriptions()

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """Words as they come, then the Report; before them Loading where the model has to be booted."""
        self._refuse(request)
        with self.api() as api:
            api.line.lend(control)
            try:
                described = self.described(api)
                yield from Run(self, api, self._body(request, described), control).events()
            except EngineError:
                if not control.stopped:
                    raise
            finally:
                api.line.end()

    def body(self, request: Request) -> dict[str, Any]:
        """The JSON body: the model's own input names, what it does not take left out; the usual names where the model
        cannot be asked now. Raises NotSupported for a raw prompt and for a virtual window.
        """
        self._refuse(request)
        try:
            with self.api(seconds=5.0) as api:
                described = self.described(api)
        except BackendError:  # the request itself will say so, and better
            described = Described(self.reference.version)
        return self._body(request, described)

    def predict(self, given: Mapping[str, Any], control: Control) -> Iterator[Prediction]:
        """A prediction of any kind with that input, each time it is looked at, until it has succeeded; cancelled when
        `control` stops it or nobody reads on. Raises EngineError.
        """
        with self.api() as api:
            api.line.lend(control)
            try:
                described = self.described(api)
                version = {"version": described.version} if described.version else {}
                yield from Run(self, api, {**version, "input": dict(given)}, control).looks()
            except EngineError:
                if not control.stopped:
                    raise
            finally:
                api.line.end()

    def file_line(self, url: str) -> Line | None:
        """A connection to where an output lies, without the key; None for a host that is none of Replicate's."""
        try:
            found, here = urlsplit(url), urlsplit(self.base_url)
            host, _ = found.hostname or "", found.port
        except ValueError:
            return None
        listed = any(host == one or host.endswith(f".{one}") for one in self.provider.file_hosts)
        right = found.scheme == here.scheme and (listed or host == here.hostname)
        return Line(url, None, self.tls, reach=self.reach) if right else None

    def describe(self) -> Described:
        """What the model takes and gives. Raises UnknownModel, BackendError."""
        with self.api() as api:
            return self.described(api)

    def described(self, api: ReplicateApi) -> Described:
        """As `describe`, over that connection."""
        return self._descriptions.of(self.base_url, self.model, self.key, lambda: api.describe(self.reference))

    def render(self, request: Request) -> Rendered:
        """Never: a remote prompt cannot be observed. Raises NotSupported."""
        raise NotSupported("a remote prompt cannot be observed", capability="exact_prompt", backend=self.name)

    def count(self, request: Request) -> int:
        """Never: only the server counts. Raises NotSupported."""
        raise NotSupported("only the server counts", capability="exact_count", backend=self.name)

    def window(self) -> int | None:
        """None unless the row says it: the protocol has no word for it."""
        return self.provider.window

    def close(self) -> None:
        """Nothing is kept open."""

    def api(self, seconds: float = CALL_S) -> ReplicateApi:
        """A connection to the address."""
        return ReplicateApi(
            self.base_url, self.key, self.tls, deadline_s=self.deadline_s, seconds=seconds, reach=self.reach
        )

    def stream_line(self, url: str) -> Line | None:
        """A connection to that host of events: with the key where the row says that it is Replicate's, without on
        another port of the API's own host, None for every other host.
        """
        try:
            found, here = urlsplit(url), urlsplit(self.base_url)
            place, own = (found.scheme, found.hostname, found.port), (here.scheme, here.hostname, here.port)
        except ValueError:
            return None
        listed = {(one.scheme, one.hostname, one.port) for one in map(urlsplit, self.provider.stream_hosts)}
        if place == own or place in listed:
            return Line(url, self.key, self.tls, reach=self.reach)
        same = found.scheme == here.scheme and found.hostname == here.hostname
        return Line(url, None, self.tls, reach=self.reach) if same else None

    @cached_property
    def tls(self) -> ssl.SSLContext:
        """What all connections trust; a context without certificates trusts nobody."""
        https = self.base_url.startswith("https")
        return certificates() if https else ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

    def _refuse(self, request: Request) -> None:
        if request.raw is not None:
            raise NotSupported("a raw prompt needs a local model", capability="raw_completion", backend=self.name)
        if request.virtual_window is not None:
            raise NotSupported("a virtual window needs exact counts", capability="exact_count", backend=self.name)

    def _body(self, request: Request, described: Described) -> dict[str, Any]:
        given = input_of(request.messages, request.params, request.extra, described, self.provider.params)
        version = {"version": described.version} if described.version else {}
        return {**version, "input": given, "stream": True}


class _Stop:
    """What the inbox gets when somebody wants no more."""


STOP = _Stop()
END = None  # of the stream


class Run:
    """One prediction from its creation to its end; `now` is what was last heard of it."""

    def __init__(self, backend: Replicate, api: ReplicateApi, body: Mapping[str, Any], control: Control) -> None:
        self._backend, self._api, self._body, self._control = backend, api, body, control
        self._inbox: queue.SimpleQueue[Prediction | EngineError | ServerSent | _Stop | None] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._left = False
        self._text: list[str] = []
        self._received = 0
        self._done = False
        self._trouble: str | None = None
        self.now: Prediction | None = None
        control.partial = self.report
        control.on_stop(lambda: self._inbox.put(STOP))

    def events(self) -> Iterator[Event | Report]:
        """The whole of it. Raises EngineError; whatever happens, nothing goes on at Replicate that nobody reads."""
        try:
            if not self._create():
                return
            yield from self._streamed()
            if not self._control.stopped:
                yield from self._settled()
            if not self._control.stopped:
                self._judge()
                yield self.report()
        finally:
            self._leave()

    def looks(self) -> Iterator[Prediction]:
        """The prediction each time it is looked at, nothing streamed. Raises EngineError."""
        try:
            if not self._create():
                return
            assert self.now is not None
            yield self.now
            yield from self._polled()
            if not self._control.stopped:
                self._judge()
        finally:
            self._leave()

    def report(self) -> Report:
        """What is known so far."""
        now = self.now
        if now is None:
            return Report("stop")
        answered, limit = now.count("output_token_count"), limit_of(self._body)
        cut = answered is not None and limit is not None and answered >= limit
        told = {"id": now.id, "status": now.status, "model": now.model, "version": now.version,
                "metrics": dict(now.metrics)}  # fmt: skip
        return Report(
            finish="length" if cut else "stop",
            usage=Usage(now.count("input_token_count"), answered),
            stats=_stats(now),
            window=self._backend.window(),
            model=now.model,
            response=told,
        )

    def _create(self) -> bool:
        """Whether there is a prediction and somebody who wants it. Raises what Replicate refused it with.

        Asked in a thread that is never cut: who stops now must still learn which prediction to cancel.
        """
        threading.Thread(target=self._make, name="replicate-create", daemon=True).start()
        told = self._inbox.get()
        if isinstance(told, EngineError):
            raise _named(told)
        return isinstance(told, Prediction)

    def _make(self) -> None:
        told: Prediction | EngineError = EngineError("internal error; see the log")
        try:
            with self._backend.api() as api:
                told = api.create(self._backend.reference, self._body)
        except EngineError as error:
            told = error
        finally:  # of a defect the traceback goes to the thread's excepthook
            with self._lock:
                self.now = told if isinstance(told, Prediction) else None
                unwanted = self._left and self.now is not None
            if unwanted:
                self._cancel()
            self._inbox.put(told)

    def _streamed(self) -> Iterator[Event]:
        """Words as the event stream brings them until it ends; `_done` says whether it was whole."""
        assert self.now is not None
        line = self._backend.stream_line(self.now.stream) if self.now.stream and not self.now.ended else None
        if line is None:
            return
        reading = Control()  # of the stream alone: it is left where it says nothing any more
        line.lend(reading)
        self._control.on_stop(reading.stop)
        threading.Thread(target=self._read, args=(line, self.now.stream), name="replicate-stream", daemon=True).start()
        try:
            yield from self._heard()
        finally:
            reading.stop()

    def _heard(self) -> Iterator[Event]:
        """Words as they come into the inbox, until the stream or the prediction has ended, or its time is over."""
        assert self.now is not None
        started = heard = time.monotonic()
        while time.monotonic() - started < self._backend.deadline_s + SETTLE_S:
            try:
                told = self._inbox.get(timeout=BEAT_S)
            except queue.Empty:
                if self.now.status == "starting" and not self._received:
                    yield Loading(time.monotonic() - started)
                if time.monotonic() - heard > SILENT_S:
                    heard = time.monotonic()
                    if self._over():
                        return
                continue
            heard = time.monotonic()
            if not isinstance(told, ServerSent):
                return
            if told.name == "output":
                yield self._word(told.data)
            elif told.name == "error":
                self._trouble = _detail(told.data)
            elif told.name == "done":
                self._done = not _reason(told.data)
                return

    def _over(self) -> bool:
        """Whether the prediction has ended, as far as Replicate says so now."""
        assert self.now is not None
        with contextlib.suppress(BackendError):  # asked again after the next silence
            self.now = self._api.get(self.now.id)
        return self.now.ended

    def _read(self, line: Line, url: str) -> None:
        """Put the stream's events into the inbox, then END; what broke it does not matter, we look the rest up."""
        headers = {**PLAIN, "Accept": "text/event-stream"}
        try:
            with contextlib.closing(line.client), line.client.stream("GET", url, headers=headers) as response:
                kind = response.headers.get("content-type", "")
                if response.is_success and kind.startswith("text/event-stream"):
                    for event in events(response.iter_bytes(), line.client.base_url.host):
                        self._inbox.put(event)
        except (httpx.HTTPError, httpx.StreamError, OSError, EngineError):
            pass
        finally:
            line.end()
            self._inbox.put(END)

    def _settled(self) -> Iterator[Event]:
        """What the prediction has beyond what was streamed, until it has ended. Raises BackendError."""
        yield from self._more()
        for _ in self._polled():
            yield from self._more()

    def _polled(self) -> Iterator[Prediction]:
        """The prediction each time it was looked up, until it has ended. Raises BackendError."""
        assert self.now is not None
        end = time.monotonic() + (SETTLE_S if self._done else self._backend.deadline_s + SETTLE_S)
        wait, troubles = 0.05 if self._done or self._trouble else self._backend.poll_s / 2, 0
        while not self.now.ended and not self._control.stopped:
            if time.monotonic() > end:
                if self._done:
                    return  # the answer is whole, its numbers are late
                raise TimedOut("the prediction did not end in time", seconds=self._backend.deadline_s)
            try:
                self.now, troubles = self._api.get(self.now.id), 0
            except BackendError as error:
                troubles += 1
                if self._done and (troubles > 2 or isinstance(error, Unauthorized)):
                    return
                if troubles >= TROUBLES_MAX or not error.retryable:
                    raise self._broken(error) from error
                wait = _patience(error, self._backend.poll_s)
            else:
                yield self.now
            if not self.now.ended:
                self._control.wait(wait)
                wait = min(self._backend.poll_s, wait * 2)

    def _more(self) -> Iterator[Event]:
        """The end of the output where it begins with what we have."""
        assert self.now is not None
        whole, have = self.now.text, "".join(self._text)
        if len(whole) > len(have) and whole.startswith(have) and not (self._done and have):
            yield self._word(whole[len(have) :])

    def _word(self, text: str) -> TextDelta:
        self._text.append(text)
        self._received += len(text)
        return TextDelta(text)

    def _judge(self) -> None:
        """Raises what the end of the prediction stands for."""
        assert self.now is not None
        status = self.now.status
        if status in ("failed", "canceled", "aborted"):
            said = hidden(self.now.error or self._trouble or "", self._backend.key)[:SHOWN_MAX]
            if status == "failed" and (told := prompt_too_long(said)):
                raise told
            reason = f"prediction_{status}"
            official = self.now.version == "hidden"  # as Replicate says of its own models, which are public
            message = said or f"the prediction was {status}"
            raise ServerFailed(message, status=None, reason=reason, told=said or "–", official=official)
        if status == "succeeded" and not self._done and self._text and self.now.text != "".join(self._text):
            raise StreamCut("the stream broke, and the prediction says something else", received=self._received)

    def _broken(self, error: BackendError) -> BackendError:
        """A stream that broke and cannot be looked up any more is a cut one, where something had come."""
        if self._received and not isinstance(error, Unauthorized):
            return StreamCut("the stream broke, and the prediction cannot be looked up", received=self._received)
        return error

    def _leave(self) -> None:
        """Cancel what still goes on, a moment at most; the rest of it goes on without us."""
        with self._lock:
            self._left, now = True, self.now
        if now is not None and not now.ended and not self._done:
            cancelling = threading.Thread(target=self._cancel, name="replicate-cancel", daemon=True)
            cancelling.start()
            cancelling.join(CANCEL_S)

    def _cancel(self) -> None:
        assert self.now is not None
        with contextlib.suppress(EngineError), self._backend.api(seconds=10.0) as api:  # its deadline ends it, too
            self.now = api.cancel(self.now.id)


def _stats(now: Prediction) -> Stats:
    """What Replicate measured: the seconds that it bills, and the speed where it tells one."""
    billed, speed, first = map(now.number, ("predict_time", "tokens_per_second", "time_to_first_token"))
    if not speed:
        return Stats(billed_time=billed)
    total = billed - first if billed is not None and first is not None and billed >= first else billed
    return Stats(tokens_per_second=speed, total_time=total, source="server", billed_time=billed)


def _named(error: EngineError) -> EngineError:
    """The error with our own name of the parameter that Replicate's model refused."""
    if isinstance(error, BadParameter):
        name = error.details.get("name")
        error.details.update(name=parameter_of(name if isinstance(name, str) else None), told=error.message)
    return error


def _patience(error: BackendError, usual: float) -> float:
    told = error.details.get("retry_after") if isinstance(error, RateLimited) else None
    return min(WAIT_MAX_S, told) if isinstance(told, int | float) else usual


def _object(data: str) -> Mapping[str, Any]:
    try:
        told = json.loads(data)
    except (ValueError, RecursionError):
        return {}
    return told if isinstance(told, dict) else {}


def _reason(data: str) -> str | None:
    """Why the stream is done, where that is no success."""
    told = _object(data).get("reason")
    return told if isinstance(told, str) else None


def _detail(data: str) -> str:
    told = _object(data).get("detail")
    return told if isinstance(told, str) else data
