"""Engine values as words and numbers that both interfaces show: progress, statistics, errors, the window's gauge.

Knows no widget; what comes back is text, small values, or a self-contained piece of HTML whose texts are escaped.
"""

from __future__ import annotations

import html
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from apps.ui.i18n import Words, catalogue
from apps.ui.markdown import safe_markdown as safe_markdown
from apps.ui.theme import OKABE_ITO
from engine.errors import EngineError
from engine.live import CHARACTERS_PER_SECOND as CHARACTERS_PER_SECOND
from engine.live import UPDATES_PER_SECOND as UPDATES_PER_SECOND
from engine.live import Live as Live
from engine.live import coalesce as coalesce
from engine.live import follow as follow
from engine.types import (
    Event,
    Heartbeat,
    Loading,
    Outcome,
    PromptProgress,
    Queued,
    ReasoningDelta,
    Stats,
    TextDelta,
    Usage,
)


@dataclass(frozen=True)
class Progress:
    """What is shown while nothing is written yet: a sentence, and the share done in [0, 1] where it is known."""

    text: str
    share: float | None = None


def progress_text(event: Event | None, words: Words) -> Progress:
    """What to show for an event that comes before the first text; None and a heartbeat are "it has been sent"."""
    if isinstance(event, Queued):
        return Progress(words.t("progress.queued", place=event.place))
    if isinstance(event, Loading):
        return Progress(words.t("progress.loading", elapsed=words.seconds(event.elapsed)), event.progress)
    if isinstance(event, PromptProgress):
        share = event.processed / event.total if event.total else None
        key = "progress.prompt_cached" if event.cached else "progress.prompt"
        return Progress(words.t(key, done=event.processed, total=event.total, cached=event.cached), share)
    assert event is None or isinstance(event, Heartbeat | TextDelta | ReasoningDelta), event
    return Progress(words.t("progress.sent"))


def outcome_text(outcome: Outcome, words: Words) -> str:
    """Why the answer ended, in a few words."""
    return words.t(f"outcome.{outcome}")


def stats_line(outcome: Outcome, usage: Usage, stats: Stats, words: Words) -> str:
    """The line under every answer: tokens · tok/s · first token · stop reason; what is unknown is left out."""
    parts = [outcome_text(outcome, words)]
    if stats.time_to_first_token is not None:
        parts.insert(0, words.t("stats.first_token", time=words.seconds(stats.time_to_first_token)))
    if stats.tokens_per_second is not None:
        parts.insert(0, words.rate(stats.tokens_per_second))
    if usage.completion_tokens is not None:
        parts.insert(0, words.n("stats.tokens", usage.completion_tokens))
    return " · ".join(parts)


def stats_json(exported: Mapping[str, Any]) -> str:
    """LM Studio's statistics as JSON to copy; times with a millisecond's precision."""
    rounded = {name: round(value, 3) if isinstance(value, float) else value for name, value in exported.items()}
    return json.dumps(rounded, indent=2, ensure_ascii=False)


def stats_help(exported: Mapping[str, Any], words: Words) -> tuple[tuple[str, str], ...]:
    """What each exported name means: (name, sentence)."""
    return tuple((name, words.t(f"stats.help.{name}")) for name in exported)


@dataclass(frozen=True)
class ErrorText:
    """An error as a person reads it: what happened, what to do, the code in small, the details folded."""

    what: str
    todo: str
    code: str
    details: str = ""

    @property
    def sentence(self) -> str:
        """What happened and what to do, in one string."""
        return f"{self.what} {self.todo}"


class _Details(dict[str, Any]):
    """An error's details; what it does not tell is a dash, so that an error can always be shown."""

    def __missing__(self, key: str) -> str:
        return "–"


def error_text(error: EngineError, words: Words) -> ErrorText:
    """The two sentences of an error in the reader's language."""
    values = {name: value for name, value in error.details.items() if value is not None}
    details = json.dumps(error.to_dict()["details"], indent=2, ensure_ascii=False, default=str) if values else ""
    said = _Details({**values, **_reason(error, words)})
    what, todo = (words.filled(f"error.{error.code}.{part}", said) for part in ("what", "todo"))
    own = f"error_of.{error.code}.{error.details.get('reason')}"
    if words.has(f"{own}.what"):  # a known reason has sentences of its own
        what, todo = (words.filled(f"{own}.{part}", said) for part in ("what", "todo"))
    return ErrorText(problem_text(error, words) or what, todo, error.code, details)


