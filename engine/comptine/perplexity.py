"""How much each verse of a rhyme surprises the model, without a word being generated: learning from context, seen bare.

The surprise of a token is -ln p in nats, where p is the probability that the model gave it after all that came before.
Of "Marin" it falls to nothing after a few verses, and peaks at the intruder. Knows no interface.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any, Literal

from engine.comptine.forced import forced_nats
from engine.comptine.nats import TASK
from engine.comptine.rhyme import Rhyme
from engine.errors import BadInput, JobFailed, NotSupported, PromptTooLong, error_from
from engine.native import native_state
from engine.tasks import Progress
from engine.types import Message, Rendered

if TYPE_CHECKING:
    from engine.backends.llamacpp import LlamaCpp
    from engine.engine import Engine
    from engine.model import Model

Method = Literal["native", "forced"]
POLL_S = 0.2


@dataclass(frozen=True)
class Surprise:
    """Verse `verse`, newline included: its `tokens` and their mean surprise (`nats_per_token`); the same for its name
    alone, as one number (`name_nats`, the sum over the `name_tokens` that hold it).
    """

    verse: int
    name: str
    tokens: int
    nats_per_token: float
    name_tokens: int
    name_nats: float


@dataclass(frozen=True)
class Perplexity:
    """The surprise of every verse; `nats_per_token` is the mean over all verses, `method` says how it was measured:
    `native` reads the text once in a child process, `forced` has the runtime write it.
    """

    verses: tuple[Surprise, ...]
    nats_per_token: float
    method: Method
    model: str

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class Reading:
    """The rhyme as the model reads it, in its chat template: the token ids up to its last verse, and which of them make
    which verse.
    """

    rhyme: Rhyme
    tokens: tuple[int, ...]
    verses: tuple[range, ...]
    names: tuple[range, ...]

    @property
    def first(self) -> int:
        """Number of the rhyme's first token."""
        return self.verses[0].start

    def measured(self, nats: Sequence[float | None], method: Method, model: str) -> Perplexity:
        """What these surprises, one a token, say of the verses."""
        found = tuple(
            self._surprise(number, nats, verse, name)
            for number, (verse, name) in enumerate(zip(self.verses, self.names, strict=True), 1)
        )
        tokens = sum(one.tokens for one in found)
        return Perplexity(found, sum(one.nats_per_token * one.tokens for one in found) / tokens, method, model)

    def _surprise(self, number: int, nats: Sequence[float | None], verse: range, name: range) -> Surprise:
        whole, its_name = _sum(nats, verse), _sum(nats, name)
        return Surprise(number, self.rhyme.names[number - 1], len(verse), whole / len(verse), len(name), its_name)


def perplexity(
    engine: Engine, rhyme: Rhyme, model: Model | None = None, *, method: Method | None = None, owner: str = "local"
) -> Iterator[Progress | Perplexity]:
    """Progress in tokens, last the Perplexity of `model`, or of the default one.

    `method` None takes `native` where llama-cpp-python is there: a job of that person in the queue of heavy work,
    cancelled with this generator. `forced` is a request that lets all persons pass.

    Raises NotSupported for a model that is not local, PromptTooLong, NativeMissing, JobFailed, EngineError.
    """
    model = model or engine.model()
    reading = read(model, rhyme)
    chosen = method or ("native" if native_state().ready else "forced")
    nats: Sequence[float | None] = ()
    for news in (_native if chosen == "native" else _forced)(engine, model, reading, owner):
        if isinstance(news, Progress):
            yield news
        else:
            nats = news
    yield reading.measured(nats, chosen, model.card.id)


def read(model: Model, rhyme: Rhyme) -> Reading:
    """The rhyme in the model's template, cut into verses. Raises NotSupported, PromptTooLong."""
    rendered = model.render(model.request((Message("user", rhyme.text),)))
    window = model.window()
    if window is not None and len(rendered.tokens) >= window:
        raise PromptTooLong(len(rendered.tokens), window)
    return located(rendered, rhyme)


def located(rendered: Rendered, rhyme: Rhyme) -> Reading:
    """Which tokens of the prompt make which verse and name. Raises BadInput where the template changed the text."""
    ends, text = [], b""
    for piece in rendered.pieces:
        text += piece.encode() if isinstance(piece, str) else bytes(piece)
        ends.append(len(text))
    at = text.find(rhyme.text.encode())
    if at < 0:
        raise BadInput("the model's template or tokenizer changes the rhyme", reason="text_changed")
    verses, names = [], []
    for line, name in zip(rhyme.verses, rhyme.names, strict=True):
        size = len(line.encode())
        verses.append(_tokens(ends, at, at + size + 1))  # a verse takes its newline along
        names.append(_tokens(ends, at + size - len(f"{name}.".encode()), at + size - 1))
        at += size + 1
    return Reading(rhyme, rendered.tokens[: verses[-1].stop], tuple(verses), tuple(names))


def _native(engine: Engine, model: Model, reading: Reading, owner: str) -> Iterator[Progress | list[float | None]]:
    backend = _backend(model)
    load = backend.runtime.load or engine.load_params(model.card)
    args = {"path": load.path, "tokens": list(reading.tokens), "threads": load.threads}
    job = engine.jobs.submit(owner, TASK, args, f"comptine {len(reading.verses)}")
    told = Progress(0, len(reading.tokens))
    try:
        while job.state in ("queued", "running"):
            if job.done and job.done > told.done:
                told = Progress(job.done, told.total)
            yield told
            time.sleep(POLL_S)
            job = engine.jobs.get(job.id, owner)
    finally:
        engine.jobs.cancel(job.id)
    if job.state != "done":
        raise error_from(job.error) if job.error else JobFailed("cancelled", job=job.id, reason="cancelled")
    yield Progress(len(reading.tokens), len(reading.tokens))
    yield job.result


def _forced(_: Engine, model: Model, reading: Reading, owner: str) -> Iterator[Progress | list[float | None]]:
    return forced_nats(_backend(model).runtime, reading.tokens, max(1, reading.first), owner=owner)


def _backend(model: Model) -> LlamaCpp:
    from engine.backends.llamacpp import LlamaCpp

    if not isinstance(model.backend, LlamaCpp):
        raise NotSupported(capability="logprobs", backend=model.backend.name)
    return model.backend


def _tokens(ends: Sequence[int], start: int, end: int) -> range:
    """Numbers of the tokens that hold a byte of [start, end) and did not begin in the verse before."""
    first = next(i for i, stop in enumerate(ends) if stop > start)
    last = next(i for i, stop in enumerate(ends) if stop >= end)
    return range(first, last + 1)


def _sum(nats: Sequence[float | None], tokens: range) -> float:
    """None is the text's very first token, which nothing precedes."""
    return sum(nats[token] or 0.0 for token in tokens)
