"""The engine's parameters as neutral controls with label and help; each framework draws them its own way. Knows no
widget.
"""

from __future__ import annotations

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
    backend".
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


def controls(lang: Language, names: tuple[str, ...] | None = None) -> tuple[Control, ...]:
    """A control for every parameter, or for those in `names`, in the order of the table."""
    return tuple(control(param, lang) for param in PARAMS if names is None or param.name in names)


def control(param: Param, lang: Language) -> Control:
    """The control of one parameter, in the reader's language."""
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
    )


def _widget(param: Param) -> Widget:
    if param.kind in ("choice", "lines", "text"):
        return param.kind
    bounded = param.low is not None and param.high is not None and param.step is not None
    if bounded and param.default is not None and (param.high - param.low) / param.step <= SLIDER_STEPS:
        return "slider"
    return "number"
