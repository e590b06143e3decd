"""The waterfall as values and as SVG: a column per stage, a row per token, the same one through all columns.

Knows no interface and no language: what stands above a column is given.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from xml.sax.saxutils import escape

import numpy as np

from engine.sampling.chain import Stage
from engine.sampling.draw import Dart
from engine.sampling.samplers import Ids, Logits

TOP = 15  # tokens with a row of their own
_ROW, _HEAD, _NAME, _WIDE, _GAP = 22, 74, 150, 150, 14  # sizes of the SVG, in its units
_BAR, _GHOST, _OUT, _HIT = "#0072B2", "#999999", "#D55E00", "#009E73"


@dataclass(frozen=True)
class Row:
    """One token, or all the others together (`token` None, `count` of them that the last stage leaves).

    `shares` are its probabilities after each stage, `left` whether it, or one of them, is still in the running there.
    """

    token: int | None
    text: str
    shares: tuple[float, ...]
    left: tuple[bool, ...]
    count: int = 1


@dataclass(frozen=True)
class Part:
    """A stretch [begin, end) of the segment at which a dart is thrown: one token's, or of `count` others in a row."""

    token: int | None
    begin: float
    end: float
    count: int = 1


@dataclass(frozen=True)
class Waterfall:
    """`stages` are those with a column; `rows` the tokens, the model's likeliest first; `scale` is the probability of a
    bar as wide as its column; `parts` the segment of the last stage in the runtime's order.
    """

    stages: tuple[Stage, ...]
    rows: tuple[Row, ...]
    others: Row
    scale: float
    parts: tuple[Part, ...]
    dart: Dart | None = None


def waterfall(
    stages: Sequence[Stage], shown: Callable[[int], str], top: int = TOP, dart: Dart | None = None
) -> Waterfall:  # fmt: skip
    """The picture of these stages, of which the active ones and the first have a column.

    The `top` tokens are those likeliest for the model or after the last stage, and the one that the dart hit. `shown`
    gives a token's text.
    """
    seen = (stages[0], *(stage for stage in stages[1:] if stage.step.active))
    ids = _chosen(seen, top, dart)
    rows = tuple(_row(int(token), shown, seen) for token in ids)
    shares = tuple(max(0.0, 1 - sum(row.shares[at] for row in rows)) for at in range(len(seen)))
    counts = [stage.survivors - sum(row.left[at] for row in rows) for at, stage in enumerate(seen)]
    others = Row(None, "", shares, tuple(count > 0 for count in counts), counts[-1])
    scale = max(max((row.shares[at] for row in rows), default=1.0) for at in range(len(seen)))
    parts = tuple(_parts(seen[-1], {row.token for row in rows})) if dart else ()
    return Waterfall(seen, rows, others, scale, parts, dart)


def _chosen(stages: Sequence[Stage], top: int, dart: Dart | None) -> Ids:
    """The model's likeliest first."""
    worth = np.maximum(stages[0].probabilities, stages[-1].probabilities)
    if dart is not None:
        worth[dart.token] = 2.0
    best = np.argpartition(-worth, min(top, len(worth)) - 1)[:top]
    best = best[worth[best] > 0]
    ranks = np.lexsort((best, -worth[best], -stages[0].logits[best]))
    return np.asarray(best[ranks], dtype=np.int64)


def _row(token: int, shown: Callable[[int], str], stages: Sequence[Stage]) -> Row:
    shares = tuple(float(stage.probabilities[token]) for stage in stages)
    return Row(token, shown(token), shares, tuple(bool(stage.logits[token] > -np.inf) for stage in stages))


def _parts(stage: Stage, named: set[int | None]) -> list[Part]:
    """The named tokens each as a part, those between them together."""
    order = stage.order
    ends: Logits = np.cumsum(stage.probabilities[order])
    whole = float(ends[-1])
    wanted = [token for token in named if token is not None]
    parts: list[Part] = []
    begin, place = 0.0, 0
    for at in np.flatnonzero(np.isin(order, wanted)):
        before = float(ends[at - 1] / whole) if at else 0.0
        if at > place and before > begin:
            parts.append(Part(None, begin, before, int(at - place)))
        end = float(ends[at] / whole)
        if end > before:
            parts.append(Part(int(order[at]), before, end))
        begin, place = end, int(at) + 1
    if place < len(order) and begin < 1:
        parts.append(Part(None, begin, 1.0, len(order) - place))
    return parts


def svg(
    picture: Waterfall, heads: Sequence[Sequence[str]], others: str, percent: Callable[[float], str], told: str = ""
) -> str:
    """The picture as an SVG document. `heads` are the lines above each column, `others` the name of the last row,
    `percent` writes a probability, `told` is the sentence under it.
    """
    wide = _NAME + len(picture.stages) * (_WIDE + _GAP)
    high = _HEAD + (len(picture.rows) + 1) * _ROW + 30
    body = [_text(_NAME + at * (_WIDE + _GAP), 16 + 17 * line, text, bold=line == 0)
            for at, lines in enumerate(heads) for line, text in enumerate(lines)]  # fmt: skip
    for number, row in enumerate((*picture.rows, picture.others)):
        body += _svg_row(picture, row, _HEAD + number * _ROW, others, percent)
    body.append(_text(4, high - 10, told))
    style = "font:12px system-ui,sans-serif"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide}" height="{high}" viewBox="0 0 {wide} {high}" '
        f'style="{style}"><rect width="{wide}" height="{high}" fill="#fff"/>{"".join(body)}</svg>'
    )


def _svg_row(
    picture: Waterfall, row: Row, y: int, others: str, percent: Callable[[float], str]
) -> list[str]:  # fmt: skip
    hit = picture.dart is not None and row.token == picture.dart.token
    drawn = [_text(4, y + 15, ("◆ " if hit else "") + (others if row.token is None else row.text), bold=hit)]
    for at, (share, left) in enumerate(zip(row.shares, row.left, strict=True)):
        x = _NAME + at * (_WIDE + _GAP)
        if at:
            drawn.append(_rect(x, y, row.shares[at - 1], picture.scale, f'fill="none" stroke="{_GHOST}"'))
            cut = picture.stages[at].cut
            if cut is not None and row.token is not None:
                place = x + min(1.0, cut / picture.scale) * _WIDE
                drawn.append(f'<path d="M{place:.1f} {y}v{_ROW}" stroke="{_OUT}" stroke-dasharray="3 2"/>')
        drawn.append(_rect(x, y, share, picture.scale, f'fill="{_HIT if hit else _BAR}" fill-opacity="0.6"'))
        drawn.append(_text(x + 3, y + 15, percent(share) if left else "✕"))
    return drawn


def _rect(x: float, y: float, share: float, scale: float, look: str) -> str:
    return f'<rect x="{x}" y="{y + 3}" width="{min(1.0, share / scale) * _WIDE:.1f}" height="{_ROW - 6}" {look}/>'


def _text(x: float, y: float, text: str, *, bold: bool = False) -> str:
    weight = ' font-weight="bold"' if bold else ""
    clean = "".join(sign if sign.isprintable() else "\ufffd" for sign in text)  # XML takes no control signs
    return f'<text x="{x}" y="{y}"{weight}>{escape(clean)}</text>'
