"""What Prometheus reads of this process: requests, tokens, answers, slots and queues, in its text format. Knows no
person and no text. Written by hand: `prometheus_client` would be a dependency for sixty lines.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import psutil

from engine.requestlog import Served
from engine.types import Result

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0)  # seconds

Labels = Mapping[str, str]
Sample = tuple[str, Labels, float]  # suffix of the name, labels, value


@dataclass(frozen=True)
class Busy:
    """How busy one loaded model is; `memory` in bytes, None where nobody can tell."""

    model: str
    slots: int
    running: int
    waiting: int
    window: int
    memory: int | None


class Metrics:
    """Counters since this process began. Thread safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._began = time.time()
        self._requests: Counter[tuple[str, str]] = Counter()
        self._refused: Counter[str] = Counter()
        self._spread: dict[str, list[int]] = {}
        self._seconds: dict[str, float] = {}
        self._answers: Counter[tuple[str, str]] = Counter()
        self._tokens: Counter[tuple[str, str]] = Counter()

    def served(self, one: Served) -> None:
        """Count a request of the API."""
        with self._lock:
            self._requests[one.route, str(one.status)] += 1
            if one.status == 429 and one.error:
                self._refused[one.error] += 1
            spread = self._spread.setdefault(one.route, [0] * (len(BUCKETS) + 1))
            spread[sum(one.duration > bound for bound in BUCKETS)] += 1
            self._seconds[one.route] = self._seconds.get(one.route, 0.0) + one.duration

    def answered(self, model: str, result: Result) -> None:
        """Count an answer, whoever asked: pages, notebooks of this process, API."""
        with self._lock:
            self._answers[model, result.outcome] += 1
            self._tokens[model, "prompt"] += result.usage.prompt_tokens or 0
            self._tokens[model, "completion"] += result.usage.completion_tokens or 0

    def text(self, busy: Iterable[Busy] = ()) -> str:
        """Everything in Prometheus' text format 0.0.4."""
        rows = tuple(busy)
        with self._lock:
            return "".join([*self._counted(), *_now(rows), *_process(self._began)])

    def _counted(self) -> Iterator[str]:
        requests = [("", {"route": route, "status": code}, n) for (route, code), n in sorted(self._requests.items())]
        yield _family("atelier_requests_total", "counter", "Requests to the served API.", requests)
        refused = [("", {"reason": code}, n) for code, n in sorted(self._refused.items())]
        yield _family("atelier_refused_total", "counter", "Requests refused by a quota or a rate limit.", refused)
        yield _family("atelier_request_seconds", "histogram", "Seconds from request to end of answer.", self._spreads())
        answers = [("", {"model": model, "outcome": how}, n) for (model, how), n in sorted(self._answers.items())]
        yield _family("atelier_answers_total", "counter", "Answers of models, over pages and API.", answers)
        tokens = [("", {"model": model, "kind": kind}, n) for (model, kind), n in sorted(self._tokens.items())]
        yield _family("atelier_tokens_total", "counter", "Tokens of prompts and answers.", tokens)

    def _spreads(self) -> list[Sample]:
        found: list[Sample] = []
        for route, spread in sorted(self._spread.items()):
            below = 0
            for bound, count in zip((*map(str, BUCKETS), "+Inf"), spread, strict=True):
                below += count
                found.append(("_bucket", {"route": route, "le": bound}, below))
            found += [("_sum", {"route": route}, self._seconds[route]), ("_count", {"route": route}, below)]
        return found


def _now(rows: Sequence[Busy]) -> Iterator[str]:
    gauges: dict[str, tuple[str, Callable[[Busy], int | None]]] = {
        "slots": ("Slots of a loaded model.", lambda one: one.slots),
        "slots_busy": ("Slots in which an answer is being written.", lambda one: one.running),
        "queue_waiting": ("Requests that wait for a slot.", lambda one: one.waiting),
        "window_tokens": ("Tokens of one slot's window.", lambda one: one.window),
        "model_resident_bytes": ("Memory of a model's process.", lambda one: one.memory),
    }
    for name, (help_text, value) in gauges.items():
        samples = [("", {"model": one.model}, float(told)) for one in rows if (told := value(one)) is not None]
        yield _family(f"atelier_{name}", "gauge", help_text, samples)


def _process(began: float) -> Iterator[str]:
    memory = psutil.Process().memory_info().rss
    yield _family("process_resident_memory_bytes", "gauge", "Resident memory of the server.", [("", {}, memory)])
    yield _family("process_start_time_seconds", "gauge", "Start of the server since 1970.", [("", {}, began)])


def _family(name: str, kind: str, help_text: str, samples: Iterable[Sample]) -> str:
    lines = [f"# HELP {name} {help_text}", f"# TYPE {name} {kind}"]
    lines += [f"{name}{suffix}{_labels(labels)} {_number(value)}" for suffix, labels, value in samples]
    return "\n".join(lines) + "\n"


def _labels(labels: Labels) -> str:
    if not labels:
        return ""
    return "{" + ",".join(f'{name}="{_escaped(value)}"' for name, value in labels.items()) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", r"\\").replace("\n", r"\n").replace('"', r"\"")


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else repr(float(value))
