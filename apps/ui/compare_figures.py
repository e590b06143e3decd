"""What stands under the answers of a comparison: the same four numbers for all, with bars of one scale; differences
word by word. Knows no widget: what comes back is text, values, or HTML whose texts are escaped.
"""

from __future__ import annotations

import html
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from apps.ui.i18n import WIDE, Words
from apps.ui.present import outcome_text
from apps.ui.theme import OKABE_ITO

if TYPE_CHECKING:
    from engine.compare.diff import Piece
    from engine.compare.money import Cost
    from engine.compare.side import SideView

FIGURES = ("first", "speed", "total", "cost")  # under every answer, always in this order
COLOURS = {"first": OKABE_ITO["sky"], "speed": OKABE_ITO["green"], "total": OKABE_ITO["blue"],
           "cost": OKABE_ITO["orange"]}  # fmt: skip
DIGITS_MAX = 12
MARKS = {"removed": ("del", f"{OKABE_ITO['vermillion']}33"), "added": ("ins", f"{OKABE_ITO['green']}33")}


@dataclass(frozen=True)
class Figure:
    """One number of one side: `share` in [0, 1] of the largest of all sides, None where it is unknown."""

    key: str
    label: str
    value: str
    share: float | None
    note: str = ""


def figures(views: Sequence[SideView], words: Words) -> tuple[tuple[Figure, ...], ...]:
    """The four numbers of every side; bars of one kind share one scale."""
    numbers = [_numbers(view) for view in views]
    tops: dict[str, float | None] = {key: max((one[key] or 0 for one in numbers), default=0) for key in FIGURES}
    if len({view.cost.currency for view in views if view.cost is not None and view.cost.total is not None}) > 1:
        tops["cost"] = None  # euros and dollars have no common scale
    return tuple(
        tuple(_figure(key, own[key], tops[key], view, words) for key in FIGURES)
        for own, view in zip(numbers, views, strict=True)
    )


def _numbers(view: SideView) -> dict[str, float | None]:
    stats = view.result.stats if view.result is not None else None
    cost = view.cost.total if view.cost is not None else None
    first = view.ttft if view.ttft is not None or stats is None else stats.time_to_first_token
    return {
        "first": first,
        "speed": stats.tokens_per_second if stats is not None else None,
        "total": stats.wall_time if stats is not None else None,
        "cost": None if cost is None else float(cost),
    }


def _figure(key: str, value: float | None, top: float | None, view: SideView, words: Words) -> Figure:
    share = None if value is None or top is None else value / top if top else 0.0
    shown = _shown(key, value, view, words)
    return Figure(key, words.t(f"compare.figure.{key}"), shown, share, _note(key, value, view, words))


def _shown(key: str, value: float | None, view: SideView, words: Words) -> str:
    if key == "cost":
        return cost_text(view.cost, words) if view.cost is not None else words.t("unit.unknown")
    return words.rate(value) if key == "speed" else words.seconds(value)


def _note(key: str, value: float | None, view: SideView, words: Words) -> str:
    if view.result is None:
        return ""
    if key == "speed" and value is not None:
        return words.t(f"compare.measured.{view.result.stats.source}")
    return price_note(view.cost, words) if key == "cost" else ""


def cost_text(cost: Cost | None, words: Words, times: int = 1) -> str:
    """What the call costs, or `times` calls like it; "unknown" where it is, and that nobody bills it where so it is."""
    if cost is not None and cost.total is not None:
        return money(cost.total * times, cost.currency, words)
    return words.t("compare.no_bill" if cost is not None and cost.kind == "local" else "compare.unknown")


def money(amount: Decimal, currency: str, words: Words) -> str:
    """An amount with two digits that count at least: 0.00042 USD, 12.50 USD."""
    small = 2 if not amount or abs(amount) >= 1 else 1 - math.floor(math.log10(abs(amount)))
    return f"{words.number(float(amount), min(DIGITS_MAX, max(2, small)))}{WIDE}{currency}"


def price_note(cost: Cost | None, words: Words) -> str:
    """Where the price comes from and of which day it is; that it is an assumption, or why there is none."""
    if cost is None or (cost.total is None and cost.kind != "local"):
        return words.t("compare.price.unknown")
    source, date = cost.source or words.t("compare.unknown"), cost.as_of or words.t("compare.price.undated")
    return words.t(f"compare.price.{cost.kind.partition(' ')[0]}", source=source, date=date)


def counted(view: SideView, words: Words) -> str:
    """One line: tokens in and out, what a thousand such calls cost, why it ended."""
    result = view.result
    if result is None:
        return ""
    usage, t = result.usage, words.t
    read, written = _count(usage.prompt_tokens, words), _count(usage.completion_tokens, words)
    cached = t("compare.cached", count=usage.cached_tokens) if usage.cached_tokens else ""
    parts = [t("compare.tokens", read=read, cached=cached, written=written)]
    if view.cost is not None and view.cost.total is not None:
        parts.append(t("compare.thousand", cost=cost_text(view.cost, words, 1000)))
    return " · ".join((*parts, outcome_text(result.outcome, words)))


def _count(value: int | None, words: Words) -> str:
    return words.t("compare.unknown") if value is None else words.number(value)


def figures_html(shown: Iterable[Figure]) -> str:
    """The four numbers of one side as HTML with inline styles: label, value, bar, what is to be known of it."""
    return f'<div class="atelier-figures" role="list" style="font-size:.875rem">{"".join(map(_row, shown))}</div>'


def _row(one: Figure) -> str:
    width = 0 if one.share is None else max(1.0, 100 * one.share) if one.share else 0
    note = f'<div style="opacity:.8;font-size:.8rem">{_esc(one.note)}</div>' if one.note else ""
    return (
        f'<div role="listitem" data-figure="{one.key}" style="margin-bottom:.35rem">'
        f'<div style="display:flex;justify-content:space-between;gap:.5rem;flex-wrap:wrap">'
        f"<span>{_esc(one.label)}</span> "
        f'<span style="font-weight:600;font-variant-numeric:tabular-nums">{_esc(one.value)}</span></div>'
        f'<div aria-hidden="true" style="height:.4rem;background:#8883;border-radius:3px;overflow:hidden">'
        f'<div style="width:{width:.1f}%;height:100%;background:{COLOURS[one.key]}"></div></div>{note}</div>'
    )


def diff_html(pieces: Iterable[Piece]) -> str:
    """Two texts as one: what only the first says struck through, what only the second says underlined."""
    return f'<div style="white-space:pre-wrap;overflow-wrap:anywhere">{"".join(map(_piece, pieces))}</div>'


def _piece(piece: Any) -> str:
    if piece.kind == "same":
        return _esc(piece.text)
    tag, ground = MARKS[piece.kind]
    return f'<{tag} style="background:{ground}">{_esc(piece.text)}</{tag}>'


def _esc(text: str) -> str:
    return html.escape(text, quote=True)