def problem_text(error: EngineError, words: Words) -> str | None:
    """What is wrong with a prompt or one of its variables, in a sentence; None where it is something else."""
    key = f"prompt_problem.{error.details.get('reason')}"
    if error.code != "bad_input" or not words.has(key):
        return None
    try:
        return words.filled(key, error.details)
    except KeyError:  # another part of the engine has a reason of the same name, with other details
        return None


def _reason(error: EngineError, words: Words) -> dict[str, str]:
    """The code of a file's problem in words."""
    key = f"file_reason.{error.details.get('reason')}"
    return {"reason": words.t(key)} if error.code == "bad_file" and words.has(key) else {}


def neutral_error(words: Words) -> ErrorText:
    """The sentence for a defect of our own: its traceback is in the log, not on the page."""
    return ErrorText(words.t("error.unexpected.what"), words.t("error.unexpected.todo"), "unexpected")


STATE_SYMBOLS: Mapping[str, str] = {
    "ready": "●",
    "loading": "◐",
    "asleep": "○",
    "unloaded": "○",
    "unreachable": "✕",
    "failed": "✕",
}


def model_state_text(name: str, words: Words, elapsed: float | None = None) -> str:
    """A model's state as symbol and word: "● ready", "◐ loading, 3 s"."""
    symbol = STATE_SYMBOLS[name]
    if name == "loading" and elapsed is not None:
        return f"{symbol} {words.t('state.loading_since', elapsed=words.number(elapsed))}"
    return f"{symbol} {words.t(f'state.{name}')}"


def glossary(words: Words) -> tuple[tuple[str, str], ...]:
    """Every notion and its two sentences, in the order of the alphabet."""
    notions = (key.removesuffix(".name") for key in catalogue(words.lang) if re.fullmatch(r"glossary\.\w+\.name", key))
    return tuple(sorted((words.t(f"{key}.name"), words.t(f"{key}.text")) for key in notions))


@dataclass(frozen=True)
class Segment:
    """One part of the window: `share` in [0, 1] of it."""

    key: str
    label: str
    tokens: int
    share: float
    colour: str | None


@dataclass(frozen=True)
class Gauge:
    """The window as one bar: its segments in order, and the same as a sentence."""

    segments: tuple[Segment, ...]
    text: str
    window: int
    used: int = 0
    over: int = field(default=0)


_GAUGE_COLOURS: Mapping[str, str | None] = {
    "prompt": OKABE_ITO["blue"],
    "answer": OKABE_ITO["green"],
    "reserved": OKABE_ITO["sky"],
    "free": None,
}


def gauge(prompt: int, answer: int, reserved: int, window: int, words: Words) -> Gauge:
    """The window of `window` tokens, divided: prompt, answer, what is kept for the next answer, free.

    `reserved` is what an answer may take at most; it never takes more than what is left.
    """
    used = prompt + answer
    left = max(0, window - used)
    kept = left if reserved < 0 else min(reserved, left)
    tokens = {"prompt": prompt, "answer": answer, "reserved": kept, "free": left - kept}
    segments = tuple(
        Segment(key, words.t(f"gauge.{key}", tokens=count), count, count / max(window, used, 1), _GAUGE_COLOURS[key])
        for key, count in tokens.items()
    )
    percent = 100 * used / max(window, 1)
    sentence = words.t("gauge.text", used=used, window=window, percent=percent, **tokens)
    return Gauge(segments, sentence, window, used, max(0, used - window))


def gauge_html(view: Gauge) -> str:
    """The gauge as HTML with inline styles: a bar, then a legend with symbols, so that colour alone never tells."""
    bar = "".join(
        f'<div title="{_escape(part.label)}: {part.tokens}" style="width:{100 * part.share:.2f}%;{_fill(part)}"></div>'
        for part in view.segments
        if part.tokens
    )
    legend = "".join(
        f'<span style="white-space:nowrap;margin-right:1em"><span aria-hidden="true" style="display:inline-block;'
        f"width:.7em;height:.7em;margin-right:.35em;border:1px solid currentColor;{_fill(part)}"
        f'"></span>{_escape(part.label)}</span>'
        for part in view.segments
    )
    return (
        f'<div role="img" aria-label="{_escape(view.text)}" style="font-size:.8rem;line-height:1.5">'
        f'<div style="display:flex;height:.6rem;border:1px solid #8884;border-radius:3px;overflow:hidden">{bar}</div>'
        f'<div aria-hidden="true">{legend}</div></div>'
    )


def _fill(part: Segment) -> str:
    if part.key == "reserved":  # hatched: not taken yet
        return f"background:repeating-linear-gradient(45deg,{part.colour} 0 3px,transparent 3px 6px)"
    return f"background:{part.colour or 'transparent'}"


def _escape(text: str) -> str:
    return html.escape(text, quote=True)
