"""Measurements of quality in words: what is asked, how far it is, and what came out as rows, lines and files.

Results are the JSON that `engine.quality` gives and keeps; the tables of the other tabs are in `quality_tables`.
Knows no widget and no framework.
"""

from __future__ import annotations

import csv
import functools
import io
import json
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from apps.ui.i18n import Words
from apps.ui.present import Progress, problem_text
from apps.ui.strips import percent
from engine.errors import BadInput
from engine.jobs import Job
from engine.quality.results import Kept, Kind
from engine.quality.windows import SMALLEST, WINDOW
from engine.token_view import visible

Result = Mapping[str, Any]
Row = tuple[str, ...]

TABS: tuple[Kind, ...] = ("perplexity", "quantizations", "speed", "evaluation")
EXAMPLES: Mapping[Kind, tuple[str, ...]] = {
    "perplexity": ("fluent", "shuffled", "documents"),
    "quantizations": ("two", "usual", "all"),
    "speed": ("short", "standard", "depths"),
    "evaluation": ("fr", "en", "quick"),
}
TABLES = {"perplexity": "quality_text", "quantizations": "quality_kinds", "speed": "quality_speed",
          "evaluation": "quality_questions"}  # fmt: skip
SETS = ("fr", "en", "file")
WINDOWS = (SMALLEST * 4, SMALLEST * 8, WINDOW // 2, WINDOW, WINDOW * 2)
PLANS: Mapping[str, Mapping[str, Any]] = {
    "short": {"prompts": [128], "generated": [32], "repetitions": 3},
    "standard": {},
    "depths": {"prompts": [128], "generated": [32], "depths": [0, 512, 1024], "repetitions": 3},
}
MIXES: Mapping[str, tuple[str, ...]] = {"two": ("Q8_0", "Q2_K"), "usual": ("Q8_0", "Q4_K_M", "Q2_K"), "all": ()}
QUICK = 6  # questions
LISTED = 30  # of what is kept


@functools.cache
def documents() -> str:
    """Six short documents in French and English, written for this project: about 2,500 tokens."""
    from engine.rag.questions import samples

    return "\n\n".join(source.text for source in samples().sources[::2])


def example_text(name: str, words: Words) -> str:
    """The text of an example of the first tab."""
    return documents() if name == "documents" else words.t(f"quality_text.{name}")


def numbers(text: str) -> list[int]:
    """Whole numbers written with commas, semicolons or spaces. Raises BadInput."""
    parts = re.split(r"[,;\s]+", text.strip())
    if not all(re.fullmatch(r"[0-9]{1,9}", part) for part in parts):
        raise BadInput(f"no list of numbers: {text[:60]!r}", reason="no_numbers")
    return [int(part) for part in parts]


def wrong(error: BadInput, words: Words) -> str | None:
    """What is wrong with a field of numbers; None for other errors."""
    return words.t("quality.numbers") if error.details.get("reason") == "no_numbers" else problem_text(error, words)


def progress(job: Job, words: Words) -> Progress:
    """How far an open measurement is."""
    if job.state == "queued":
        return Progress(words.t("quality.waiting", title=job.title))
    if not job.done or not job.total:
        return Progress(words.t("quality.starting", title=job.title), 0.0)
    share = min(1.0, job.done / job.total)
    left = words.seconds(job.eta)
    return Progress(words.t("quality.running", title=job.title, share=str(int(100 * share)), left=left), share)


def label(kept: Kept) -> str:
    """The name of what is kept in a list: when (UTC) and what."""
    return f"{kept.created[:16].replace('T', ' ')} · {kept.title}"


def card_line(result: Result, words: Words) -> str:
    """What makes the measurement repeatable, in a line; empty where a result has no card."""
    card = result.get("card")
    if not card:
        return ""
    runtime = f"{card['runtime']['name']} {card['runtime']['version']}"
    return words.t("quality.card_line", file=card["file"], quantization=card["quantization"] or "?",
                   sha256=card["sha256"][:12], runtime=runtime, threads=card["threads"],
                   date=card["date"])  # fmt: skip


def cards_json(result: Result) -> str:
    """Every card of a result, as JSON to copy."""
    return _json({name: result[name] for name in ("card", "answer_card") if result.get(name)})


def rounded(value: float, error: float | None, words: Words) -> str:
    """The value with the digits that its error deserves, and ± that error where there is one."""
    digits = 2 if value < 100 else 1 if value < 1000 else 0
    if not error:
        return words.number(value, digits)
    digits = max(0, min(4, 1 - math.floor(math.log10(error))))
    return words.t("quality_text.plus_minus", value=words.number(value, digits), error=words.number(error, digits))


def text_rows(result: Result, words: Words) -> list[Row]:
    """Perplexity ± error, that of the strip, bits a byte, time: name, value, what it says."""
    t, rows = words.t, list[Row]()
    if "perplexity" in result:
        help_ = t("quality_text.perplexity_help", counted=result["counted"], tokens=result["tokens"])
        value = rounded(result["perplexity"], result["standard_error"], words)
        rows.append((t("quality_text.perplexity", window=result["window"]), value, help_))
    if own := result.get("own"):
        help_ = t("quality_text.own_help", tokens=own["tokens"])
        rows.append((t("quality_text.own"), rounded(own["perplexity"], own["standard_error"], words), help_))
    bits = result.get("bits_per_byte", (result.get("own") or {}).get("bits_per_byte"))
    if bits is not None:
        rows.append((t("quality_text.bits"), words.number(bits, 3), t("quality_text.bits_help")))
    if "seconds" in result:
        rows.append((t("quality_text.seconds"), words.seconds(result["seconds"]), t("quality_text.seconds_help")))
    return rows


def text_notes(result: Result, words: Words) -> list[str]:
    """What there is to say of a strip: what is missing, what surprised most."""
    strip, notes = result.get("strip"), list[str]()
    if not strip:
        return [words.t("quality_text.strip_none")]
    if "perplexity" not in result:
        needed = {"needed": 2 * result["window"]}
        notes.append(words.t("quality_text.too_short", tokens=result["tokens"], window=result["window"], **needed))
    elif not result.get("whole", True):
        notes.append(words.t("quality_text.beginning"))
    known = [(nats, text) for text, _, nats in strip if nats is not None]
    if known:
        nats, text = max(known)
        notes.append(words.t("quality_text.most", text=visible(text), bits=words.number(nats / math.log(2), 1)))
    return notes


def strip_data(result: Result, words: Words) -> dict[str, Any] | None:
    """The JSON of the strip for `strips.js`; None where there is none."""
    strip = result.get("strip")
    if not strip:
        return None
    return {
        "name": words.t("quality_text.strip", count=len(strip)),
        "choosable": False,
        "labels": {
            "more": words.t("tokens.more", count=len(strip)),
            "choose": "",
            "legend": words.t("tokens.legend"),
            "levels": words.t("tokens.levels").split("|"),
        },
        "tokens": [_token(text, nats, words) for text, _, nats in strip],
    }


def _token(text: str, nats: float | None, words: Words) -> dict[str, Any]:
    shown = visible(text) or "∎"
    share = 1.0 if nats is None else math.exp(-nats)
    told = words.t("quality_text.first", text=shown)
    if nats is not None:
        bits = words.number(nats / math.log(2), 1)
        told = words.t("quality_text.token", text=shown, bits=bits, percent=percent(share, words))
    return {"text": text, "shown": shown, "p": round(share, 6), "label": told, "breaks": text.endswith("\n"),
            "alternatives": []}  # fmt: skip


def file(kind: Kind, form: str, result: Result) -> str:
    """A result to be saved: `json`, whole (a run's rows as llama-bench's list), or `csv`, its rows."""
    if form == "csv":
        return _csv(_records(kind, result))
    if kind == "speed":
        return _json([{**row, "card": result["card"]} for row in result["rows"]])
    return _json(result)


def _records(kind: Kind, result: Result) -> list[Mapping[str, Any]]:
    if kind == "perplexity":
        return [{"text": text, "bytes": size, "nats": nats} for text, size, nats in result.get("strip", ())]
    if kind == "evaluation":
        return [{"measure": name, **one} for name, one in result["metrics"].items()]
    if kind == "quantizations":
        return [{**row, "speed": None, **_flat(row.get("speed", {}))} for row in result["rows"]]
    return [{name: value for name, value in row.items() if not name.startswith("samples")} for row in result["rows"]]


def _flat(speed: Mapping[str, Mapping[str, float]]) -> dict[str, float]:
    return {f"{test} {name}": value for test, told in speed.items() for name, value in told.items()}


def _csv(rows: Sequence[Mapping[str, Any]]) -> str:
    text = io.StringIO()
    names: Iterable[str] = dict.fromkeys(name for row in rows for name in row if name not in ("error", "speed"))
    writer = csv.DictWriter(text, list(names), extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=1)
