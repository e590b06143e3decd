"""Running a batch: each provider asked at its own pace, answers kept and judged as they come, money held back before.

joblib hands the cells of each provider to threads, as a sweep's. Draws nothing.
"""

from __future__ import annotations

import contextlib
import queue
import secrets
import threading
import time
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import TYPE_CHECKING, Literal

from engine import child
from engine.compare.batch_file import BatchFile, BatchResult
from engine.compare.batch_plan import Batch, Cell, Check
from engine.compare.budget import Budget
from engine.compare.checks import JUDGED, Judge, Told, check_code
from engine.compare.pace import WAIT_MAX_S, Pace
from engine.compare.prices import Prices
from engine.compare.terms import Terms, check_limit, failed_result, terms_of
from engine.errors import BadInput, BadParameter, EngineError, RateLimited
from engine.params import Params
from engine.types import Message, Result

if TYPE_CHECKING:
    from engine.backends.base import Request
    from engine.catalog import ModelCard
    from engine.engine import Engine
    from engine.generation import Generation
    from engine.model import Model
    from engine.rag.values import Vectors

REMOTE_AT_ONCE, AT_ONCE_MAX = 4, 32  # requests to one provider
TRIES = 6  # of a question that a provider had no room for
LOCAL = "local"  # the pace of all models that this machine runs: they share its cores
Role = Literal["teacher", "student"]


@dataclass(frozen=True)
class BatchStep:
    """An answer has come and was judged: `done` of `total` are there, those of an earlier run included. `eta` is the
    time left in seconds, `spent` what was spent at most, in the batch's currency.
    """

    result: BatchResult
    done: int
    total: int
    eta: float | None
    spent: Decimal


