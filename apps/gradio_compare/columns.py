"""The answers as one piece of HTML: a column for each side, whatever came escaped, under each the same four numbers.

Knows no event.
"""

from __future__ import annotations

import html
import json
from collections.abc import Sequence

from apps.gradio_chat.acts import button
from apps.gradio_kit import Ui, error_html, progress_html
from apps.ui import compare, compare_figures, present
from apps.ui.compare import FILES, LETTERS
from apps.ui.compare_figures import Figure, counted, figures_html
from apps.ui.trace_panel import KEY_VARIABLE
from engine.compare import Comparison, SideView, Turn
from engine.compare.diff import word_diff
from engine.compare.snippet import chain_snippet
from engine.errors import EngineError, NotFound


def empty_html(ui: Ui, recorded: Sequence[str] = ()) -> str:
    """Where nothing was asked yet: what runs with one click."""
    acts = "".join(
        button("example", ui.t(f"compare.example.{name}"), example=name) for name in compare.examples(recorded)
    )
    said = html.escape(ui.t("compare.empty"))
    return f'<p class="atelier-note">{said}</p><div role="toolbar" aria-label="{said}">{acts}</div>'


def answers_html(ui: Ui, turns: Sequence[Turn], below: Sequence[str] = ()) -> str:
    """All columns as they are; `below` is what stands under each one's numbers."""
    if not turns:
        return ""
    views = turns[-1].views
    figures = compare_figures.figures(views, ui.words)
    columns = "".join(
        _column(ui, at, turns, view, figures[at], below[at] if below else "") for at, view in enumerate(views)
    )
    told = {"running": "running", "done": "done"}
    data = "".join(f' data-{name}="{_places(views, status)}"' for name, status in told.items())
    return f'<div class="compare-columns" tabindex="0"{data}>{columns}</div>'


def _places(views: Sequence[SideView], status: str) -> str:
    return " ".join(str(at) for at, view in enumerate(views) if view.status == status)


def _column(ui: Ui, at: int, turns: Sequence[Turn], view: SideView, figures: Sequence[Figure], below: str) -> str:
    name = view.card.name if view.card else view.side.model
    title = html.escape(compare.title(at, name))
    then = compare.recorded_told(view.side.model, ui.words)
    mark = f"<p class='atelier-note'>⏺ {html.escape(ui.t('compare.recorded'))}. {html.escape(then)}</p>" if then else ""
    before = "".join(_before(turn, at) for turn in turns[:-1])
    return (
        f'<section data-answer="{at}" aria-label="{title}"><h4>{title}</h4>{mark}{before}{_asked(turns[-1])}'
        f"{_thought(ui, view)}{_said(view)}{_state(ui, view)}"
        f'{figures_html(figures)}<p class="atelier-note">{html.escape(counted(view, ui.words))}</p>{below}</section>'
    )


def _before(turn: Turn, at: int) -> str:
    return f"{_asked(turn)}{_said(turn.views[at])}"


def _asked(turn: Turn) -> str:
    return f'<blockquote class="compare-text">{html.escape(compare.beginning(turn.question))}</blockquote>'


def _said(view: SideView) -> str:
    return f'<div class="compare-text">{html.escape(view.live.text)}</div>' if view.live.text else ""


def _thought(ui: Ui, view: SideView) -> str:
    if not view.live.reasoning:
        return ""
    return _folded(ui.t("chat.reasoning"), f'<div class="compare-text">{html.escape(view.live.reasoning)}</div>')


def _state(ui: Ui, view: SideView) -> str:
    """What it waits for, or why it failed; the text that came stays above."""
    if view.error is not None:
        return error_html(view.error, ui)
    if view.status == "running" and not view.live.text:
        return progress_html(present.progress_text(view.live.waiting, ui.words))
    return ""


def below(ui: Ui, comparison: Comparison, owner: str, address: str) -> list[str]:
    """What stands under each side once all are done: what was sent, and the chain that asks the same at `address`."""
    turns = comparison.turns
    return [
        _sent(ui, at, view, owner) + _chain(ui, at, turns, address)
        for at, view in enumerate(turns[-1].views if turns else ())
    ]


def _sent(ui: Ui, at: int, view: SideView, owner: str) -> str:
    """The request of an answer, and its exact prompt where that is known."""
    if view.result is None or view.result.trace_id is None:
        return ""
    try:
        trace = ui.engine.traces.get(view.result.trace_id, owner)
    except NotFound:  # kept for a while only
        return ""
    asked = _pre(ui.t("trace.request"), json.dumps(trace.request, indent=2, ensure_ascii=False))
    prompt = _pre(ui.t("trace.prompt"), trace.prompt) if trace.prompt else ""
    return _folded(ui.t("compare.trace_of", letter=LETTERS[at]), prompt + asked)


def _chain(ui: Ui, at: int, turns: Sequence[Turn], address: str) -> str:
    """The course's chain for this side; nothing where that cannot ask it."""
    view, key = turns[-1].views[at], KEY_VARIABLE if ui.options.guarded else None
    history = [(turn.question, turn.views[at].live.text) for turn in turns[:-1] if turn.views[at].live.text]
    try:
        text = chain_snippet(view.side, turns[-1].question, card=view.card, history=history, address=address,
                             key_variable=key)  # fmt: skip
    except EngineError:
        return ""
    return _folded(ui.t("compare.chain"), _pre(ui.t("compare.chain_help"), text))


def _folded(title: str, inside: str) -> str:
    return f"<details><summary>{html.escape(title)}</summary>{inside}</details>"


def _pre(title: str, text: str) -> str:
    note = f'<p class="atelier-note">{html.escape(title)}</p>'
    return f'{note}<pre class="compare-text" tabindex="0">{html.escape(text)}</pre>'


def pairs(views: Sequence[SideView]) -> list[tuple[str, str]]:
    """Which two answers can be told apart, as (words, places); first none."""
    places = range(len(views))
    found = ((one, other) for one in places for other in places[one + 1 :])
    return [("–", ""), *((f"{LETTERS[one]} → {LETTERS[other]}", f"{one} {other}") for one, other in found)]


def diff_html(ui: Ui, views: Sequence[SideView], pair: object) -> str:
    """Two answers as one text; nothing for a pair that is none."""
    places = [int(part) for part in str(pair or "").split() if part.isdecimal()]
    if len(places) != 2 or max(places) >= len(views):
        return ""
    one, other = (views[place].live.text for place in places)
    legend = html.escape(ui.t("compare.diff_help"))
    return f'<p class="atelier-note">{legend}</p>{compare_figures.diff_html(word_diff(one, other))}'


def files_html(ui: Ui) -> str:
    """The files that a comparison can be saved as."""
    named = ui.t("compare.downloads")
    acts = "".join(button("save", f"⤓ {form.upper()}", f"{named} {form.upper()}", form=form) for form in FILES)
    return f'<div role="toolbar" aria-label="{html.escape(named)}">{acts}</div>'
