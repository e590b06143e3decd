"""The page of models in words: registry → orchestration → interface, the table, what runs, how far jobs are.

The card of one model is in `model_card`, endpoints and the served API in `doors`. Knows no widget and no framework.
"""

from __future__ import annotations

import html
import shutil
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import psutil

from apps.ui.bringing import fit_text as fit_text
from apps.ui.bringing import quantized_size as quantized_size
from apps.ui.far_models import order_done
from apps.ui.i18n import Words
from apps.ui.present import Progress, model_state_text
from apps.ui.theme import OKABE_ITO
from engine.capacity import PEOPLE_PER_SLOT, Capacity, known
from engine.catalog import BUNDLED, ECHO, OWN, ModelCard
from engine.engine import Engine
from engine.jobs import OPEN, Job
from engine.models.hashes import TASK as HASHING
from engine.models.memory import Memory
from engine.person import Person
from engine.ps import Loaded

Row = tuple[str, ...]
Tab = Literal["models", "add", "running", "endpoints", "server"]
TABS: tuple[Tab, ...] = ("models", "add", "running", "endpoints", "server")
TEACHERS: frozenset[Tab] = frozenset({"add"})  # tabs that a student does not see
COLUMNS = ("name", "source", "size", "quantization", "window", "state", "memory")
LISTED = 60  # models in the table
TASKS = ("engine.models.", "engine.far_jobs:")
IN_BYTES = ("engine.models.download:", "engine.models.importing:", "engine.models.hashes:", "engine.far_jobs:pulling")
SOURCES = frozenset({"bundled", "own", "lmstudio", "ollama", "huggingface", "llamacpp", "folder", "remote", "echo"})


@dataclass(frozen=True)
class Box:
    """One of the three words of the picture: what it is, what there is of it here, and the tab behind it."""

    key: str
    title: str
    what: str
    facts: tuple[str, ...]
    goes: Tab
    button: str


@dataclass(frozen=True)
class Busy:
    """What runs now: models loaded, slots of them, answers being written, requests waiting."""

    loaded: int
    slots: int
    busy: int
    waiting: int


def tabs(role: str) -> tuple[Tab, ...]:
    """The tabs of a person of that role, in order."""
    return tuple(tab for tab in TABS if role == "teacher" or tab not in TEACHERS)


def busy(running: Iterable[Loaded]) -> Busy:
    """What these models are doing together."""
    rows = tuple(running)
    return Busy(
        len(rows), sum(row.slots for row in rows), sum(row.busy for row in rows), sum(row.waiting for row in rows)
    )


def picture(cards: Iterable[ModelCard], now: Busy, endpoints: int, words: Words) -> tuple[Box, Box, Box]:
    """The course's three words, with what is here now."""
    known = tuple(cards)
    files = {file.path: file.size_bytes for card in known for file in card.files}
    slots = words.t("models_picture.slots", busy=now.busy, slots=now.slots, waiting=now.waiting)
    facts: dict[str, tuple[str, ...]] = {
        "registry": (words.n("models_picture.models", len(known), size=words.size(sum(files.values()))),),
        "orchestration": (words.n("models_picture.loaded", now.loaded), *((slots,) if now.loaded else ()),
                          words.n("models_picture.endpoints", endpoints)),
        "interface": (words.t("models_picture.doors"),),
    }  # fmt: skip
    goes: dict[str, Tab] = {"registry": "models", "orchestration": "running", "interface": "server"}
    made = [
        Box(key, words.t(f"models_picture.{key}"), words.t(f"models_picture.{key}_is"), facts[key], goes[key],
            words.t(f"models_picture.{key}_goes"))
        for key in goes
    ]  # fmt: skip
    return made[0], made[1], made[2]


_SOURCE_OF = {BUNDLED: "bundled", ECHO.id: "echo"}  # by model


def source_of(card: ModelCard, words: Words) -> str:
    """Where a model is from, in words; a source that we have no words for as it is."""
    key = "remote" if card.endpoint is not None else _SOURCE_OF.get(card.model) or card.source
    key = "own" if key == OWN else key
    return words.t(f"models_from.{key}") if key in SOURCES else card.source


def head(words: Words) -> Row:
    """The titles of `rows`."""
    return tuple(words.t(f"models_table.{name}") for name in COLUMNS)


def rows(engine: Engine, cards: Iterable[ModelCard], words: Words) -> list[Row]:
    """One row a model: what it is, and what it is doing."""
    return [_row(engine, card, words) for card in list(cards)[:LISTED]]


def _row(engine: Engine, card: ModelCard, words: Words) -> Row:
    state, runtime = engine.state(card), engine.loaded(card.id)
    return (
        card.name,
        source_of(card, words),
        words.size(card.size_bytes),
        card.quantization or words.t("unit.unknown"),
        words.number(card.window),
        model_state_text(state.name, words, state.elapsed),
        words.size(runtime.memory()) if runtime is not None else words.t("unit.unknown"),
    )


