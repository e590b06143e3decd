"""What the token strips of both interfaces draw: their JSON, their JavaScript and their style. Knows neither framework.

A model's words go in as data and come out as text nodes; nothing here is ever read as HTML.
"""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from apps.ui.i18n import Words, number
from engine.token_view import Alternative, Piece, Scored, visible

_FOLDER = Path(__file__).parent / "components"
_END = "∎"  # stands for a token without text, which ends the answer


@dataclass(frozen=True)
class Choice:
    """What a reader chose in a scored strip: the token's place in the answer and the text to put there."""

    position: int
    text: str


@functools.cache
def script() -> str:
    """JavaScript with the functions `tokenStrip(root, data)` and `scoredStrip(root, data, report)`."""
    return (_FOLDER / "strips.js").read_text(encoding="utf-8")


@functools.cache
def style() -> str:
    """CSS for an element of class `strips` and what is in it; made for a shadow root."""
    return (_FOLDER / "strips.css").read_text(encoding="utf-8")


def token_data(pieces: Sequence[Piece], words: Words) -> dict[str, Any]:
    """The JSON of a token strip."""
    return {
        "name": words.t("tokens.prompt", count=len(pieces)),
        "labels": _labels(words, len(pieces)) | {"hint": words.t("tokens.hint")},
        "pieces": [
            {
                "shown": piece.shown or _END,
                "special": piece.special,
                "label": _piece_label(piece, words),
                "breaks": piece.text.endswith("\n"),
            }
            for piece in pieces
        ],
    }


def scored_data(scored: Sequence[Scored], words: Words, *, choosable: bool = True) -> dict[str, Any]:
    """The JSON of a scored strip; `choosable` False shows the alternatives only."""
    return {
        "name": words.t("tokens.answer", count=len(scored)),
        "choosable": choosable,
        "labels": _labels(words, len(scored))
        | {
            "choose": words.t("tokens.choose"),
            "legend": words.t("tokens.legend"),
            "levels": words.t("tokens.levels").split("|"),
        },
        "tokens": [_token(token, words) for token in scored],
    }


def choice_of(told: Any, scored: Sequence[Scored]) -> Choice | None:
    """The choice that a browser reports, if it is one that the strip offers: a browser may say anything."""
    if not isinstance(told, Mapping):
        return None
    position, text = told.get("position"), told.get("text")
    if not isinstance(position, int) or isinstance(position, bool) or not 0 <= position < len(scored):
        return None
    offered = {other.text for other in scored[position].alternatives if other.whole}
    return Choice(position, text) if isinstance(text, str) and text in offered else None


def _labels(words: Words, count: int) -> dict[str, Any]:
    return {"more": words.t("tokens.more", count=count)}


def _piece_label(piece: Piece, words: Words) -> str:
    kind = "tokens.special" if piece.special else "tokens.part" if piece.part_of else "tokens.piece"
    return words.t(kind, id=piece.id, text=piece.shown, whole=piece.part_of or "")


def _token(token: Scored, words: Words) -> dict[str, Any]:
    share = percent(token.probability, words)
    return {
        "text": token.text,
        "shown": token.shown or _END,
        "p": round(token.probability, 6),
        "label": words.t("tokens.scored", text=token.shown or _END, percent=share),
        "breaks": token.text.endswith("\n"),
        "alternatives": [_alternative(other, words) for other in token.alternatives],
    }


def _alternative(other: Alternative, words: Words) -> dict[str, Any]:
    shown, share = visible(other.text) or words.t("tokens.end"), percent(other.probability, words)
    return {
        "text": other.text,
        "shown": shown,
        "p": round(other.probability, 6),
        "percent": share,
        "label": words.t("tokens.scored", text=shown, percent=share),
        "whole": other.whole,
    }


def percent(probability: float, words: Words) -> str:
    """A probability in percent: three digits are enough, and the smallest ones must not read as nothing."""
    share = probability * 100
    if 0 < share < 0.01:
        return words.t("tokens.percent_less", value=number(0.01, words.lang, 2))
    return words.t("tokens.percent", value=number(share, words.lang, 0 if share >= 99.95 else 1 if share >= 1 else 2))
