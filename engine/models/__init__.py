"""GGUF files on disk: where they are, what their headers say, what they take, and what a teacher keeps for them.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import at_first_use

if TYPE_CHECKING:
    from engine.models.configuration import Configuration, instance_id
    from engine.models.curated import Curated
    from engine.models.curated import curated as curated_models
    from engine.models.details import Details
    from engine.models.details import details as describe
    from engine.models.discovery import FoundFile, discover
    from engine.models.hashes import Hashes, duplicates
    from engine.models.memory import Memory, estimate

__all__ = [
    "Configuration",
    "Curated",
    "Details",
    "FoundFile",
    "Hashes",
    "Memory",
    "curated_models",
    "describe",
    "discover",
    "duplicates",
    "estimate",
    "instance_id",
]

# A function that has the name of a module goes by another one: "other:own".
_NAMES = {
    "configuration": "Configuration instance_id",
    "curated": "Curated curated_models:curated",
    "details": "Details describe:details",
    "discovery": "FoundFile discover",
    "hashes": "Hashes duplicates",
    "memory": "Memory estimate",
}
__getattr__ = at_first_use(__name__, _NAMES)
