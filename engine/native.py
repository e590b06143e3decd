"""Whether llama-cpp-python can be used yet: run.py builds it behind the running application. Never imports it.

What needs it (re-quantization, sampling, quality) asks here and says so where it is missing; all else works without.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import psutil
from pydantic import BaseModel, ConfigDict, ValidationError

from engine.errors import NativeMissing

StateName = Literal["ready", "building", "failed", "missing"]

PACKAGE = "llama-cpp-python"
MODULE = "llama_cpp"
FILE = "native-build.json"


@dataclass(frozen=True)
class NativeState:
    """How the build stands: `started` in seconds since 1970, `reason` a stable word where run.py knows one, `log` the
    path of its log.
    """

    state: StateName
    started: float | None = None
    message: str = ""
    reason: str | None = None
    log: str | None = None

    @property
    def ready(self) -> bool:
        """Whether llama_cpp can be imported."""
        return self.state == "ready"


class _Written(BaseModel):
    """What run.py writes beside the environment."""

    model_config = ConfigDict(extra="ignore")

    state: StateName
    started: float | None = None
    pid: int | None = None
    message: str = ""
    reason: str | None = None
    log: str | None = None


def native_state(environment: Path | None = None) -> NativeState:
    """The state of llama-cpp-python in this environment; looked up anew each time, in about a millisecond."""
    if _installed():
        return NativeState("ready")
    written = _read((environment or Path(sys.prefix)) / FILE)
    if written is None or written.state == "ready":  # written as ready, yet removed since
        return NativeState("missing")
    state = written.state
    if state == "building" and not (written.pid and psutil.pid_exists(written.pid)):
        state = "failed"
    return NativeState(state, written.started, written.message, written.reason, written.log)


def require_native() -> None:
    """Return when llama_cpp can be imported. Raises NativeMissing with the state."""
    found = native_state()
    if not found.ready:
        raise NativeMissing(_sentence(found), state=found.state, reason=found.reason)


def _sentence(found: NativeState) -> str:
    if found.state == "building":
        return f"{PACKAGE} is still being built; try again in a few minutes"
    if found.state == "failed":
        return f"{PACKAGE} could not be built: {found.message or 'see ' + str(found.log)}"
    return f"{PACKAGE} is not installed: run `python3 run.py setup`"


def _installed() -> bool:
    # The metadata is written last: a module without it is an installation under way.
    if find_spec(MODULE) is None:
        return False
    try:
        version(PACKAGE)
    except PackageNotFoundError:
        return False
    return True


def _read(path: Path) -> _Written | None:
    try:
        return _Written.model_validate(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, ValidationError):
        return None
