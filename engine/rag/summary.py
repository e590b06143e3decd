"""Long texts made short enough for one prompt: each part summarized by the model, then the summaries joined, and again
where these are still too long (map and reduce). Knows no store.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Protocol

from engine.errors import BadInput
from engine.params import Params
from engine.rag.grounding import Language, Source
from engine.rag.prompts import part as part_prompt
from engine.rag.suspicion import suspicions
from engine.rag.values import Passage
from engine.rag.wholes import KEPT, part_of
from engine.types import Message
from engine.window.counting import Counter, counter
from engine.window.summary import Writer

PARTS_MAX = 64  # questions to the model for one summary
ANSWER = 160  # tokens of the summary of a part
MARGIN = 48  # tokens of a frame, and of words that join otherwise
ROUNDS = 3
WINDOW = 4096  # tokens, of a model that does not tell its own
CHARACTERS = 8  # of a token at most, so that a text that is far too long is refused before it is counted
_END = re.compile(r"\n\s*\n|\n|[.!?…]\s|\s")  # places to cut at, the better ones first


class Watch(Protocol):
    """Who waits: `stopped` ends the work, `step` is told how many parts are done of how many."""

    @property
    def stopped(self) -> bool: ...
    def step(self, done: int, total: int) -> None: ...


def condensed(
    model: Writer, sources: Sequence[Source], fits: Callable[[Sequence[Source]], bool], language: Language, *,
    owner: str, watch: Watch, interactive: bool = True, virtual_window: int | None = None,
) -> tuple[Source, ...]:  # fmt: skip
    """The sources themselves where they fit into the last prompt, else summaries of their parts, numbered from 1.

    Each question is traced. Raises BadInput (`reason` too_long_to_summarize) for more than 64 parts, and what the model
    raises.
    """
    now = tuple(sources)
    for _ in range(ROUNDS):
        if fits(now) or watch.stopped:
            return now
        now = _round(model, now, language, owner, watch, interactive, virtual_window)
    return now


def _round(
    model: Writer, sources: Sequence[Source], language: Language, owner: str, watch: Watch, interactive: bool,
    virtual_window: int | None,
) -> tuple[Source, ...]:  # fmt: skip
    count = counter(model, None, {})
    around = count([Message("user", part_prompt("", language))])
    window = min(size for size in (model.window() or WINDOW, virtual_window) if size)
    size = window - around - ANSWER - MARGIN
    if size < ANSWER or sum(len(source.text) for source in sources) > size * CHARACTERS * PARTS_MAX:
        raise _too_long()
    parts = _packed((piece for source in sources for piece in _split(count, source, size)), size)
    if len(parts) > PARTS_MAX:
        raise _too_long()
    made: list[Source] = []
    for part in parts:
        watch.step(len(made), len(parts))
        text = _asked(model, part_prompt(part.text, language), owner, watch, interactive)
        if watch.stopped:
            break
        made.append(replace(part, number=len(made) + 1, text=text, sent=len(text)))
    watch.step(len(made), len(parts))
    return tuple(made)


def _asked(model: Writer, prompt: str, owner: str, watch: Watch, interactive: bool) -> str:
    """The model's summary of one part. Raises what it raises."""
    params = Params(temperature=0, seed=0, max_tokens=ANSWER)
    generation = model.stream([Message("user", prompt)], params, owner=owner, interactive=interactive)
    for _ in generation:
        if watch.stopped:
            generation.stop()
    if generation.result.error:
        raise generation.result.error
    return generation.result.text.strip()


def _split(count: Counter, source: Source, size: int) -> Iterator[tuple[Source, int]]:
    """The source in pieces of at most `size` tokens with their tokens, cut where a paragraph, line or sentence ends."""
    waiting = [(0, source.text)]
    while waiting:
        start, text = waiting.pop()
        tokens = len(count.pieces(text))
        if tokens <= size or len(text) < 2:
            chunk = part_of(source, start, text)
            yield Source(0, Passage(chunk, collection=source.collection), text, warnings=suspicions(text)), tokens
        else:
            cut = _middle(text)
            waiting += [(start + cut, text[cut:]), (start, text[:cut])]


def _middle(text: str) -> int:
    """The best place to cut near the middle of the text."""
    low, high = len(text) // 4, 3 * len(text) // 4
    places = [match.end() for match in _END.finditer(text, low, high) if match[0].count("\n") > 1]
    places = places or [match.end() for match in _END.finditer(text, low, high) if match[0].strip(" ") != ""]
    places = places or [match.end() for match in _END.finditer(text, low, high)]
    return min(places, key=lambda place: abs(place - len(text) // 2), default=max(1, len(text) // 2))


def _packed(pieces: Iterator[tuple[Source, int]], size: int) -> list[Source]:
    """Neighbours of one file together, as long as they fit: as few questions as possible."""
    packed: list[tuple[Source, int]] = []
    for piece, tokens in pieces:
        if packed and packed[-1][1] + tokens < size and _same_file(packed[-1][0], piece):
            before, used = packed.pop()
            packed.append((_together(before, piece), used + tokens + 1))
        else:
            packed.append((piece, tokens))
    return [source for source, _ in packed]


def _same_file(one: Source, other: Source) -> bool:
    return (one.collection, one.chunk.file) == (other.collection, other.chunk.file)


def _together(first: Source, second: Source) -> Source:
    """Both as one, which begins where the first does."""
    text = f"{first.text}\n\n{second.text}"
    chunk = replace(first.chunk, text=f"{first.chunk.text}\n\n{second.chunk.text}"[:KEPT], end=second.chunk.end)
    warnings = tuple(dict.fromkeys((*first.warnings, *second.warnings)))
    return replace(first, passage=replace(first.passage, chunk=chunk), text=text, warnings=warnings)


def _too_long() -> BadInput:
    return BadInput(
        f"more than {PARTS_MAX} parts of the model's window", reason="too_long_to_summarize", limit=PARTS_MAX
    )