def matching(cards: Iterable[ModelCard], wanted: str, words: Words) -> tuple[ModelCard, ...]:
    """The models in whose name, id or source every word of `wanted` occurs, case aside."""
    parts = wanted.casefold().split()
    told = ((card, f"{card.id} {card.name} {source_of(card, words)}".casefold()) for card in cards)
    return tuple(card for card, text in told if all(part in text for part in parts))


def problems(cards: Iterable[ModelCard], words: Words) -> list[str]:
    """Why some of them cannot be used."""
    return [words.t("models_table.problem", name=card.name, problem=card.problem) for card in cards if card.problem]


def people(slots: int, measured: Capacity | None, words: Words) -> str:
    """How many people this machine carries with a model of so many slots; without a measurement at most so many."""
    if measured is None:
        return words.t("models_card.people_slots", people=slots * PEOPLE_PER_SLOT, slots=slots)
    rate = words.rate(measured.rate)
    return words.t("models_card.people", people=measured.people, slots=measured.slots, rate=rate)


def carried(engine: Engine, model_id: str, words: Words) -> str:
    """The same of a local model as it is or would be loaded, in words."""
    runtime = engine.loaded(model_id)
    return people(runtime.slots if runtime else engine.settings.slots, known(engine, model_id), words)


def open_job(engine: Engine, person: Person) -> Job | None:
    """The download, import, checksum, conversion, quantization or order to another server of this person that waits or
    runs.
    """
    found = engine.jobs.list(person.id, OPEN)
    return next((job for job in found if job.task.startswith(TASKS)), None)


def job_done(job: Job, words: Words) -> str:
    """How a job has ended, in a sentence; why one failed is its error."""
    if (ordered := order_done(job, words)) is not None:
        return ordered
    known = job.result if isinstance(job.result, Mapping) else {}
    if job.state == "done" and job.task == HASHING:
        return words.t("models_card.sha256_done", count=len(known.get("sha256", ())))
    if job.state == "done" and {"path", "size", "sha256"} <= set(known):
        name, digest = Path(str(known["path"])).name, known["sha256"]
        if isinstance(digest, Mapping):  # of several parts
            digest = next(iter(digest.values()), None)
        told = {"size": words.size(int(known["size"])), "sha256": str(digest or words.t("unit.unknown"))[:12]}
        return words.t("models_quantize.result", name=name, **told)
    return words.t("models_add.ended", title=job.title, state=words.t(f"models_running.job_is.{job.state}"))


def job_progress(job: Job, words: Words) -> Progress:
    """How far an open job is: in bytes where these are what it counts, else as a share."""
    bytes_ = job.task.startswith(IN_BYTES)
    if job.state == "queued":
        return Progress(words.t("models_add.waiting", title=job.title))
    if not job.done or not job.total:
        return Progress(words.t("models_add.starting", title=job.title), 0.0)
    share = min(1.0, job.done / job.total)
    whole = {"done": job.done, "total": job.total} if bytes_ else {"done": 100 * share, "total": 100}
    told = {name: words.size(int(value)) if bytes_ else words.number(value) for name, value in whole.items()}
    text = words.t("models_add.running", title=job.title, left=words.seconds(job.eta), **told)
    return Progress(text, share)


def loaded_head(words: Words) -> Row:
    """The titles of `loaded_rows`."""
    names = ("model", "window", "slots", "waiting", "memory", "since", "idle", "ttl")
    return tuple(words.t(f"models_running.{name}") for name in names)


def loaded_rows(running: Iterable[Loaded], words: Words) -> list[Row]:
    """One row a model that has a worker, as its runtime reports it."""
    return [_running(one, words) for one in running]


def _running(one: Loaded, words: Words) -> Row:
    t = words.t
    since = t("unit.unknown") if one.since is None else time.strftime("%H:%M", time.localtime(one.since))
    left = t("models_running.never") if one.ttl is None else words.seconds(max(0.0, one.ttl - one.idle))
    return (one.id, words.number(one.window), t("models_running.slots_of", busy=one.busy, slots=one.slots),
            words.number(one.waiting), words.size(one.memory_bytes), since, words.seconds(one.idle), left)  # fmt: skip


def waiting_head(words: Words) -> Row:
    """The titles of `waiting_rows`."""
    return tuple(words.t(f"models_running.{name}") for name in ("person", "model", "tokens", "idle"))


def waiting_rows(engine: Engine, running: Iterable[Loaded], names: Mapping[str, str], words: Words) -> list[Row]:
    """Who waits for which model since when, with how many tokens; for the teacher. `names` by id of person."""
    found = ((one.id, engine.loaded(one.id)) for one in running)
    return [
        (names.get(row.owner) or words.t("unit.unknown"), model, words.number(row.tokens), words.seconds(row.seconds))
        for model, runtime in found
        if runtime is not None
        for row in runtime.gate.snapshot().waiting
    ]


