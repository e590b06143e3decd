"""What went into each model and what came out, kept for its owner alone. Knows no backend and no interface.

Secrets are taken out before anything is written, long bodies are cut and say so, and a store that fails never costs an
answer. Token ids are not kept: they follow from the prompt, and are computed when looked at.
"""

from __future__ import annotations

import logging
import re
import secrets as randomness
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Protocol

from sqlalchemy import Connection, Select, delete, func, select

from engine.backends.base import Report, Request
from engine.errors import NotFound, StoreFailed
from engine.store import Store
from engine.tables import dumps, traces
from engine.types import Result

log = logging.getLogger(__name__)

BODY_MAX = 256 * 1024  # bytes of JSON of one body
DEEPEST = 60
HIDDEN = "[hidden]"
PRUNE_TO = 0.9  # of the limit, so that pruning is rare
PRUNE_EVERY_S = 3600.0
SHORTEST_SECRET = 8  # a shorter one would blot out ordinary words

_SECRET_NAME = re.compile(
    r"(^|[_.-])(authorization|api[_-]?(key|token)|(access|auth|bearer|refresh|secret|session)[_-]?(key|token)|"
    r"bearer|cookie|credentials?|passw(or)?d|private[_-]?key|secret)s?($|[_.-])|^token$|^x-.*-(key|token)$",
    re.IGNORECASE,
)
_KEY_STARTS = (
    "sk-",
    "sk_",
    "r8_",
    "hf_",
    "gsk_",
    "xai-",
    "AIza",
    "ghp_",
    "gho_",
    "ghu_",
    "ghs_",
    "ghr_",
    "github_pat_",
)
_SECRET_SHAPE = re.compile(
    rf"\b(?:ak-[0-9a-f]{{12}}-|{'|'.join(map(re.escape, _KEY_STARTS))})[\w-]{{16,}}|\bBearer\s+[\w.~+/=-]{{8,}}"
)
_HINTS = (*_KEY_STARTS, "ak-", "Bearer")  # a search for words takes a twentieth of the expression's time
_SHORTER = (64 * 1024, 16 * 1024, 4096, 1024, 256)


class Limits(Protocol):
    """The two settings that bound the store: megabytes and days."""

    @property
    def trace_mb(self) -> int: ...
    @property
    def trace_days(self) -> int: ...


@dataclass(frozen=True)
class TraceLine:
    """One trace in a list; `seq` grows with time, `started` in seconds since 1970, `duration` in seconds."""

    seq: int
    id: str
    backend: str
    model: str
    outcome: str
    error_code: str | None
    started: float
    duration: float | None
    usage: Mapping[str, Any]
    stats: Mapping[str, Any]


@dataclass(frozen=True)
class Trace(TraceLine):
    """A whole trace: `request` is the body as sent, `prompt` the text after the template where the backend could tell,
    `window` what was left out to fit (engine.window), None where nobody planned.

    `response` has `text`, and `reasoning`, `tool_calls`, `error`, `server` where there were any; `cut` names the bodies
    that were too long to be kept whole.
    """

    request: Any
    prompt: str | None
    response: Any
    window: Any
    cut: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Every field, ready for JSON."""
        return asdict(self)


class Traces:
    """Writes and finds traces. Everything but `record` raises StoreFailed."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        *,
        clock: Callable[[], float] = time.time,
        told: Callable[[str, Result], None] = lambda model, result: None,
    ) -> None:
        self._told = told  # of every answer: its model and what came of it
        self._store = store
        self._limit = limits.trace_mb * 2**20
        self._age = limits.trace_days * 86400.0
        self._clock = clock
        self._pruning = threading.Lock()
        self._unpruned = 0
        self._pruned_at = 0.0

    def record(
        self,
        request: Request,
        report: Report | None,
        result: Result,
        *,
        backend: str,
        model: str,
        body: Mapping[str, Any],
        secrets: Collection[str] = (),
        trace_id: str | None = None,
    ) -> str | None:
        """The id of the new trace; None where the store failed, which the log says. `secrets` appear nowhere in it.

        `trace_id` is a random id that was told to the client before the answer began.
        """
        self._told(model, result)
        bodies, cut = _bodies(request, report, result, body, secrets)
        duration = result.stats.wall_time
        row = {
            **bodies,
            "id": trace_id or randomness.token_urlsafe(16),
            "owner": request.owner,
            "bytes": sum(map(_size, bodies.values())),
            "backend": backend,
            "model": model,
            "outcome": result.outcome,
            "error_code": result.error.code if result.error else None,
            "started": self._clock() - (duration or 0.0),
            "duration": duration,
            "usage": result.usage.to_dict(),
            "stats": result.stats.export(result.outcome, result.usage),
            "cut": cut,
        }
        try:
            with self._store.write() as connection:
                connection.execute(traces.insert().values(**row))
            self._prune_now_and_then(row["bytes"])
        except StoreFailed as error:
            log.warning("a trace was not stored: %s (%s)", error.message, error.details.get("reason"))
            return None
        return str(row["id"])

    def get(self, trace_id: str, owner: str) -> Trace:
        """The trace. Raises NotFound for another's as for none, so that nobody learns which ids exist."""
        query = select(*_WHOLE).where(traces.c.id == trace_id, traces.c.owner == owner)
        with self._store.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise NotFound(f"no trace {trace_id}", what="trace", key=trace_id)
        return Trace(**{**row, "cut": tuple(row["cut"])})

    def list(self, owner: str, limit: int = 50, before: int | None = None) -> tuple[TraceLine, ...]:
        """The person's traces, newest first; `before` is the `seq` where the page before ended."""
        query = select(*_LINE).where(traces.c.owner == owner)
        query = query if before is None else query.where(traces.c.seq < before)
        return self._lines(query.order_by(traces.c.seq.desc()).limit(limit))

    def tail(self, owner: str, after: int | None = None, limit: int = 50) -> tuple[TraceLine, ...]:
        """For a log that follows, oldest first: the person's last traces, then those that came `after` that `seq`."""
        if after is None:
            return self.list(owner, limit)[::-1]
        query = select(*_LINE).where(traces.c.owner == owner, traces.c.seq > after)
        return self._lines(query.order_by(traces.c.seq).limit(limit))

    def prune(self) -> int:
        """How many traces were deleted: the too old, then, above the size limit, the oldest of who keeps most."""
        now = self._clock()
        with self._pruning, self._store.write() as connection:
            count: int = connection.execute(delete(traces).where(traces.c.started < now - self._age)).rowcount
            sums = connection.execute(select(func.sum(traces.c.bytes)).group_by(traces.c.owner)).scalars().all()
            if sum(sums) > self._limit:
                count += _keep_newest(connection, fair_share(sums, int(self._limit * PRUNE_TO)))
            self._unpruned, self._pruned_at = 0, now
        return count

    def _prune_now_and_then(self, added: int) -> None:
        self._unpruned += added
        late = self._clock() - self._pruned_at > PRUNE_EVERY_S
        if late or self._unpruned > self._limit * (1 - PRUNE_TO) / 2:
            self.prune()

    def _lines(self, query: Select[Any]) -> tuple[TraceLine, ...]:
        with self._store.read() as connection:
            return tuple(TraceLine(**row) for row in connection.execute(query).mappings())


