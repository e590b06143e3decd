"""What the Hugging Face hub offers: models found by words, and a repository's GGUF files with sizes and digests.
Downloads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.errors import BadInput, ModelFileCorrupt, NotFound
from engine.models.details import Details, foretold
from engine.models.hub_http import HubSession
from engine.models.hub_names import file_path, models_of, quantization, reference
from engine.settings import Settings, secret

TOKEN_VARIABLE = "HF_TOKEN"
VISIT = "hub.token/hub"  # what a token for this visit is kept under; the dot makes it no endpoint's name
Sort = Literal["downloads", "likes", "lastModified", "trendingScore"]
PROPERTIES = ("downloads", "likes", "gated", "gguf", "tags", "lastModified")
MOST = 100
BEGINNING = 256 * 1024  # bytes; the fields of the architecture precede the vocabulary
# What is taken where nobody says which: small, and still nearly without loss
PREFERRED = ("Q4_K_M", "Q5_K_M", "Q8_0", "Q6_K", "Q4_0", "F16", "BF16")


@dataclass(frozen=True)
class HubModel:
    """One repository: `downloads` of the last 30 days, `context` in tokens; None: the hub does not say."""

    id: str
    downloads: int | None = None
    likes: int | None = None
    gated: bool = False
    licence: str | None = None
    parameters: int | None = None
    context: int | None = None
    architecture: str | None = None
    updated: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class HubPart:
    """One file on the hub: `sha256` as the hub keeps it, None for a small file outside its large-file storage."""

    name: str
    size_bytes: int
    sha256: str | None = None


@dataclass(frozen=True)
class HubFile:
    """One model in one number format, of one or several parts."""

    parts: tuple[HubPart, ...]
    quantization: str | None

    @property
    def name(self) -> str:
        """Path of its first part in the repository."""
        return self.parts[0].name

    @property
    def size_bytes(self) -> int:
        """Of all parts."""
        return sum(part.size_bytes for part in self.parts)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return asdict(self) | {"name": self.name, "size_bytes": self.size_bytes}


@dataclass(frozen=True)
class HubRepository:
    """One repository at one `revision`, with its models, the smallest first."""

    model: HubModel
    revision: str
    files: tuple[HubFile, ...]

    @property
    def id(self) -> str:
        """`owner/name`."""
        return self.model.id

    def file(self, wanted: str | None = None) -> HubFile:
        """The file of that path, name or quantization; without one, the preferred quantization. Raises NotFound."""
        folded = (wanted or "").casefold()
        for file in self.files if wanted else ():
            names = (file.name, file.name.rpartition("/")[2], file.quantization or "")
            if folded in (name.casefold() for name in names):
                return file
        if wanted is None and self.files:
            return min(self.files, key=_preference)
        there = ", ".join(file.quantization or file.name for file in self.files) or "none"
        text = f"{self.id} has no GGUF file {wanted or ''}; there are: {there}"
        raise NotFound(text, what="file", key=wanted, reason="hub_file", known=[file.name for file in self.files])

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {**self.model.to_dict(), "revision": self.revision, "files": [file.to_dict() for file in self.files]}


class Hub:
    """The hub of these settings. `token` (None: what `hub_token` finds) goes to it alone."""

    def __init__(self, settings: Settings, token: str | None = None) -> None:
        self._session = HubSession(settings.hub, token or hub_token())

    @property
    def address(self) -> str:
        """Base address."""
        return self._session.address

    def search(self, words: str, limit: int = 20, sort: Sort = "downloads") -> tuple[HubModel, ...]:
        """Repositories with GGUF files whose name has these words, the most downloaded first.

        Raises BadInput, Unreachable (no network), TimedOut, Unauthorized, RateLimited, ServerFailed.
        """
        if not 1 <= limit <= MOST:
            raise BadInput(f"limit={limit}: from 1 to {MOST}", reason="limit")
        params = {"search": words.strip(), "filter": "gguf", "sort": sort, "limit": limit, "expand": list(PROPERTIES)}
        rows = self._session.json("/api/models", params, "search")
        if not isinstance(rows, list):
            raise self._session.no_hub()
        return tuple(self._row(row).model() for row in rows[:limit])

    def repository(self, repository: str) -> HubRepository:
        """The models of `owner/name`. Raises BadInput, NotFound, Unauthorized (gated) and what `search` does."""
        name, _ = reference(repository)
        row = self._row(self._session.json(f"/api/models/{name}", {"blobs": "true"}, name))
        known = {file.rfilename: file.part() for file in row.siblings or ()}
        files = [HubFile(tuple(known[part] for part in parts), quantization(parts[0])) for parts in models_of(known)]
        return HubRepository(row.model(), row.sha or "main", tuple(sorted(files, key=lambda file: file.size_bytes)))

    def details(self, repository: HubRepository, file: HubFile) -> Details:
        """The card of a file that is still there: its first 256 KiB are read, which hold its shape, not its tokens.

        Raises ModelFileCorrupt where it is no GGUF file, and what `repository` does.
        """
        path = file_path(repository.id, repository.revision, file.name)
        data = self._session.beginning(path, BEGINNING, repository.id)
        try:
            return foretold(data, file.size_bytes, len(file.parts))
        except ValueError as error:
            text = f"{file.name} is not a sound GGUF file: {error}"
            raise ModelFileCorrupt(text, path=file.name, reason="on_hub", why=str(error)) from error

    def _row(self, row: Any) -> _Row:
        try:
            return _Row.model_validate(row)
        except ValidationError as error:
            raise self._session.no_hub() from error


def hub_token() -> str | None:
    """The token of the environment or of `.streamlit/secrets.toml`."""
    return secret(TOKEN_VARIABLE)


def _preference(file: HubFile) -> tuple[int, int]:
    kind = file.quantization or ""
    return (PREFERRED.index(kind) if kind in PREFERRED else len(PREFERRED), file.size_bytes)


class _Told(BaseModel):
    model_config = ConfigDict(extra="ignore")


class _Large(_Told):
    sha256: str = Field(pattern=r"^[0-9a-f]{64}$")
    size: int = Field(ge=0)


class _File(_Told):
    """One of `siblings`, as `?blobs=true` tells it."""

    rfilename: str = Field(max_length=1000)
    size: int | None = Field(None, ge=0)
    lfs: _Large | None = None

    def part(self) -> HubPart:
        size = self.lfs.size if self.lfs else self.size or 0
        return HubPart(self.rfilename, size, self.lfs.sha256 if self.lfs else None)


class _Gguf(_Told):
    total: int | None = None
    architecture: str | None = None
    context_length: int | None = None


class _Row(_Told):
    """One model, as /api/models and /api/models/{repo} tell it."""

    id: str = Field(max_length=200)
    sha: str | None = Field(None, pattern=r"^[0-9a-f]{7,64}$")
    downloads: int | None = None
    likes: int | None = None
    gated: bool | str | None = None
    tags: Sequence[str] = ()
    lastModified: str | None = None
    gguf: _Gguf | None = None
    siblings: tuple[_File, ...] | None = None

    def model(self) -> HubModel:
        licence = next((tag.partition(":")[2] for tag in self.tags if tag.startswith("license:")), None)
        told = self.gguf or _Gguf()
        return HubModel(
            self.id, self.downloads, self.likes, bool(self.gated), licence, told.total, told.context_length,
            told.architecture, self.lastModified,
        )  # fmt: skip
