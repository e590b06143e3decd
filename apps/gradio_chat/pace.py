"""The speed along an answer as a drawing and a sentence. Knows no event."""

from __future__ import annotations

import html
from collections.abc import Sequence

from apps.ui.curve import curve
from apps.ui.i18n import Words
from apps.ui.theme import OKABE_ITO

WIDTH, HEIGHT = 600, 120


def drawn(pace: Sequence[tuple[float, int]], tokens: int | None, words: Words) -> str:
    """The curve as HTML, its lowest, highest and last values in words; a sentence where it is not known."""
    points = curve(pace, tokens)
    if len(points) < 2:
        return f"<p>{html.escape(words.t('chat_act.curve_none'))}</p>"
    rates = [rate for _, rate in points]
    told = {"low": min(rates), "high": max(rates), "last": rates[-1]}
    text = html.escape(words.t("chat_act.curve_text", **{name: words.rate(rate) for name, rate in told.items()}))
    across, up = WIDTH / points[-1][0], HEIGHT / max(*rates, 1e-9)
    line = " ".join(f"{at * across:.1f},{HEIGHT - rate * up:.1f}" for at, rate in points)
    return (
        f'<figure style="margin:0"><svg role="img" aria-label="{text}" viewBox="0 0 {WIDTH} {HEIGHT}" '
        f'preserveAspectRatio="none" style="width:100%;max-width:{WIDTH}px;height:{HEIGHT}px;'
        f'border-left:1px solid;border-bottom:1px solid"><polyline points="{line}" fill="none" '
        f'stroke="{OKABE_ITO["blue"]}" stroke-width="2" vector-effect="non-scaling-stroke"/></svg>'
        f"<figcaption>{html.escape(words.t('chat_act.curve'))} ({words.seconds(points[-1][0])})<br>{text}</figcaption>"
        "</figure>"
    )
