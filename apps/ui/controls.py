"""The engine's parameters as neutral controls with label and help; each framework draws them its own way. Knows no
widget.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from apps.ui.i18n import Language, words
from engine.params import PARAMS, Group, Param

Widget = Literal["slider", "number", "choice", "lines", "text"]
GROUPS: tuple[Group, ...] = ("basic", "sampling", "penalties", "chain", "output")
SLIDER_STEPS = 1000  # a finer range is typed, not dragged


@dataclass(frozen=True)
class Control:
    """One control: how to draw it, its bounds, what it starts with. `value` None is an empty field: "left to the
    backend". A disabled one says by `reason` why its model does not take it.
    """

    kind: Widget
    name: str
    label: str
    help: str
    group: Group
    low: float | None = None
    high: float | None = None
    step: float | None = None
    value: Any = None
    choices: tuple[str, ...] = ()
    whole: bool = False
    disabled: bool = False
    reason: str | None = None


def controls(
    lang: Language, names: tuple[str, ...] | None = None, *, unsupported: Mapping[str, str] | None = None
) -> tuple[Control, ...]:
    """A control for every parameter, or for those in `names`, in the order of the table; those that are `unsupported`
    (engine.support) are disabled.
    """
    reasons = unsupported or {}
    wanted = (param for param in PARAMS if names is None or param.name in names)
    return tuple(control(param, lang, reasons.get(param.name)) for param in wanted)


def control(param: Param, lang: Language, reason: str | None = None) -> Control:
    """The control of one parameter, in the reader's language; disabled where there is a key of a reason."""
    cast = int if param.kind == "int" else float
    low, high, step = (None if bound is None else cast(bound) for bound in (param.low, param.high, param.step))
    return Control(
        kind=_widget(param),
        name=param.name,
        label=words(lang).t(param.label_key),
        help=words(lang).t(param.help_key),
        group=param.group,
        low=low,
        high=high,
        step=step,
        value="\n".join(param.default) if param.kind == "lines" else param.default,
        choices=param.choices,
        whole=param.kind == "int",
        disabled=reason is not None,
        reason=words(lang).t(reason) if reason else None,
    )


def followed(
    shown: Mapping[str, Any], before: Mapping[str, Any], after: Mapping[str, Any], hold: Callable[[Param, Any], Any]
) -> dict[str, Any]:
    """The controls that go along when another model is chosen: those that stand as the model before had them.

    `before` and `after` are both models' own defaults by name; `hold` gives a value as a control holds it.
    """
    moved = {}
    for param in PARAMS:
        old, new = (hold(param, own.get(param.name, param.default)) for own in (before, after))
        if old != new and shown.get(param.name) == old:
            moved[param.name] = new
    return moved


def _widget(param: Param) -> Widget:
    if param.kind in ("choice", "lines", "text"):
        return param.kind
    bounded = param.low is not None and param.high is not None and param.step is not None
    if bounded and param.default is not None and (param.high - param.low) / param.step <= SLIDER_STEPS:
        return "slider"
    return "number"
