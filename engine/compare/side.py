"""One side of a comparison, and how it looks at a moment. Knows no thread, no other side and no interface."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from engine.catalog import RECORDED as RECORDED
from engine.errors import EngineError
from engine.live import Live
from engine.params import Params
from engine.types import Result, Stats, Usage

if TYPE_CHECKING:
    from engine.catalog import ModelCard
    from engine.compare.money import Cost

SIDES_MIN, SIDES_MAX = 2, 6

QUESTION_MAX = 200_000  # characters; no window of today holds more

Status = Literal["idle", "running", "done"]


@dataclass(frozen=True)
class Side:
    """Who is asked and how; without `system`, the system prompt is the one that the model's configuration says."""

    model: str
    params: Params = field(default_factory=Params)
    system: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON; only the parameters that were said."""
        said = {name: self.params[name] for name in sorted(self.params.given)}
        return {"model": self.model, "params": said, "system": self.system}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Side:
        """The side that `to_dict` told. Raises BadParameter, KeyError."""
        return cls(str(data["model"]), Params(data.get("params") or {}), data.get("system") or None)


@dataclass(frozen=True)
class SideView:
    """How a side looks at one moment. Once `done`, `result` is there, with whatever text came, and `error` is its own.

    `ttft` is in seconds, known from the first token on; `waited` is how long it has been asked for, in seconds. `cost`
    is None until it is done, and where nothing can be said of it. `card` is known once the model is open.
    """

    side: Side
    live: Live = field(default_factory=Live)
    status: Status = "idle"
    result: Result | None = None
    error: EngineError | None = None
    cost: Cost | None = None
    ttft: float | None = None
    waited: float = 0.0
    card: ModelCard | None = None

    @property
    def recorded(self) -> bool:
        """Whether this answer was recorded earlier, and only its timing is true."""
        return self.side.model.startswith(RECORDED)

    @property
    def stats(self) -> Stats:
        """Its times; before its end, the first token alone."""
        return self.result.stats if self.result else Stats(time_to_first_token=self.ttft)

    @property
    def usage(self) -> Usage:
        """Its tokens; unknown before its end."""
        return self.result.usage if self.result else Usage()
