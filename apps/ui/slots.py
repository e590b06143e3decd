"""Slots and queues of the loaded models as they run, and the choice of what computes, in words. Knows no widget."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from apps.ui.i18n import Words
from engine.computing import Choice, Options
from engine.engine import Engine
from engine.person import LOCAL_OWNER
from engine.ps import Busy, SlotNow

Row = tuple[str, ...]
ALL_LAYERS = -1


def names_of(engine: Engine, words: Words) -> dict[str, str]:
    """How each person is called; who is alone on this machine has no name."""
    return {person.id: person.nickname for person in engine.people.all()} | {LOCAL_OWNER: words.t("models_slots.local")}


def slot_head(words: Words) -> Row:
    """The titles of `slot_rows`."""
    columns = ("model", "slot", "state", "who", "prompt", "written", "seconds")
    return tuple(words.t(f"models_slots.{name}") for name in columns)


def slot_rows(found: Iterable[Busy], names: Mapping[str, str], words: Words) -> list[Row]:
    """One row a slot that works: whose request it has, how far that is; the free ones of a model share a row."""
    rows: list[Row] = []
    for one in found:
        working = [slot for slot in one.slots if slot.state != "idle"]
        rows += [_slot(one.id, slot, names, words) for slot in working]
        if free := len(one.slots) - len(working):
            unknown = words.t("unit.unknown")
            rows.append((one.id, unknown, words.n("models_slots.free", free), *[unknown] * 4))
    return rows


def _slot(model: str, slot: SlotNow, names: Mapping[str, str], words: Words) -> Row:
    unknown = words.t("unit.unknown")
    who = unknown if slot.owner is None else names.get(slot.owner, unknown)
    prompt = unknown
    if slot.prompt_tokens is not None:
        prompt = words.t("models_slots.of", count=slot.prompt_tokens, window=slot.window)
    return (model, words.number(slot.number + 1), words.t(f"models_slots.is.{slot.state}"), who, prompt,
            words.number(slot.written), words.seconds(slot.seconds))  # fmt: skip


def queue_head(words: Words) -> Row:
    """The titles of `queue_rows`."""
    return tuple(words.t(f"models_slots.{name}") for name in ("model", "place", "who", "prompt", "seconds"))


def queue_rows(found: Iterable[Busy], names: Mapping[str, str], words: Words) -> list[Row]:
    """One row a request that waits, the next one first."""
    unknown = words.t("unit.unknown")
    return [
        (one.id, words.number(place), names.get(waiting.owner, unknown), words.number(waiting.tokens),
         words.seconds(waiting.seconds))
        for one in found
        for place, waiting in enumerate(one.waiting, 1)
    ]  # fmt: skip


def reading_lines(found: Iterable[Busy], words: Words) -> list[str]:
    """How far long prompts are read."""
    return [
        words.t("models_slots.reads", model=one.id, done=one.reading[0], total=one.reading[1])
        for one in found
        if one.reading is not None
    ]


def devices(options: Options, words: Words) -> dict[str, str]:
    """What the layers of a model may lie on: names with the words for them; "" leaves it to the application."""
    told = {one.name: f"{one.name} · {one.description} · {words.size(one.memory_total)}" for one in options.gpus}
    return {"": words.t("models_choice.left")} | told


def outdated_line(models: Iterable[str], words: Words) -> str:
    """Which loaded models still run as before; empty where none does."""
    names = ", ".join(models)
    return words.t("models_choice.outdated", names=names) if names else ""


def choice_of(threads: int | None, layers: int | None, device: str | None) -> Choice:
    """What fields hold, as a choice."""
    return Choice(threads, layers, device or None)
