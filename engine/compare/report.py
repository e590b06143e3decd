"""What a comparison found, as values to export: every side's texts, numbers and costs, and on which machine. Asks no
model and writes no file; no key is in it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from engine.compare.side import Side, SideView

if TYPE_CHECKING:
    from engine.compare.running import Turn
    from engine.model import Model


@dataclass(frozen=True)
class ComparisonReport:
    """One report: `sides` as JSON values, `questions` in their order, `date` (UTC), `machine` as engine.quality tells
    it, without what changes by the minute.
    """

    sides: tuple[dict[str, Any], ...]
    questions: tuple[str, ...]
    date: str
    machine: dict[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        return {
            "sides": list(self.sides),
            "questions": list(self.questions),
            "date": self.date,
            "machine": self.machine,
        }


def report(
    turns: Sequence[Turn], models: Iterable[Model], sides: Sequence[Side], keys: Collection[str] = ()
) -> ComparisonReport:
    """The report of these turns, without the keys of `models`, all that were asked in any of them, and without `keys`:
    what one model is told by a person or says may be another's key.
    """
    from engine.quality.cards import machine

    told = [
        _side(side, [turn.views[index] for turn in turns], [turn.question for turn in turns])
        for index, side in enumerate(sides)
    ]
    known = {name: value for name, value in machine().items() if name not in ("load", "nice")}
    clean = _clean({"sides": told, "questions": [turn.question for turn in turns]}, models, keys)
    now = datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return ComparisonReport(tuple(clean["sides"]), tuple(clean["questions"]), now, known)


def _clean(value: dict[str, Any], models: Iterable[Model], keys: Collection[str]) -> Any:
    """The JSON value without these keys, those of the models, and what looks like one."""
    from engine.trace import redact

    clean = redact(value, keys)
    for model in {id(model): model for model in models}.values():
        clean = model.redacted(clean)
    return clean


def _side(side: Side, views: Sequence[SideView], questions: Sequence[str]) -> dict[str, Any]:
    """The side: its last answer on top, and under `turns` all of them."""
    last = views[-1] if views else SideView(side)
    card = last.card
    answers = [{"question": question, **_answer(view)} for question, view in zip(questions, views, strict=True)]
    return {
        **side.to_dict(),
        "name": card.name if card else side.model,
        "backend": card.backend if card else None,
        "quantization": card.quantization if card else None,
        "recorded": last.recorded,
        **_answer(last),
        "turns": answers,
    }


def _answer(view: SideView) -> dict[str, Any]:
    """One answer, the keys of Result.to_dict first; None is unknown."""
    result = view.result
    told = result.to_dict() if result else {"text": view.live.text, "stats": None, "usage": None, "outcome": None}
    told["answered_by"] = told.pop("model", None)
    told.setdefault("reasoning", "")
    return {**told, "error": view.error and view.error.to_dict(), "cost": view.cost and view.cost.to_dict()}
