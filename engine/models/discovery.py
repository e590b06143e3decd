"""Which GGUF files lie on this machine: other programs' stores, one's own folder, added ones. Changes nothing.

LM Studio keeps `publisher/repository/file.gguf`; Ollama a manifest per name that leads to a blob; Hugging Face's cache
links into its blobs, one folder per repository and revision; llama.cpp's a flat folder. A file of several parts counts
as one. What is broken or unreadable is told and passed over.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import stat
import sys
from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from engine.errors import BadFile
from engine.models.bundled import bundled_file
from engine.models.prepare import target_file
from engine.models.splits import PART, PARTS_MAX
from engine.settings import Settings, from_environment

Source = Literal["own", "lmstudio", "ollama", "huggingface", "llamacpp", "folder"]
SOURCES: tuple[Source, ...] = get_args(Source)  # in the order in which a file that is found twice counts

DEPTH_MAX = 8  # folders below the one that is named; a hub's repository needs 5
ENTRIES_MAX = 50_000  # looked at in one folder; somebody may have added the whole disk
MANIFEST_MAX = 1 << 20  # bytes
NO_FILE = "no regular file"  # a pipe, say: opening it may wait for good
BLOB = re.compile(r"sha256:([0-9a-f]{64})")
MODEL_LAYER, PROJECTOR_LAYER = "application/vnd.ollama.image.model", "application/vnd.ollama.image.projector"


@dataclass(frozen=True)
class FoundFile:
    """One model on disk: `path` is what llama.cpp loads (of several parts the first), `parts` are all in order,
    `size_bytes` of all. `name` is how its store calls it; `problem` says which parts are missing.
    """

    path: Path
    source: Source
    name: str
    parts: tuple[Path, ...]
    size_bytes: int
    problem: str | None = None


@dataclass(frozen=True)
class Trouble:
    """A place that could not be looked at: `reason` in the words of the system."""

    path: Path
    source: Source
    reason: str


@dataclass(frozen=True)
class Survey:
    """What was found, and where it was not possible to look."""

    files: tuple[FoundFile, ...]
    troubles: tuple[Trouble, ...]


def discover(settings: Settings, folders: Iterable[Path] = ()) -> tuple[FoundFile, ...]:
    """The files of `survey`."""
    return survey(settings, folders).files


def survey(settings: Settings, folders: Iterable[Path] = (), sources: Container[Source] = SOURCES) -> Survey:
    """All GGUF files of these sources, each once, wherever it can be reached from; the bundled weights are not among
    them.
    """
    look = _Look(seen=set(_bundled(settings)))
    for source, folder in places(settings, folders):
        if source not in sources:
            continue
        if source == "ollama":
            look.ollama(folder)
        else:
            look.folder(folder, source, depth=0 if source == "own" else DEPTH_MAX)
    return Survey(tuple(look.files), tuple(look.troubles))


def _bundled(settings: Settings) -> Iterator[str]:
    """The bundled weights as shipped and as prepared, wherever a folder that somebody adds may show them."""
    yield os.path.realpath(target_file(settings))
    with contextlib.suppress(BadFile):
        yield os.path.realpath(bundled_file())


def places(settings: Settings, folders: Iterable[Path] = ()) -> Iterator[tuple[Source, Path]]:
    """Where is looked, in this order; most of them do not exist."""
    home = _home()
    cache = Path(from_environment("XDG_CACHE_HOME") or home / ".cache")
    yield "own", settings.models_dir
    yield "lmstudio", home / ".lmstudio" / "models"
    yield "lmstudio", cache / "lm-studio" / "models"
    ollama = from_environment("OLLAMA_MODELS")
    yield "ollama", Path(ollama) if ollama else home / ".ollama" / "models"
    yield "ollama", Path("/usr/share/ollama/.ollama/models")  # its service on Linux
    yield "huggingface", _hub(cache)
    yield "llamacpp", _llamacpp(home, cache)
    for folder in folders:
        yield "folder", folder


def _home() -> Path:
    try:
        return Path.home()
    except RuntimeError:  # a service without one
        return Path("/nonexistent")


def _hub(cache: Path) -> Path:
    """As huggingface_hub decides it, without its import of half a second."""
    named = from_environment("HF_HUB_CACHE") or from_environment("HUGGINGFACE_HUB_CACHE")
    root = from_environment("HF_HOME")
    return Path(named) if named else Path(root or cache / "huggingface") / "hub"


def _llamacpp(home: Path, cache: Path) -> Path:
    """As llama.cpp's `fs_get_cache_directory` decides it."""
    named = from_environment("LLAMA_CACHE")
    if named:
        return Path(named)
    if sys.platform == "darwin":
        return home / "Library" / "Caches" / "llama.cpp"
    local = from_environment("LOCALAPPDATA") if sys.platform == "win32" else None
    return (Path(local) if local else cache) / "llama.cpp"