_LINE = tuple(traces.c[name] for name in TraceLine.__dataclass_fields__)
_WHOLE = tuple(traces.c[name] for name in Trace.__dataclass_fields__)


def fair_share(sizes: Collection[int], limit: int) -> int:
    """Bytes that each owner may keep so that all fit into `limit`: small ones keep all, the large ones as much as each
    other.
    """
    left, owners = limit, len(sizes)
    for size in sorted(sizes):
        if size * owners > left:
            break
        left, owners = left - size, owners - 1
    return left // owners if owners else max(sizes, default=0)


def _keep_newest(connection: Connection, share: int) -> int:
    kept = func.sum(traces.c.bytes).over(partition_by=traces.c.owner, order_by=traces.c.seq.desc())
    sums = select(traces.c.seq, kept.label("kept")).subquery()
    beyond = select(sums.c.seq).where(sums.c.kept > share)
    return connection.execute(delete(traces).where(traces.c.seq.in_(beyond))).rowcount


def _bodies(
    request: Request, report: Report | None, result: Result, body: Mapping[str, Any], secrets: Collection[str]
) -> tuple[dict[str, Any], list[str]]:
    """The four bodies without secrets and bounded, and the names of those that were cut."""
    whole = {
        "request": body,
        "prompt": (report.prompt if report else None) or request.raw,
        "response": _response(report, result),
        "window": None if request.window is None else dict(request.window),
    }
    clean = {name: redact(value, secrets) for name, value in whole.items()}
    bodies = {name: bounded(value) for name, value in clean.items()}
    return bodies, [name for name in bodies if bodies[name] is not clean[name]]


def _response(report: Report | None, result: Result) -> dict[str, Any]:
    """What came, from the result; and the server's own last object without the token ids, if there was one."""
    told = result.to_dict()
    response: dict[str, Any] = {
        name: told[name] for name in ("text", "reasoning", "tool_calls", "error") if name in told
    }
    if report and report.response:
        response["server"] = {name: value for name, value in report.response.items() if name != "tokens"}
    return response


def redact(value: Any, secrets: Collection[str] = (), depth: int = 0) -> Any:
    """The JSON value without secrets: named fields, texts shaped like keys, and the given ones wherever they occur."""
    if isinstance(value, str):
        return _without_secrets(value, secrets)
    if depth > DEEPEST:
        return HIDDEN
    if isinstance(value, Mapping):
        return {
            redact(str(name), secrets): HIDDEN if _is_secret(str(name), item) else redact(item, secrets, depth + 1)
            for name, item in value.items()
        }
    if isinstance(value, Sequence) and not isinstance(value, bytes | bytearray):
        return [redact(item, secrets, depth + 1) for item in value]
    return value if value is None or isinstance(value, int | float) else redact(str(value), secrets)


def _is_secret(name: str, value: Any) -> bool:
    # An object under such a name is the schema of a tool's field; what it holds is looked at by itself
    return value is not None and not isinstance(value, Mapping) and _SECRET_NAME.search(name) is not None


def _without_secrets(text: str, secrets: Collection[str]) -> str:
    for secret in secrets:
        if len(secret) >= SHORTEST_SECRET:
            text = text.replace(secret, HIDDEN)
    return _SECRET_SHAPE.sub(HIDDEN, text) if any(hint in text for hint in _HINTS) else text


def bounded(value: Any, limit: int = BODY_MAX) -> Any:
    """The value itself if its JSON has at most `limit` bytes, else one like it with its long texts cut."""
    if _size(value) <= limit:
        return value
    for longest in (limit, *_SHORTER):
        shorter = _cut(value, longest // 4)  # a character has up to four bytes
        if _size(shorter) <= limit:
            return shorter
    return {"cut": dumps(value)[: limit // 8]}  # quotes and backslashes double


def _size(value: Any) -> int:
    return len(dumps(value).encode())


def _cut(value: Any, longest: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= longest else f"{value[:longest]}… [{len(value) - longest} characters cut]"
    if isinstance(value, dict):
        return {_cut(name, longest): _cut(item, longest) for name, item in value.items()}
    return [_cut(item, longest) for item in value] if isinstance(value, list) else value
