"""How a second process (command line, notebook) finds the running application: one private file. Knows no worker.

The file holds the address and a key that lives as long as the serving process; only its owner can read it.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import psutil
from pydantic import TypeAdapter, ValidationError

from engine.backends.base import Control
from engine.errors import EngineError, Unreachable
from engine.runtime.client import LlamaServer
from engine.runtime.load import LoadParams
from engine.settings import Settings
from engine.types import Loading, ModelState

FILE = "attach.json"
PROBE_TIMEOUT_S = 5.0


@dataclass(frozen=True)
class Attach:
    """A serving process: its base `address`, the `key` to say, its `pid` and when it started (seconds since 1970), the
    ids of its local models.
    """

    address: str
    key: str
    pid: int
    started: float
    models: tuple[str, ...] = ()


_FORMAT = TypeAdapter(Attach)


def write(home: Path, address: str, key: str, models: tuple[str, ...]) -> Attach:
    """Announce this process below `home`, in place of any other."""
    attach = Attach(address.rstrip("/"), key, os.getpid(), psutil.Process().create_time(), models)
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{FILE}-", dir=home)  # mode 0600
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(asdict(attach), file)
    os.replace(name, home / FILE)
    return attach


def read(home: Path) -> Attach | None:
    """The process that serves on this data folder; None, and the file removed, where it is gone.

    A file that others can read or that is not ours is ignored: whoever wrote it could have us send them everything.
    """
    path = home / FILE
    try:
        if not _is_private(path):
            return None
        attach = _FORMAT.validate_json(path.read_bytes())
    except (OSError, ValidationError):
        return None
    if _lives(attach):
        return attach
    path.unlink(missing_ok=True)
    return None


def remove(home: Path, attach: Attach) -> None:
    """Take the announcement back, unless another process has replaced it."""
    if read(home) == attach:
        (home / FILE).unlink(missing_ok=True)


def attached_runtime(settings: Settings, model_id: str) -> AttachedRuntime | None:
    """The application's runtime of this model; None where nobody serves it here."""
    attach = elsewhere(settings)
    served = attach is not None and not {model_id, model_id.rpartition("@")[0]}.isdisjoint(attach.models)
    return AttachedRuntime(attach, model_id) if attach is not None and served else None


def elsewhere(settings: Settings) -> Attach | None:
    """The process that serves on this data folder, if that is another one."""
    attach = read(settings.home)
    return None if attach is None or attach.pid == os.getpid() else attach


class AttachedRuntime:
    """A model's runtime in the serving process, which admits, loads and restarts; behaves like a LocalRuntime."""

    gate = None

    def __init__(self, attach: Attach, model_id: str) -> None:
        self._attach = attach
        self.address = f"{attach.address}/runtime/{quote(model_id, safe='@')}"
        self.server = LlamaServer(self.address, attach.key)
        self._props: Mapping[str, Any] | None = None

    @property
    def load(self) -> LoadParams | None:
        """Unknown here: None."""
        return None

    @property
    def window(self) -> int:
        """Tokens of one slot, as the server tells it. Raises Unreachable."""
        return int(self._told()["default_generation_settings"]["n_ctx"])

    @property
    def slots(self) -> int:
        """How many answers it writes at once. Raises Unreachable."""
        return int(self._told()["total_slots"])

    def ready(self, control: Control | None = None) -> Iterator[Loading]:
        """Nothing: the serving process loads when it is asked, and the first call waits for that."""
        return iter(())

    def state(self) -> ModelState:
        """`ready` while the serving process answers, else `unreachable` with the error."""
        probe = LlamaServer(self.address, self._attach.key, timeout=PROBE_TIMEOUT_S)
        try:
            probe.get("/health")
        except EngineError as error:
            return ModelState("unreachable", error=error)
        finally:
            probe.close()
        return ModelState("ready")

    def stop(self) -> None:
        """Give connections back; the model is not ours to unload."""
        self.server.close()

    def explain(self, error: EngineError) -> EngineError:
        """Unreachable where the serving process is gone; every other error as it is."""
        if _lives(self._attach):
            return error
        return Unreachable(f"the application at {self._attach.address} has ended", address=self._attach.address)

    def _told(self) -> Mapping[str, Any]:
        if self._props is None:
            self._props = self.server.get("/props")
        return self._props


def _is_private(path: Path) -> bool:
    if sys.platform == "win32":  # the profile's folder is private there, and modes say nothing
        return path.is_file()
    found = path.lstat()
    return found.st_uid == os.getuid() and not found.st_mode & 0o077 and path.is_file() and not path.is_symlink()


def _lives(attach: Attach) -> bool:
    """Whether that very process runs: numbers are given again, so the start counts too."""
    try:
        return abs(psutil.Process(attach.pid).create_time() - attach.started) < 1
    except psutil.NoSuchProcess:
        return False
