"""Public names of a package, each imported at first use: importing the package loads no library. Knows no package."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from importlib import import_module
from typing import Any


def at_first_use(package: str, names: Mapping[str, str]) -> Callable[[str], Any]:
    """The package's `__getattr__` (PEP 562). `names` says per module what is public of it, separated by spaces:
    "name", or "public:name" where it is called otherwise there.
    """
    known = {
        public: (f"{package}.{module}", name or public)
        for module, listed in names.items()
        for public, _, name in (entry.partition(":") for entry in listed.split())
    }

    def find(public: str) -> Any:
        if public not in known:
            raise AttributeError(f"module {package!r} has no attribute {public!r}")
        module, name = known[public]
        return getattr(import_module(module), name)

    return find
