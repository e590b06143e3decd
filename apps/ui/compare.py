"""Side by side in words and values: what each column asks, its name, the examples, the address, the files. Knows no
widget and no framework.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, get_args
from urllib.parse import quote, unquote

from apps.ui.i18n import Words
from engine.catalog import ModelCard
from engine.compare.demo import recorded
from engine.compare.export import LABELS, csv_of, html_of, json_of, markdown_of
from engine.compare.side import SIDES_MAX, SIDES_MIN, Side
from engine.errors import BadParameter
from engine.params import BY_NAME, Params

if TYPE_CHECKING:
    from engine.compare.report import ComparisonReport

Tab = Literal["side", "vote", "batch", "prices", "images"]
TABS: tuple[Tab, ...] = get_args(Tab)  # in the order of the pages; a page shows those that are built
EXAMPLES = ("temperatures", "prompts", "recorded")
FILES: Mapping[str, str] = {"csv": "text/csv", "json": "application/json", "md": "text/markdown", "html": "text/html"}
LETTERS = "ABCDEF"  # names of the columns, which may ask the same model
SYSTEM_MAX = 20_000  # characters
NAME_MAX = 200
SHOWN = 300  # characters of a question above its answers
WRITTEN = {"csv": csv_of, "json": json_of}
READ = {"md": markdown_of, "html": html_of}
ADDRESS = "sides"  # in a page's address
RECORDED = "recorded/"
IN_ADDRESS = ("float", "int", "choice")  # kinds of parameters; lines are texts of somebody's


@dataclass(frozen=True)
class Setting:
    """One column as a person set it: `own` parameters stand above those of the left column."""

    model: str
    own: Mapping[str, Any] = field(default_factory=dict)
    system: str = ""


Settings = tuple[Setting, ...]


def side(setting: Setting, moved: Params) -> Side:
    """What the engine asks for a column. `moved` are the left column's parameters that somebody moved."""
    return Side(setting.model, moved.replace(**setting.own), setting.system.strip() or None)


def start(chosen: str, cards: Iterable[ModelCard], recorded: Sequence[str] = ()) -> Settings:
    """The columns to begin with: the chosen model beside another of this machine; those `recorded` where a page is to
    work without any.
    """
    if len(recorded) > 1:
        return tuple(Setting(name) for name in recorded[:3])
    usable = [card.id for card in cards if not card.problem and not card.id.startswith(RECORDED)]
    others = sorted((name for name in usable if name != chosen), key=lambda name: name == "echo")
    return Setting(chosen), Setting(others[0] if others else chosen)


def added(settings: Settings) -> Settings:
    """One column more, which asks what the last one asks."""
    return settings if len(settings) >= SIDES_MAX else (*settings, settings[-1])


def removed(settings: Settings, place: int) -> Settings:
    """Without the column at `place`, unless there would be too few."""
    return settings if len(settings) <= SIDES_MIN else (*settings[:place], *settings[place + 1 :])


def changed(settings: Settings, place: int, **values: Any) -> Settings:
    """With other values in the column at `place`; another model has no parameters of its own yet."""
    return tuple(replace(one, **values) if number == place else one for number, one in enumerate(settings))


def example(name: str, words: Words, chosen: str, recorded: Sequence[str] = ()) -> tuple[Settings, str]:
    """The columns and the question of one of EXAMPLES."""
    question = words.typed(f"compare.example.{name}_question")
    if name == "temperatures":
        return (Setting(chosen, {"temperature": 0.0}), Setting(chosen, {"temperature": 1.5})), question
    if name == "prompts":
        return (Setting(chosen), Setting(chosen, {}, words.typed("compare.example.prompts_system"))), question
    return start(chosen, (), recorded), question


def examples(recorded: Sequence[str]) -> tuple[str, ...]:
    """Those of EXAMPLES that can be run here."""
    return EXAMPLES if len(recorded) > 1 else EXAMPLES[:2]


def to_address(settings: Settings) -> str:
    """The columns as an address says them: models and numbers, never a text of somebody's."""
    return "|".join(_column_said(one) for one in settings)


def _column_said(one: Setting) -> str:
    own = (f"{name}={value}" for name, value in one.own.items() if BY_NAME[name].kind in IN_ADDRESS)
    return ";".join(quote(part, safe="/:@=.-_") for part in (one.model, *own))


def read(text: str | None) -> Settings | None:
    """The columns that an address says; None where it says none, or wrongly."""
    try:
        return from_address(text or "")
    except ValueError:
        return None


def from_address(text: str) -> Settings:
    """The columns that an address says. Raises ValueError where these are none."""
    found = tuple(_read(part) for part in text.split("|") if part)
    if not SIDES_MIN <= len(found) <= SIDES_MAX:
        raise ValueError(text)
    return found


def _read(text: str) -> Setting:
    model, *own = (unquote(part) for part in text.split(";"))
    if not model or len(model) > NAME_MAX or not model.isprintable():
        raise ValueError(model)
    told = dict(part.split("=", 1) for part in own)
    try:
        return Setting(model, {name: BY_NAME[name].check(value) for name, value in told.items()
                               if BY_NAME[name].kind in IN_ADDRESS})  # fmt: skip
    except (KeyError, BadParameter) as error:
        raise ValueError(text) from error


def choices(cards: Iterable[ModelCard], settings: Settings, recorded: Mapping[str, str]) -> dict[str, str]:
    """The models that a column can ask, by id, with their names: those here, those that were typed in, recorded ones
    (id → name) last.
    """
    names = {card.id: card.name for card in cards if not card.problem and not card.id.startswith(RECORDED)}
    names |= {one.model: one.model for one in settings if one.model not in names and one.model not in recorded}
    return names | dict(recorded)


def recorded_names(words: Words) -> dict[str, str]:
    """Names of the recorded answers by their ids, each told apart from what is computed now."""
    return {one.id: words.t("compare.recorded_name", name=one.name) for one in recorded()}


def recorded_told(model: str, words: Words) -> str:
    """When and where a recorded answer was made; "" for a model that computes now."""
    found = next((one for one in recorded() if one.id == model), None)
    return "" if found is None else words.t("compare.recorded_told", date=found.date[:10], machine=found.machine["cpu"])


def title(place: int, name: str) -> str:
    """A column's name: its letter, its model."""
    return f"{LETTERS[place]} · {name}"


def beginning(question: str) -> str:
    """A question in one line, or as much of it as is shown above its answers."""
    line = " ".join(question.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN - 1]}…"


def told(setting: Setting, words: Words) -> str:
    """What a column changes, in a few words; "" where it changes nothing."""
    parts = [f"{words.t(BY_NAME[name].label_key)} {_value(value, words)}" for name, value in setting.own.items()]
    if setting.system.strip():
        parts.append(words.t("compare.with_system"))
    return " · ".join(parts)


def _value(value: Any, words: Words) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return words.t("unit.unknown") if value is None else str(value)
    return words.number(value, len(f"{value:.2f}".rstrip("0").partition(".")[2]))


def file(form: str, report: ComparisonReport, words: Words) -> str:
    """The report as a file of one of FILES, in the reader's language where it is to be read."""
    said = {name: words.t(f"compare_report.{name}") for name in LABELS}
    return READ[form](report, said) if form in READ else WRITTEN[form](report)
