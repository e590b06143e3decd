"""The backend of a model behind an endpoint: the one that its row's nature asks for, or a pool where it has several
addresses. Remembers windows, and which servers are busy or down. Knows no catalogue and no store.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from engine.addresses import Reach
from engine.backends.base import Backend
from engine.backends.pool import Balance, Member, Pool
from engine.backends.windows import Windows

if TYPE_CHECKING:
    from engine.backends.replicate import Descriptions
    from engine.providers import Provider


class Remotes:
    """What all remote models of an engine share. Thread safe. `window` are the tokens to ask for where a request
    decides and its row says nothing.
    """

    def __init__(self, window: int) -> None:
        self._window = window
        self.windows = Windows()
        self._balance = Balance()
        self._lock = threading.Lock()
        self._descriptions: Descriptions | None = None

    @property
    def descriptions(self) -> Descriptions:
        """What models of Replicate take."""
        from engine.backends.replicate import Descriptions

        with self._lock:
            self._descriptions = self._descriptions or Descriptions()
            return self._descriptions

    def open(
        self, row: Provider, model: str, key: str | None = None, *, reach: Reach | None = None
    ) -> tuple[Backend, tuple[str, ...]]:
        """The backend of that model, and the keys that it knows. The key is the one given, else the row's own. It
        connects where `reach` says, anywhere where that is None. Raises BadInput where the address lacks a variable.
        """
        keys = {address: key or row.key_of(address) for address in row.all_addresses()}
        members = {address: self._one(row, address, model, known, reach) for address, known in keys.items()}
        secrets = tuple(dict.fromkeys(known for known in keys.values() if known))
        if len(members) == 1:
            return next(iter(members.values())), secrets
        return Pool(members, self._balance, lambda address: _alive(row, address, keys[address], reach)), secrets

    def members(self, row: Provider) -> tuple[Member, ...]:
        """How each address of the row is now: requests of ours under way, and whether it fails."""
        return self._balance.members(row.all_addresses())

    def close(self) -> None:
        """Watch no server any more."""
        self._balance.close()

    def _one(self, row: Provider, address: str, model: str, key: str | None, reach: Reach | None) -> Backend:
        if row.native == "ollama":
            from engine.backends.ollama import Ollama

            window = row.window or self._window
            return Ollama(address, model, key, row, window=window, windows=self.windows, reach=reach)
        if row.native == "lmstudio":
            from engine.backends.lmstudio import LMStudio

            return LMStudio(address, model, key, row, windows=self.windows, reach=reach)
        if row.native == "replicate":
            from engine.backends.replicate import Replicate

            return Replicate(address, model, key, row, descriptions=self.descriptions, reach=reach)
        if row.protocol == "responses":
            from engine.backends.responses import Responses

            return Responses(address, model, key, row, reach=reach)
        from engine.backends.openai_compat import OpenAICompat

        return OpenAICompat(address, model, key, row, reach=reach)


def _alive(row: Provider, address: str, key: str | None, reach: Reach | None) -> bool:
    from engine.connection import alive

    return alive(row, address, key, reach=reach)
