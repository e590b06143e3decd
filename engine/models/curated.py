"""The short list of models that are worth a try on a small machine: the rows of models.toml as values. Asks nobody."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from engine.errors import UnknownModel

Use = Literal["chat", "embedding", "reranking"]


class Curated(BaseModel):
    """One model: `size_mb` in 10^6 bytes, `parameters` in millions, `context` in tokens; None is unknown.

    Without `file` the repository's file of that quantization is meant.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    id: str
    name: str
    family: str
    use: Use
    repository: str = Field(pattern=r"^[\w.-]+/[\w.-]+$")
    quantization: str
    licence: str
    file: str | None = Field(None, pattern=r"\.gguf$")
    size_mb: int | None = Field(None, ge=1)
    parameters: int | None = Field(None, ge=1)
    context: int | None = Field(None, ge=1)
    gated: bool = False
    languages: tuple[str, ...] = ()

    @property
    def size_bytes(self) -> int | None:
        """To the MB."""
        return None if self.size_mb is None else self.size_mb * 1_000_000

    @property
    def wanted(self) -> str:
        """What `HubRepository.file` is asked for."""
        return self.file or self.quantization


@cache
def curated() -> tuple[Curated, ...]:
    """All rows, in the file's order."""
    rows = tomllib.loads(files("engine.models").joinpath("models.toml").read_text(encoding="utf-8"))
    return tuple(Curated(id=name, **row) for name, row in rows.items())


def curated_model(model_id: str) -> Curated:
    """The row of that id. Raises UnknownModel naming those that exist."""
    found = next((row for row in curated() if row.id == model_id.casefold()), None)
    if found is None:
        known = [row.id for row in curated()]
        raise UnknownModel(f"no {model_id!r} in the list; there are {', '.join(known)}", model=model_id, known=known)
    return found
