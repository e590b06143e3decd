"""How likely a local model finds the continuations of evaluation items. A task for a job child; judges nothing.

As lm-evaluation does: context and continuation are made tokens together, and of the whole the tokens after what both
have in common with the context's own are counted.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from pathlib import Path
from typing import Any

from engine.quality.cards import card
from engine.quality.numbers import surprises
from engine.quality.questions import Item, items_of
from engine.quality.reader import Reader
from engine.tasks import Progress

TASK = "engine.quality.likelihood:measure"
WINDOW_MAX = 4096
WINDOW_MIN = 64


def measure(
    path: str, source: str, limit: int | None = None, threads: int = 1
) -> Generator[Progress, None, dict[str, Any]]:
    """`card`, and for each item its `id` and `pairs`: the surprise in `nats` of each continuation, the number of its
    `tokens`, and whether greedy decoding would write it (`greedy`). `pairs` is None for an item longer than the window.

    Progress in items. Raises BadFile, NativeMissing, LoadFailed, NotSupported.
    """
    items = items_of(source)[:limit]
    found = list[dict[str, Any]]()
    yield Progress(0, len(items))
    with Reader(path, window_for(items), threads) as reader:
        for item in items:
            found.append({"id": item.id, "pairs": continuations(reader, item, window_for(items))})
            yield Progress(len(found), len(items))
    return {"card": card(Path(path), threads, source=Path(source).name), "items": found}


def window_for(items: Sequence[Item]) -> int:
    """Tokens that hold every item, which has no more tokens than bytes and two; at most WINDOW_MAX."""
    longest = max(len((context + rest).encode()) for item in items for context, rest in item.pairs) + 2
    return min(WINDOW_MAX, max(WINDOW_MIN, longest))


def continuations(reader: Reader, item: Item, window: int) -> list[dict[str, Any]] | None:
    """One dict for each pair of the item; None where it does not fit into the window, or into the model's own."""
    wholes = [reader.tokens(context + rest) for context, rest in item.pairs]
    if max(map(len, wholes)) > min(window, reader.trained_window):
        return None
    starts = [
        max(1, common(reader.tokens(context), whole)) for (context, _), whole in zip(item.pairs, wholes, strict=True)
    ]
    found = list[dict[str, Any]]()
    for begin in range(0, len(wholes), reader.at_once):
        end = begin + reader.at_once
        found += _read(reader, wholes[begin:end], starts[begin:end])
    return found


def common(context: Sequence[int], whole: Sequence[int]) -> int:
    """How many tokens both begin with; at least one of `whole` is left."""
    for at, (first, second) in enumerate(zip(context, whole[:-1], strict=False)):
        if first != second:
            return at
    return min(len(context), len(whole) - 1)


def _read(reader: Reader, wholes: Sequence[list[int]], starts: Sequence[int]) -> list[dict[str, Any]]:
    """The tokens from `starts` on, of each. The first of a text has nothing before it and is never one of them."""
    found: list[dict[str, Any]] = [{"nats": 0.0, "tokens": 0, "greedy": True} for _ in wholes]
    for number, position, rows in reader.read(wholes, min(starts) - 1):
        skipped = max(0, starts[number] - 1 - position)
        rows = rows[skipped:]
        following = wholes[number][position + 1 + skipped :][: len(rows)]
        told = found[number]
        told["nats"] += float(surprises(rows, following).sum())
        told["tokens"] += len(rows)
        told["greedy"] = told["greedy"] and bool((rows.argmax(axis=1) == following).all())
    return found