def runtime_rows(engine: Engine, words: Words) -> list[Row]:
    """Name and value of what computes the local models: build, processor features, devices, threads; and whether one
    can look inside them. Raises LoadFailed.
    """
    from engine.native import native_state
    from engine.runtime.build import build

    found, settings = build(), engine.settings
    cores = words.t("models_runtime.cores", threads=settings.threads, cores=psutil.cpu_count() or settings.threads)
    devices = [f"{one.name} ({one.description}, {words.size(one.memory_total)})" for one in found.devices]
    rows = {
        "build": f"llama.cpp (xllamacpp {found.version}, {found.build})",
        "features": " ".join(found.features),
        "devices": ", ".join(devices) or words.t("models_runtime.cpu_only"),
        "threads": cores,
        "batch": words.number(settings.batch),
        "microscope": f"llama-cpp-python · {words.t(f'models_runtime.native.{native_state().state}')}",
    }
    return [(words.t(f"models_runtime.{name}"), value) for name, value in rows.items()]


def job_head(words: Words) -> Row:
    """The titles of `job_rows`."""
    return tuple(words.t(f"models_running.{name}") for name in ("person", "job", "job_state"))


def job_rows(jobs: Iterable[Job], names: Mapping[str, str], words: Words) -> list[Row]:
    """One row an open job: whose (`names` by id), what, how it stands. What a job is about is its owner's own."""
    return [
        (names.get(job.owner) or words.t("unit.unknown"), job.task.partition(":")[2].replace("_", " "),
         words.t(f"models_running.job_is.{job.state}"))
        for job in jobs
    ]  # fmt: skip


@dataclass(frozen=True)
class Room:
    """Bytes of memory and disk of this machine: taken by models, free, in all."""

    memory: int
    memory_free: int
    memory_total: int
    disk: int
    disk_free: int


def room(engine: Engine, cards: Iterable[ModelCard]) -> Room:
    """What the loaded models and the files of these cards take, and what is left."""
    known = list(cards)
    runtimes = (engine.loaded(card.id) for card in known if card.backend == "llamacpp")
    taken = sum((runtime.memory() or 0) for runtime in runtimes if runtime is not None)
    files = {file.path: file.size_bytes for card in known for file in card.files}
    machine = psutil.virtual_memory()
    free = shutil.disk_usage(_existing(engine.settings.models_dir)).free
    return Room(taken, int(machine.available), int(machine.total), sum(files.values()), free)


def _existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())


def room_lines(found: Room, words: Words) -> tuple[str, str]:
    """Memory, then disk, a sentence each."""
    memory = words.t("models_memory.machine", used=words.size(found.memory), free=words.size(found.memory_free),
                     total=words.size(found.memory_total))  # fmt: skip
    return memory, words.t("models_memory.disk", used=words.size(found.disk), free=words.size(found.disk_free))


Part = tuple[str, int, str | None]  # label, bytes, colour


def memory_parts(memory: Memory, words: Words) -> list[Part]:
    """Weights, key-value memory and compute of an estimate, for `bar_html`."""
    colours = {"weights": "blue", "kv_part": "orange", "compute": "green"}
    sizes = {"weights": memory.weights, "kv_part": memory.kv, "compute": memory.compute}
    return [(words.t(f"models_memory.{name}"), sizes[name], OKABE_ITO[colour]) for name, colour in colours.items()]


def memory_text(memory: Memory, words: Words) -> str:
    """Whether it fits, as a sentence."""
    key = "fits" if memory.fits else "too_big"
    return words.t(f"models_memory.{key}", total=words.size(memory.total), free=words.size(memory.free))


def bar_html(parts: Sequence[Part], whole: int, text: str, words: Words) -> str:
    """Parts of `whole` bytes as one bar with its legend in words; `text` is read aloud instead."""
    scale = max(whole, sum(size for _, size, _ in parts), 1)
    bar = "".join(
        f'<div style="width:{100 * size / scale:.2f}%;background:{colour or "transparent"}"></div>'
        for _, size, colour in parts
    )
    legend = "".join(
        f'<span style="white-space:nowrap;margin-right:1em"><span style="display:inline-block;width:.7em;height:.7em;'
        f'margin-right:.35em;border:1px solid currentColor;background:{colour or "transparent"}"></span>'
        f"{html.escape(label)} {html.escape(words.size(size))}</span>"
        for label, size, colour in parts
    )
    return (
        f'<div role="img" aria-label="{html.escape(text, quote=True)}" style="font-size:.8rem;line-height:1.5">'
        f'<div style="display:flex;height:.6rem;border:1px solid #8884;border-radius:3px;overflow:hidden">{bar}</div>'
        f'<div aria-hidden="true">{legend}</div></div>'
    )
