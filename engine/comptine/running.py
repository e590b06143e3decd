"""Running one cell: what fits is sent and streamed, with the strip of verses as it grows; what cannot fit is not sent.

Knows no sweep and no interface.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from engine.comptine.cell import Cell, CellResult, Status
from engine.comptine.overflow import Kept, Survivors, kept, piece_bytes, survivors, text_of
from engine.comptine.question import Prompt
from engine.comptine.score import Mark, marks, score
from engine.errors import EngineError, NotSupported, PromptTooLong
from engine.params import Params
from engine.types import Event, Finished, Result, TextDelta

if TYPE_CHECKING:
    from engine.generation import Generation
    from engine.model import Model

STRIP_EVERY_S = 0.05  # no page draws more than twenty strips a second
MARGIN = 64  # answer tokens beyond the ideal ones: three or four verses more show that it does not stop


@dataclass(frozen=True)
class Strip:
    """The answer so far and its verses."""

    text: str
    marks: tuple[Mark, ...]


@dataclass(frozen=True)
class Prepared:
    """What would be sent for a cell, counted before anything is: `raw` is the prompt that a policy has cut.

    `total` tokens has the whole prompt, `sent` what is left of it, `needed` the ideal answer; None where only the
    server counts. `status` is None where the cell is to be run.
    """

    cell: Cell
    prompt: Prompt
    total: int | None = None
    sent: int | None = None
    needed: int | None = None
    window: int | None = None
    kept: Kept | None = None
    survivors: Survivors | None = None
    raw: str | None = None

    @property
    def status(self) -> Status | None:
        """`refused` or `budget` where it is not worth a run: prompt, window or the cell's own limit cut the answer."""
        if self.window is None or self.sent is None or self.needed is None:
            return None
        if self.sent >= self.window or (self.kept is not None and self.kept.refused):
            return "refused"
        room = self.window - self.sent
        limit = self.cell.max_tokens
        return "budget" if self.needed > min(room, room if limit is None or limit < 0 else limit) else None

    def params(self) -> Params:
        """How the model is asked: greedy unless the cell says otherwise."""
        cell = self.cell
        limit = cell.max_tokens
        if limit is None:
            needed = 2 * len(self.prompt.needed_text.encode()) // 3 if self.needed is None else self.needed
            limit = needed + needed // 4 + MARGIN
        return Params(temperature=cell.temperature, seed=cell.seed, max_tokens=limit)


def prepare(model: Model, cell: Cell) -> Prepared:
    """The cell's prompt, counted, and cut as its policy says. Loads the model.

    Raises BadInput for a cell that asks nothing, NotSupported where a policy needs tokens that only the server sees.
    """
    asked = cell.prompt()
    if "exact_count" not in model.capabilities:
        if cell.policy != "refuse":
            raise NotSupported(f"{model.card.id}: tokens unseen", capability="exact_prompt", backend=model.card.backend)
        return Prepared(cell, asked)
    total = model.count(model.request(asked.messages))  # loads the model: its window is known afterwards
    needed = model.count(model.request((), raw=asked.needed_text)) if asked.needed_text else 0
    window = min((size for size in (model.window(), cell.window) if size), default=None)
    whole = Prepared(cell, asked, total, total, needed, window)
    return whole if cell.policy == "refuse" or window is None else _cut(model, whole, window)


def _cut(model: Model, whole: Prepared, window: int) -> Prepared:
    """The prompt with what the policy leaves of it."""
    cell, asked = whole.cell, whole.prompt
    total, needed = whole.total or 0, whole.needed or 0
    if kept(total, window, cell.policy, reserve=needed).whole:
        return whole
    rendered = model.render(model.request(asked.messages))
    pieces = piece_bytes(rendered.pieces)
    head = _head(pieces, asked.text)
    left = kept(len(pieces), window, cell.policy, reserve=needed, head=head)
    made = cell.rhyme()
    fates = survivors(pieces, left, asked.text, made.text, made.verses)
    added = b"".join(pieces).removesuffix(rendered.prompt.encode())
    text = text_of(pieces, left).removeprefix(added.decode(errors="ignore"))  # the server adds its BOS again
    return Prepared(cell, asked, total, left.tokens, needed, window, left, fates, text)


def _head(pieces: tuple[bytes, ...], message: str) -> int:
    """Tokens before the user's text: the template's, with the system message that it may add."""
    whole = b"".join(pieces)
    end, bytes_so_far = max(0, whole.find(message.encode())), 0
    for number, piece in enumerate(pieces):
        if bytes_so_far >= end:
            return number
        bytes_so_far += len(piece)
    return len(pieces)