class BatchRun:
    """One run of a batch: iterate it once; `cancel()` it from any thread. Answers that are in `file` are not asked for
    again; what failed is.

    `at_once`: requests to each provider, of a local model its slots. `keys` open remote models, by id. `wait_max`:
    seconds that a Retry-After is waited for at most. `lent`: `owner`'s own keys of the visit do not pay. `over` are the
    cells (keys) that the budget had no room for.
    Raises EngineError before the first question: BadInput, UnknownModel, AccessDenied; what goes wrong with one
    question is its result.
    """

    def __init__(
        self, engine: Engine, batch: Batch, file: BatchFile | None = None, *, owner: str = "local",
        role: Role = "teacher", keys: Mapping[str, str] | None = None, at_once: int | None = None,
        wait_max: float = WAIT_MAX_S, prices: Prices | None = None, lent: bool = False,
    ) -> None:  # fmt: skip
        if at_once is not None and not 1 <= at_once <= AT_ONCE_MAX:
            raise BadParameter(f"at_once={at_once}", name="at_once", value=at_once, low=1, high=AT_ONCE_MAX)
        batch.check()
        self.batch = batch
        self.cells = batch.cells()
        self.results: dict[str, BatchResult] = {}
        self.over: list[str] = []
        self.budget = Budget(batch.budget)
        self._engine, self._file = engine, file
        self._owner, self._role, self._keys = owner, role, dict(keys or {})
        self._at_once, self._wait_max = at_once, wait_max
        self._prices, self._lent = prices or Prices(engine.values), lent
        self._judge = Judge(batch, self._embed, self._ask_judge)
        self._terms: dict[str, Terms] = {}
        self._paces: dict[str, Pace] = {}
        self._lock = threading.Lock()
        self._cancelled = threading.Event()
        self._running: set[Generation] = set()

    @property
    def cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return self._cancelled.is_set()

    @property
    def waited(self) -> float:
        """Seconds that busy providers asked to wait for, in all."""
        return sum(pace.waited for pace in self._paces.values())

    def cancel(self) -> None:
        """End it: answers under way are stopped and not kept, the others are."""
        self._cancelled.set()
        self.budget.close()
        with self._lock:
            running, paces = list(self._running), list(self._paces.values())
        for pace in paces:
            pace.stop()
        for generation in running:
            generation.stop()

    def prepare(self) -> None:
        """Open the models and look at what they cost; called by the iteration. Raises what that raises before the first
        question.
        """
        judges = [one.model for one in self.batch.checks if one.model and one.kind == "judge"]
        budget = self.batch.budget is not None
        for name in dict.fromkeys((*self.batch.models, *judges)):
            spends = None if self._lent else self._owner
            model = self._engine.model(name, self._keys.get(name), role=self._role, owner=spends)
            self._terms[name] = terms_of(model, self._prices, budget=budget, currency=self.batch.currency)
            lane = lane_of(model.card)
            wanted = max(self._slots(model), self._paces[lane].at_once if lane in self._paces else 1)
            with self._lock:
                self._paces[lane] = Pace(wanted, wait_max=self._wait_max)
        if budget:
            asked = [(name, Params(given)) for name in self.batch.models for given in self.batch.params]
            for name, params in (*asked, *((judge, JUDGED) for judge in judges)):
                check_limit(self._terms[name], self._terms[name].model.request((), params))
        self._check_embedders(budget)
        check_code(self.batch)

    def __iter__(self) -> Iterator[BatchStep]:
        with ExitStack() as stack:
            if self._file is not None:
                stack.enter_context(self._file.held())
                self._take_up(self._file)
            left = [cell for cell in self.cells if not self._settled(cell)]
            self.prepare()
            if self.cancelled:  # while it was prepared: its paces know nothing of it
                return
            started, total, before = time.monotonic(), len(self.cells), len(self.cells) - len(left)
            with contextlib.closing(self._all(left)) as results:
                for count, result in enumerate(results, 1):
                    eta = (time.monotonic() - started) / count * (len(left) - count)
                    yield BatchStep(result, before + count, total, eta, self.budget.spent)

    def _take_up(self, file: BatchFile) -> None:
        """What the file knows of this batch's cells, and what was spent on it."""
        file.begin(self.batch)
        saved = file.read()
        self.results = {cell.key: saved.results[cell.key] for cell in self.cells if cell.key in saved.results}
        note = file.note if self.batch.budget is not None else None
        self.budget = Budget(self.batch.budget, saved.spent, note)
        if self.cancelled:
            self.budget.close()

    def _settled(self, cell: Cell) -> bool:
        known = self.results.get(cell.key)
        return known is not None and known.settled(bool(self.batch.checks))

    def _all(self, left: Sequence[Cell]) -> Generator[BatchResult, None, None]:
        """Results as they come, of all providers side by side. When the consumer goes away, what runs is cancelled."""
        lanes: dict[str, list[Cell]] = {}
        for cell in left:
            lanes.setdefault(lane_of(self._terms[cell.model].model.card), []).append(cell)
        told: queue.SimpleQueue[BatchResult | None] = queue.SimpleQueue()
        with ThreadPoolExecutor(max(1, len(lanes)), thread_name_prefix="batch") as pool:
            ways = [pool.submit(self._lane, self._paces[lane], cells, told) for lane, cells in lanes.items()]
            try:
                ended = 0
                while ended < len(ways):
                    result = told.get()
                    if result is None:
                        ended += 1
                    else:
                        yield result
                for way in ways:
                    way.result()
            finally:
                if not all(way.done() for way in ways):
                    self.cancel()

    def _lane(self, pace: Pace, cells: Sequence[Cell], told: queue.SimpleQueue[BatchResult | None]) -> None:
        """All cells of one provider; None at their end, whatever it is."""
        from joblib import Parallel, delayed

        workers = min(pace.at_once, len(cells))
        parallel = Parallel(
            workers, backend="threading", return_as="generator_unordered", batch_size=1, pre_dispatch=workers
        )
        try:
            for result in parallel(delayed(self._one)(cell) for cell in self._wanted(cells)):
                if result is not None:
                    told.put(result)
        finally:
            told.put(None)

    def _wanted(self, cells: Sequence[Cell]) -> Iterator[Cell]:
        """The cells, one after another, until it is cancelled."""
        for cell in cells:
            if self.cancelled:
                return
            yield cell

    def _one(self, cell: Cell) -> BatchResult | None:
        """The result of one cell, judged and kept; None where it was cancelled or too dear. Runs in a worker's
        thread.
        """
        if threading.current_thread() is not threading.main_thread():
            child.step_back()  # many readers beside llama.cpp's threads, which wait for each other
        known = self.results.get(cell.key)
        if known is None or known.status == "failed":
            known = self._answer(cell)
        told = None if known is None else self._judged(cell, known)
        if told is None and not self.cancelled:
            with self._lock:
                self.over.append(cell.key)
        return told

    def _answer(self, cell: Cell) -> BatchResult | None:
        terms = self._terms[cell.model]
        asked = self._call(cell.key, terms, messages_of(cell, terms.model), cell.params())
        if asked is None:
            return None
        result = _result(cell, terms, *asked)
        if self._file is not None:
            self._file.add(result)
        return self._known(result)

    def _judged(self, cell: Cell, result: BatchResult) -> BatchResult | None:
        """The result with what the checks say of it; None where a judge could not be asked any more."""
        if result.status == "failed" or not self.batch.checks:
            return result
        checks = self._judge(cell, result.text)
        if checks is None:
            return None
        if self._file is not None:
            self._file.add_checks(cell.key, self.batch.checks_hash, checks)
        return self._known(replace(result, checks=checks))

    def _ask_judge(self, check: Check, messages: tuple[Message, ...], params: Params) -> Told | None:
        terms = self._terms[check.model or ""]
        asked = self._call(f"judge {secrets.token_hex(8)}", terms, messages, params)
        if asked is None:
            return None
        return Told(asked[0].text, asked[0].error, terms.cost(asked[0]).to_dict())

    def _embed(self, name: str | None, texts: list[str]) -> Vectors:
        from engine.rag.embedders import default_embedder
        from engine.rag.retrieval import Asking

        wanted = name or default_embedder()
        asking = Asking(role=self._role, key=self._keys.get(wanted), lent=self._lent)
        return self._engine.embedders.of(self._owner, wanted, asking).passages(texts)

    def _call(
        self, name: str, terms: Terms, messages: tuple[Message, ...], params: Params
    ) -> tuple[Result, int] | None:
        """What came of a question, and at which try; None where it was cancelled or the budget has no room."""
        try:
            request = terms.model.request(messages, params, owner=self._owner, interactive=False)
        except EngineError as error:
            return failed_result(terms.model, error), 1
        most = terms.most(request)
        if not self.budget.hold(name, most):
            return None
        charged = most
        try:
            told, tries = self._patiently(terms.model, request)
            charged = terms.charged(told, most) if told is not None else Decimal(0)
        finally:
            self.budget.pay(name, charged)
        if told is None or (told.outcome == "user_stopped" and self.cancelled):
            return None
        return told, tries

    def _patiently(self, model: Model, request: Request) -> tuple[Result | None, int]:
        """The result once the provider had room, and how often it was asked; None where it was cancelled before."""
        pace = self._paces[lane_of(model.card)]
        for tried in range(1, TRIES + 1):
            with pace.turn() as mine:
                if not mine:
                    return None, tried
                told = self._generated(model, request)
                if not isinstance(told.error, RateLimited):
                    pace.answered()
                    return told, tried
                pace.refused(_seconds(told.error.details.get("retry_after")))
        return told, TRIES

    def _generated(self, model: Model, request: Request) -> Result:
        """The whole answer; with its error where it has one."""
        try:
            generation = model.stream(request.messages, request.params, owner=self._owner, interactive=False)
        except EngineError as error:
            return failed_result(model, error)
        with self._lock:
            self._running.add(generation)
        try:
            if self.cancelled:
                generation.stop()
            with contextlib.suppress(EngineError):  # it is in the result too
                for _ in generation:
                    pass
            return generation.result
        finally:
            with self._lock:
                self._running.discard(generation)

    def _known(self, result: BatchResult) -> BatchResult:
        with self._lock:
            self.results[result.key] = result
        return result

    def _slots(self, model: Model) -> int:
        if model.card.backend == "llamacpp":
            runtime = self._engine.served(model.card.id)
            return runtime.slots if runtime else 1
        return self._at_once or REMOTE_AT_ONCE

    def _check_embedders(self, budget: bool) -> None:
        """Raises NotFound, NotSupported, AccessDenied for an embedder that cannot be used, BadInput for one that costs
        nobody knows what.
        """
        from engine.rag.embedders import REMOTE, embedder

        for one in self.batch.checks:
            if one.kind == "similarity" and one.embedder:
                if budget and one.embedder.startswith(REMOTE):
                    raise BadInput(f"{one.embedder}: no_price", reason="batch_no_price", model=one.embedder)
                embedder(one.embedder, self._engine, key=self._keys.get(one.embedder), role=self._role)


def lane_of(card: ModelCard) -> str:
    """Whose pace a model has: its provider's, or this machine's."""
    return card.endpoint.provider.id if card.endpoint else LOCAL


def messages_of(cell: Cell, model: Model) -> tuple[Message, ...]:
    """What the model is told: the batch's system prompt, else the one that its configuration says."""
    system = cell.system or model.configuration.prompt.system
    user = Message("user", cell.prompt)
    return (Message("system", system), user) if system else (user,)


def _result(cell: Cell, terms: Terms, told: Result, tries: int) -> BatchResult:
    redacted = terms.model.redacted
    return BatchResult(
        key=cell.key,
        model=cell.model,
        status="failed" if told.outcome == "failed" else "done",
        text=redacted(told.text),
        outcome=told.outcome,
        usage=told.usage.to_dict(),
        stats=told.stats.export(told.outcome, told.usage),
        cost=terms.cost(told).to_dict(),
        error=redacted(told.error.to_dict()) if told.error else None,
        trace_id=told.trace_id,
        tries=tries,
    )


def _seconds(told: object) -> float | None:
    try:
        return float(str(told))
    except ValueError:  # nothing was told, or a date
        return None
