"""Answers that a model gave earlier, replayed with the timing of then. Knows no file, no network and no weights; the
numbers that it reports are those of the recording.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from engine.backends.base import Control, Report, Request
from engine.errors import BadInput, NotSupported
from engine.types import Capability, Event, PromptProgress, Rendered, Stats, TextDelta, Usage


@dataclass(frozen=True)
class Tape:
    """One answer as it came: texts with the seconds after the question at which they did, then its numbers.

    `read` is when the prompt of `usage.prompt_tokens` tokens had been read. `finish` is in OpenAI's words.
    """

    question: str
    read: float
    pieces: tuple[tuple[float, str], ...]
    end: float
    finish: str
    usage: Usage
    stats: Stats

    @property
    def text(self) -> str:
        """The whole answer."""
        return "".join(piece for _, piece in self.pieces)


def same(one: str, other: str) -> bool:
    """Whether two questions are the same but for case and white space."""
    return one.split() == other.split() or one.casefold().split() == other.casefold().split()


class Recorded:
    """The backend of one recording: it knows the answers to its own questions and to nothing else."""

    name = "recorded"
    capabilities: frozenset[Capability] = frozenset({"cancel", "timings", "prompt_progress"})

    def __init__(self, model: str, tapes: tuple[Tape, ...]) -> None:
        self._model = model
        self._tapes = tapes

    def run(self, request: Request, control: Control) -> Iterator[Event | Report]:
        """The answer to the last message, as it came then. Raises BadInput for a question that was not recorded."""
        tape = self._tape(request)
        began, said = time.monotonic(), 0

        def left(moment: float) -> float:
            return max(0.0, began + moment - time.monotonic())

        control.partial = lambda: Report("stop", replace(tape.usage, completion_tokens=said or None), model=self._model)
        total = tape.usage.prompt_tokens or 0
        yield PromptProgress(0, total, tape.usage.cached_tokens or 0)
        if control.wait(left(tape.read)):
            return
        yield PromptProgress(total, total, tape.usage.cached_tokens or 0)
        for moment, text in tape.pieces:
            if control.wait(left(moment)):
                return
            said += 1
            yield TextDelta(text)
        if not control.wait(left(tape.end)):
            yield Report(tape.finish, tape.usage, tape.stats, model=self._model, response={"recorded": tape.text})

    def body(self, request: Request) -> dict[str, Any]:
        """What was asked now, in OpenAI's shape; no parameter of it changes what was recorded."""
        return {"messages": [message.to_dict() for message in request.messages], "stream": True}

    def render(self, request: Request) -> Rendered:
        """Not known: the prompt was another model's. Raises NotSupported."""
        raise NotSupported("a recording has no prompt of now", capability="exact_prompt", backend=self.name)

    def count(self, request: Request) -> int:
        """Not known. Raises NotSupported."""
        raise NotSupported("a recording counts nothing", capability="exact_count", backend=self.name)

    def window(self) -> None:
        """Not known."""

    def close(self) -> None:
        """Nothing to give back."""

    def _tape(self, request: Request) -> Tape:
        asked = request.messages[-1].content if request.messages else request.raw or ""
        for tape in self._tapes:
            if same(tape.question, asked):
                return tape
        known = [tape.question for tape in self._tapes]
        told = f"{self._model} was recorded with {len(known)} questions, and this is none of them"
        raise BadInput(told, what="message", reason="not_recorded", questions=" · ".join(known), known=known)


def to_dict(tape: Tape) -> Mapping[str, Any]:
    """The tape, ready for JSON; moments in milliseconds."""
    return {
        "question": tape.question,
        "read_ms": round(tape.read * 1000),
        "pieces": [[round(moment * 1000), text] for moment, text in tape.pieces],
        "end_ms": round(tape.end * 1000),
        "finish": tape.finish,
        "usage": {
            "prompt_tokens": tape.usage.prompt_tokens,
            "completion_tokens": tape.usage.completion_tokens,
            "cached_tokens": tape.usage.cached_tokens,
        },
        "tokens_per_second": tape.stats.tokens_per_second,
        "generation_s": tape.stats.total_time,
        "source": tape.stats.source,
    }


def from_dict(data: Mapping[str, Any]) -> Tape:
    """The tape that `to_dict` told."""
    stats = Stats(data["tokens_per_second"], total_time=data["generation_s"], source=data["source"])
    pieces = tuple((moment / 1000, text) for moment, text in data["pieces"])
    return Tape(data["question"], data["read_ms"] / 1000, pieces, data["end_ms"] / 1000, data["finish"],
                Usage(**data["usage"]), stats)  # fmt: skip
