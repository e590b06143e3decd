"""One model in several number formats, in one table: size, speed, perplexity, divergence from what it is made of.

A task for a job child that joins the others: nothing is measured here, and nothing is drawn.
"""

from __future__ import annotations

import re
from collections.abc import Generator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from engine.errors import BackendError, BadInput, BadParameter, EngineError
from engine.models.gguf_header import read_header
from engine.models.quantize import TYPES, part_of, quantize
from engine.quality import divergence, perplexity, stopwatch
from engine.quality.speed import Plan
from engine.quality.windows import WINDOW
from engine.settings import Settings
from engine.tasks import Progress

TASK = "engine.quality.quantizations:measure"
KINDS = ("Q8_0", "Q6_K", "Q5_K_M", "Q4_K_M", "Q4_0", "Q3_K_M", "Q2_K")  # from the largest to the smallest
SPEED = Plan(prompts=(128,), generated=(32,), repetitions=3)
SUFFIX = re.compile(f"[.-](?:{'|'.join(sorted(TYPES, key=len, reverse=True))})$", re.IGNORECASE)

# fmt: off
KEPT = (
    "perplexity", "perplexity_error", "ratio", "ratio_error", "mean_kld", "mean_kld_error", "median_kld", "same_top",
    "same_top_error",
)
# fmt: on

Work = Generator[Progress, None, dict[str, Any]]


def target_file(settings: Settings, source: Path, kind: str) -> Path:
    """Where `source` as `kind` lies: among one's own models, under the source's name with the kind in place of its own.

    Raises BadParameter for an unknown kind, BadInput where that is the source itself.
    """
    if kind not in TYPES:
        raise BadParameter(f"kind={kind!r}", name="kind", value=kind, choices=sorted(TYPES), low=None, high=None)
    target = settings.models_dir / f"{SUFFIX.sub('', source.stem)}.{kind}.gguf"
    if target.exists() and target.samefile(source):
        raise BadInput(f"{source.name} is {kind} already", reason="same_file", kind=kind)
    return target


def scratch(targets: Sequence[Path]) -> tuple[Path, ...]:
    """What a killed task leaves behind."""
    return tuple(part_of(target) for target in targets)


def measure(
    source: str, targets: Mapping[str, str], text: str, window: int = WINDOW, threads: int = 1,
    plan: Mapping[str, Any] | None = None,
) -> Work:  # fmt: skip
    """`rows`, first the source's, then one for each kind of `targets` (kind → path), and the source's `card`.

    A file that is there, of that kind and younger than the source, is taken as it is. A kind that llama.cpp cannot make
    or read has an `error` in its row. Progress in steps: two of the source, three of each kind.

    Raises BadInput for a text of less than two windows, NativeMissing, LoadFailed and ModelFileCorrupt of the source.
    """
    chosen = {**SPEED.to_dict(), **(plan or {}), "threads": [threads]}
    total = 2 + 3 * len(targets)
    told = yield from _step(perplexity.measure(source, text, window, None, threads), 0, total)
    speed = yield from _step(stopwatch.measure(source, chosen), 1, total)
    base = _facts(Path(source)) | _speed(speed) | {"perplexity": told["perplexity"]}
    base |= {"perplexity_error": told["standard_error"], "bits_per_byte": told["bits_per_byte"], "base": True}
    rows, how = [base], (text, window, threads, chosen)
    for number, (kind, target) in enumerate(targets.items()):
        try:
            rows.append((yield from _row(Path(source), Path(target), kind, how, 2 + 3 * number, total)))
        except BackendError as error:
            rows.append({"quantization": kind, "file": Path(target).name, "base": False, "error": error.to_dict()})
    return {"card": told["card"], "rows": rows}


def _row(
    source: Path, target: Path, kind: str, how: tuple[str, int, int, Mapping[str, Any]], first: int, total: int
) -> Work:
    """The row of one kind, made where it is not there."""
    text, window, threads, plan = how
    reused = _fresh(source, target, kind)
    if not reused:
        yield from _step(quantize(str(source), str(target), kind, threads), first, total)
    far = yield from _step(divergence.measure(str(source), str(target), text, window, threads), first + 1, total)
    speed = yield from _step(stopwatch.measure(str(target), plan), first + 2, total)
    kept = {name: far[name] for name in KEPT}
    return {**_facts(target), **_speed(speed), **kept, "base": False, "reused": reused}


def _step(work: Work, number: int, total: int) -> Work:
    """The work's result; its progress as a part of step `number`."""
    while True:
        try:
            told = next(work)
        except StopIteration as end:
            result: dict[str, Any] = end.value
            return result
        yield Progress(number + (told.done / told.total if told.total else 0), total)


def _facts(path: Path) -> dict[str, Any]:
    header, size = read_header(path), path.stat().st_size
    return {
        "quantization": header.quantization,
        "file": path.name,
        "size_bytes": size,
        "bits_per_weight": 8 * size / header.parameters,
    }


def _speed(told: Mapping[str, Any]) -> dict[str, Any]:
    """Tokens per second by the name of the test, each with its standard deviation."""
    rates = {row["test"]: {"avg_ts": row["avg_ts"], "stddev_ts": row["stddev_ts"]} for row in told["rows"]}
    return {"sha256": told["card"]["sha256"], "speed": rates}


def _fresh(source: Path, target: Path, kind: str) -> bool:
    """Whether the file is there already."""
    with suppress(OSError, EngineError):
        same = target.stat().st_mtime_ns >= source.stat().st_mtime_ns
        old, new = read_header(source), read_header(target)
        return same and new.quantization == kind and new.parameters == old.parameters
    return False
