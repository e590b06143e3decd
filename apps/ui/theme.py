"""The colours of both interfaces: one accent, and the Okabe-Ito palette for data. Values only."""

from __future__ import annotations

ACCENT = "#1F74BD"  # on white 4.9:1
ACCENT_DARK = "#62AEEF"  # the same hue on the dark ground, 7.9:1

# Okabe & Ito, "Color Universal Design" (2008): told apart by every kind of colour vision
OKABE_ITO: dict[str, str] = {
    "orange": "#E69F00",
    "sky": "#56B4E9",
    "green": "#009E73",
    "yellow": "#F0E442",
    "blue": "#0072B2",
    "vermillion": "#D55E00",
    "purple": "#CC79A7",
    "black": "#000000",
}
SERIES: tuple[str, ...] = tuple(OKABE_ITO[name] for name in ("blue", "orange", "green", "purple", "sky", "vermillion"))

GROUND = {"light": "#FFFFFF", "dark": "#0E1117"}
PANEL = {"light": "#F3F6FA", "dark": "#1A212C"}
INK = {"light": "#1B2430", "dark": "#F2F4F7"}


def contrast(one: str, other: str) -> float:
    """WCAG contrast ratio of two `#rrggbb` colours, 1 to 21."""
    high, low = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def _luminance(colour: str) -> float:
    channels = (int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5))
    linear = [value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4 for value in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