@dataclass
class _Look:
    """One look around; a file is known by what its links lead to."""

    files: list[FoundFile] = field(default_factory=list)
    troubles: list[Trouble] = field(default_factory=list)
    seen: set[str] = field(default_factory=set)

    def folder(self, folder: Path, source: Source, depth: int) -> None:
        """Every GGUF file below the folder, whole ones and those of several parts."""
        if not folder.is_dir():
            if source == "folder":
                self._trouble(folder, source, "no such folder")
            return
        sizes = {path: size for path in self._walk(folder, source, depth) if (size := self._size(path, source)) >= 0}
        groups: dict[tuple[Path, str, int], dict[int, Path]] = {}
        for path in sorted(sizes):
            match = PART.match(path.stem)
            if match is None:
                self._keep(path, source, path.stem, (path,), sizes[path])
            else:
                key = (path.parent, match["stem"], int(match["count"]))
                groups.setdefault(key, {})[int(match["number"])] = path
        for (_, stem, count), parts in groups.items():
            self._keep_parts(source, stem, count, parts, sum(sizes[path] for path in parts.values()))

    def ollama(self, root: Path) -> None:
        """The model of each manifest below `root/manifests`, as `name:tag`."""
        manifests = root / "manifests"
        if not manifests.is_dir():
            return
        for manifest in sorted(self._walk(manifests, "ollama", DEPTH_MAX, suffix="")):
            name = _ollama_name(manifest.relative_to(manifests).parts)
            for digest in self._layers(manifest):
                blob = root / "blobs" / f"sha256-{digest}"
                if (size := self._size(blob, "ollama")) >= 0:
                    self._keep(blob, "ollama", name, (blob,), size)

    def _layers(self, manifest: Path) -> Iterator[str]:
        """Digests of the model's own layers: weights and, for pictures, a projector."""
        try:
            state = manifest.stat()
            if not stat.S_ISREG(state.st_mode):
                self._trouble(manifest, "ollama", NO_FILE)
                return
            if state.st_size > MANIFEST_MAX:
                raise ValueError("too long")
            told = json.loads(manifest.read_bytes())
            layers = [(layer["mediaType"], layer["digest"]) for layer in told["layers"]]
        except OSError as error:
            self._trouble(manifest, "ollama", error.strerror or "unreadable")
            return
        except (ValueError, KeyError, TypeError, RecursionError):
            self._trouble(manifest, "ollama", "no manifest of a model")
            return
        for kind, digest in layers:
            match = BLOB.fullmatch(digest) if isinstance(digest, str) else None
            if kind in (MODEL_LAYER, PROJECTOR_LAYER) and match:
                yield match[1]

    def _walk(self, top: Path, source: Source, depth: int, suffix: str = ".gguf") -> Iterator[Path]:
        """Files of that suffix, no deeper than `depth` folders; links to folders are passed over: they make circles."""
        left = ENTRIES_MAX
        waiting = [(top, depth)]
        while waiting:
            folder, below = waiting.pop()
            for entry in self._entries(folder, source):
                left -= 1
                if left < 0:
                    self._trouble(top, source, f"more than {ENTRIES_MAX} files: name a smaller folder")
                    return
                if entry.is_dir(follow_symlinks=False):
                    if below > 0 and not entry.name.startswith("."):
                        waiting.append((Path(entry.path), below - 1))
                elif entry.name.lower().endswith(suffix) and not entry.name.startswith("."):
                    yield Path(entry.path)

    def _entries(self, folder: Path, source: Source) -> Sequence[os.DirEntry[str]]:
        try:
            with os.scandir(folder) as entries:
                return list(entries)
        except OSError as error:
            self._trouble(folder, source, error.strerror or "unreadable")
            return ()

    def _size(self, path: Path, source: Source) -> int:
        """In bytes; -1 where there is nothing behind the name, or a pipe that would never end, which is told."""
        try:
            state = path.stat()
            if stat.S_ISREG(state.st_mode):
                return state.st_size
            self._trouble(path, source, NO_FILE)
            return -1
        except OSError as error:
            reason = "a link that leads nowhere" if path.is_symlink() else error.strerror
            self._trouble(path, source, reason or "unreadable")
            return -1

    def _keep_parts(self, source: Source, stem: str, count: int, parts: dict[int, Path], size: int) -> None:
        missing = next((number for number in range(1, min(count, PARTS_MAX) + 1) if number not in parts), None)
        problem = None if missing is None else f"part {missing} of {count} is missing"
        paths = tuple(parts[number] for number in sorted(parts))
        self._keep(paths[0], source, stem, paths, size, problem)

    def _keep(
        self, path: Path, source: Source, name: str, parts: tuple[Path, ...], size: int, problem: str | None = None
    ) -> None:
        real = os.path.realpath(path)
        if real not in self.seen:
            self.seen.add(real)
            self.files.append(FoundFile(path, source, name, parts, size, problem))

    def _trouble(self, path: Path, source: Source, reason: str) -> None:
        self.troubles.append(Trouble(path, source, reason))


def _ollama_name(parts: tuple[str, ...]) -> str:
    """`registry.ollama.ai/library/llama3.2/1b` as Ollama itself says it: `llama3.2:1b`."""
    *place, tag = parts
    if place[:1] == ["registry.ollama.ai"]:
        place = place[1:]
    if place[:1] == ["library"]:
        place = place[1:]
    return f"{'/'.join(place)}:{tag}"
