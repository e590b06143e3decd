"""Blind votes in words: what is revealed, how the models stand, as rows and as bars. Knows no widget; the HTML that
comes back is escaped.
"""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence

from apps.ui.i18n import Words
from apps.ui.theme import OKABE_ITO
from engine.compare.arena import TAG_MAX, Board, Vote
from engine.compare.blind import QUESTION_MAX, Look
from engine.compare.ratings import WINNERS, Standing
from engine.compare.turns import Trouble

__all__ = ["EXAMPLES", "QUESTION_MAX", "TAG_MAX", "WINNERS"]

EXAMPLES = ("fact", "write", "code")
LETTERS = ("A", "B")  # left, right
Row = tuple[str, ...]


def example(name: str, words: Words) -> tuple[str, str]:
    """The question and the tag of an example."""
    return words.typed(f"compare_vote.example.{name}_question"), words.typed(f"compare_vote.example.{name}_tag")


def revealed(vote: Vote, names: Mapping[str, str], words: Words) -> list[str]:
    """Who they were, what was voted, and why it does not count where it does not."""
    left, right = (names.get(model, model) for model in (vote.left, vote.right))
    told = words.t(f"compare_vote.voted.{vote.winner}")
    lines = [words.t("compare_vote.revealed", left=left, right=right, vote=told)]
    return lines if vote.problem is None else [*lines, words.t(f"compare_vote.problem.{vote.problem}")]


def state(look: Look | None, words: Words) -> str:
    """What the pair waits for, in a sentence; "" before there is one."""
    if look is None:
        return ""
    key = "running" if look.running else "failed" if look.failed else "vote_now"
    told = words.t(f"compare_vote.{key}")
    return f"{told} {why(look.reason, words)}" if look.failed and look.reason else told


def why(reason: str, words: Words) -> str:
    """Why a model gave no answer, in a sentence that does not name it."""
    key = f"compare_vote.why.{reason}"
    return words.t(key) if words.has(key) else words.t("compare_vote.why.other", code=reason)


def troubles(found: Sequence[Trouble], names: Mapping[str, str], words: Words) -> list[str]:
    """For the teacher: which models gave no answer the last time and why, and what becomes of them; empty if none."""
    lines = [
        words.t("compare_vote.trouble", model=names.get(one.model, one.model), why=why(one.reason, words))
        for one in found
    ]
    return [*lines, words.t("compare_vote.troubles_help")] if lines else []


def head(words: Words) -> Row:
    """The columns of the board."""
    return tuple(
        words.t(f"compare_vote.head.{name}") for name in ("place", "model", "rating", "elo", "votes", "record")
    )


def rows(board: Board, names: Mapping[str, str], words: Words) -> list[Row]:
    """The board: place, model, rating with its interval, Elo, votes, won–lost–tied."""
    return [_row(place, one, names, words) for place, one in enumerate(board.ratings.standings, 1)]


def _row(place: int, one: Standing, names: Mapping[str, str], words: Words) -> Row:
    record = f"{one.won} – {one.lost} – {one.tied}"
    numbers = (words.number(one.elo), words.number(one.votes))
    return (str(place), names.get(one.model, one.model), _rating(one, words), *numbers, record)


def notes(board: Board, words: Words) -> list[str]:
    """What is to be known of the numbers."""
    lines = [words.n("compare_vote.counted", board.ratings.votes)]
    if board.uncounted:
        lines.append(words.n("compare_vote.uncounted", board.uncounted))
    if board.ratings.separated:
        lines.append(words.t("compare_vote.separated"))
    return [" ".join(lines), words.t("compare_vote.ratings_help")]


def tags(board: Board, words: Words) -> dict[str, str]:
    """The tags to choose from, by what is kept of them: all of them first."""
    every = {"": words.t("compare_vote.every_tag")}
    return every | {tag: f"{tag} ({words.number(count)})" for tag, count in board.tags}


def intervals_html(board: Board, names: Mapping[str, str], words: Words) -> str:
    """The ratings as points with their intervals on one scale; as a sentence each for who hears the page."""
    standings = board.ratings.standings
    if len(standings) < 2:
        return ""
    ends = [end for one in standings for end in (one.low, one.high, one.rating) if end is not None]
    low, high = min(ends), max(ends)
    span = max(high - low, 1.0)
    lines = "".join(_interval(one, names.get(one.model, one.model), low, span, words) for one in standings)
    scale = f"{words.number(low)} … {words.number(high)}"
    return f'<div style="font-size:.85rem;line-height:1.3;max-width:44rem">{lines}<div>{html.escape(scale)}</div></div>'


def _interval(one: Standing, name: str, low: float, span: float, words: Words) -> str:
    begin, end = (one.rating if value is None else value for value in (one.low, one.high))
    told = html.escape(f"{name}: {_rating(one, words)}", quote=True)
    left, width, point = (100 * share / span for share in (begin - low, end - begin, one.rating - low))
    bar = f"left:{left:.1f}%;width:{width:.1f}%;background:{OKABE_ITO['sky']}"
    dot = f"left:calc({point:.1f}% - .35rem);background:{OKABE_ITO['blue']}"
    return (
        f'<div role="img" aria-label="{told}" style="margin:.25rem 0"><div>{html.escape(name)}</div>'
        f'<div style="position:relative;height:.8rem;border-left:1px solid #8886;border-right:1px solid #8886">'
        f'<div style="position:absolute;top:.25rem;height:.3rem;{bar}"></div>'
        f'<div style="position:absolute;top:.05rem;width:.7rem;height:.7rem;border-radius:50%;{dot}"></div></div></div>'
    )


def _rating(one: Standing, words: Words) -> str:
    if one.low is None or one.high is None:
        return words.t("compare_vote.few", rating=one.rating)
    return words.t("compare_vote.rating", rating=one.rating, low=one.low, high=one.high)
