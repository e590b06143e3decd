"""What the sidebar says besides its controls: the model's state, the native build, and in a class who is here.

Knows no control and no framework.
"""

from __future__ import annotations

import html
import time
from datetime import UTC, datetime, timedelta

from apps.ui import present
from apps.ui.i18n import Words
from engine.catalog import ModelCard
from engine.engine import Engine
from engine.native import native_state
from engine.person import Person

HERE = timedelta(minutes=5)  # a page asks several times a minute; the store notes it once a minute


def html_of(engine: Engine, model_id: str, words: Words, me: Person | None) -> tuple[str, bool]:
    """The lines as HTML, and whether the model is loading; `me` is None where there is no class."""
    card = engine.catalog.card(model_id)
    state = engine.state(card)
    lines = [present.model_state_text(state.name, words, state.elapsed), _facts(engine, card, words), *_native(words)]
    if me is not None:
        lines += [words.t(f"sidebar.me_{me.role}", name=me.nickname), _load(engine, model_id, words)]
    text = "".join(f"<div>{html.escape(line)}</div>" for line in lines)
    reset = _reset(words) if me is not None else ""
    return f'<div role="status" aria-live="polite">{text}</div>{reset}', state.name == "loading"


def _facts(engine: Engine, card: ModelCard, words: Words) -> str:
    runtime = engine.loaded(card.id)
    size = runtime.window if runtime is not None else card.window
    window = words.t("sidebar.window", window=size) if size else words.t("sidebar.window_unknown")
    return " · ".join(part for part in (card.quantization, window) if part)


def _native(words: Words) -> list[str]:
    found = native_state()
    if found.ready:
        return []
    elapsed = words.seconds(time.time() - found.started if found.started else None)
    return [words.t(f"native.{found.state}", elapsed=elapsed)]


def _load(engine: Engine, model_id: str, words: Words) -> str:
    since = datetime.now(UTC) - HERE
    here = sum(person.last_seen >= since for person in engine.people.all())
    runtime = engine.loaded(model_id)
    gate = runtime.gate if runtime is not None else None
    return words.n("sidebar.load", here, waiting=len(gate.snapshot().waiting) if gate else 0)


def _reset(words: Words) -> str:
    # A page without parameters in its address is a new session: empty conversation, default settings.
    label, title = (html.escape(words.t(key)) for key in ("sidebar.reset_page", "sidebar.reset_page_help"))
    return f'<a href="./" title="{title}">{label}</a>'
