"""The few facts of a GGUF file that a list of models shows, read once and then remembered. Loads nothing.

The header of a large vocabulary takes a tenth of a second; a folder of fifty models must not take five.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from engine.errors import BadFile, ModelFileCorrupt
from engine.models.gguf_header import read_header
from engine.models.kinds import Kind, kind_of
from engine.models.remembered import Remembered
from engine.settings import Settings

NOTE = "headers.json"


@dataclass(frozen=True)
class Facts:
    """What the header says in short: `trained` window in tokens, `parameters` of this file; `problem` why it cannot be
    used, then all else is unknown.
    """

    name: str | None = None
    architecture: str | None = None
    quantization: str | None = None
    trained: int | None = None
    licence: str | None = None
    parameters: int | None = None
    kind: Kind = "chat"
    problem: str | None = None


_FACTS = TypeAdapter(Facts)


class FactsOf:
    """Looks files up, in the data folder's note first."""

    def __init__(self, settings: Settings) -> None:
        self._remembered = Remembered(settings.models_dir / NOTE)

    def __call__(self, paths: Iterable[Path]) -> dict[Path, Facts]:
        """The facts of each file; what had to be read is remembered, unless there was a problem."""
        found: dict[Path, Facts] = {}
        new: dict[Path, Facts] = {}
        for path in paths:
            known = self._known(path)
            found[path] = known or read_facts(path)
            if known is None and found[path].problem is None:
                new[path] = found[path]
        self._remembered.put({path: asdict(facts) for path, facts in new.items()})
        return found

    def _known(self, path: Path) -> Facts | None:
        try:
            return _FACTS.validate_python(self._remembered.get(path))
        except ValidationError:  # unknown, or written by another version
            return None


def read_facts(path: Path) -> Facts:
    """The facts of a file, from its header now."""
    try:
        header = read_header(path)
    except (BadFile, ModelFileCorrupt) as error:
        return Facts(problem=error.message)
    return Facts(
        name=header.name,
        architecture=header.architecture,
        quantization=header.quantization,
        trained=header.context_length,
        licence=header.licence,
        parameters=header.parameters,
        kind=kind_of(header),
    )