class CellRun:
    """One run of a cell: iterate it once, `stop()` it from any thread; `result` is there at the end.

    It yields what the model's stream yields while it waits, a Strip at most every 0.05 s, and the CellResult last. A
    refusal and a failure are results too; only BadInput of the cell itself is raised.
    """

    def __init__(
        self, model: Model, cell: Cell, *, owner: str = "local", interactive: bool = True, strict: bool = False
    ) -> None:
        self.model = model
        self.cell = cell
        self.result: CellResult | None = None
        self._options: dict[str, Any] = {"owner": owner, "interactive": interactive}
        if strict and model.card.backend == "llamacpp":
            self._options["extra"] = {"cache_prompt": False}
        self._generation: Generation | None = None
        self._stopped = False
        self._watched = True

    def stop(self) -> None:
        """End it; what was said so far is kept."""
        self._stopped = True
        if self._generation is not None:
            self._generation.stop()

    def __iter__(self) -> Iterator[Event | Strip | CellResult]:
        prepared = prepare(self.model, self.cell)
        if prepared.status is None:
            yield from self._stream(prepared)
        else:
            self.result = _unsent(self.model, prepared, prepared.status)
        assert self.result is not None
        yield self.result

    def wait(self) -> CellResult:
        """The result, without the way to it: no strip is made, which in a sweep takes time from the model's threads."""
        self._watched = False
        for _ in self:
            pass
        assert self.result is not None
        return self.result

    def _stream(self, prepared: Prepared) -> Iterator[Event | Strip]:
        """Events of the answer; sets the result."""
        options = dict(self._options)
        if prepared.raw is not None:
            options["raw"] = prepared.raw
        if self.cell.window is not None:
            options["virtual_window"] = self.cell.window
        messages = () if prepared.raw is not None else prepared.prompt.messages
        self._generation = self.model.stream(messages, prepared.params(), **options)
        if self._stopped:
            self._generation.stop()
        with suppress(EngineError):  # it is in the result too
            yield from _events(self._generation, prepared.prompt) if self._watched else self._generation
        self.result = _result(self.model, prepared, self._generation.result)


def run(model: Model, cell: Cell, **options: Any) -> CellResult:
    """The result of a cell, without the way to it; `options` are those of CellRun."""
    return CellRun(model, cell, **options).wait()


def _events(generation: Generation, asked: Prompt) -> Iterator[Event | Strip]:
    text, drawn = "", 0.0
    for event in generation:
        if isinstance(event, TextDelta):
            text += event.text
            now = time.monotonic()
            if now - drawn >= STRIP_EVERY_S:
                drawn = now
                yield Strip(text, marks(text, asked, False))
        elif not isinstance(event, Finished):
            yield event


def _unsent(model: Model, prepared: Prepared, status: Status) -> CellResult:
    """The result of a cell that is not worth a run."""
    error = None
    if status == "refused":
        error = PromptTooLong(prepared.sent or prepared.total, prepared.window).to_dict()
    return CellResult(
        cell=prepared.cell,
        status=status,
        model=model.card.id,
        prompt_sha256=prepared.prompt.sha256,
        total=prepared.total,
        prompt_tokens=prepared.sent,
        needed=prepared.needed,
        window=prepared.window,
        survivors=prepared.survivors.to_dict() if prepared.survivors else None,
        error=error,
    )


def _result(model: Model, prepared: Prepared, told: Result) -> CellResult:
    """The result of a cell that was sent; what failed before its first word is not scored."""
    status = _status(told)
    finished = told.outcome == "stop"
    asked = prepared.prompt
    return CellResult(
        cell=prepared.cell,
        status=status,
        model=model.card.id,
        prompt_sha256=asked.sha256,
        answer=told.text,
        score=score(told.text, asked, finished=finished) if status == "done" else None,
        marks=marks(told.text, asked, finished),
        outcome=told.outcome,
        total=prepared.total,
        prompt_tokens=told.usage.prompt_tokens if told.usage.prompt_tokens is not None else prepared.sent,
        needed=prepared.needed,
        completion_tokens=told.usage.completion_tokens,
        cached=told.usage.cached_tokens,
        window=prepared.window,
        first_token=told.stats.time_to_first_token,
        tokens_per_second=told.stats.tokens_per_second,
        wall=told.stats.wall_time,
        trace_id=told.trace_id,
        survivors=prepared.survivors.to_dict() if prepared.survivors else None,
        error=told.error.to_dict() if told.error else None,
    )


def _status(told: Result) -> Status:
    if isinstance(told.error, PromptTooLong):
        return "refused"
    if told.outcome == "failed":
        return "failed"
    return "stopped" if told.outcome == "user_stopped" else "done"
