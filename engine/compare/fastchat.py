"""Votes as JSON lines in the shape of FastChat's arena, so that its own scripts read them, and back. No address of
anybody is among them. Knows no store.

Its log has a line a vote: `tstamp type models states`; a blind vote has empty `models`, and the names stand in the
states (fastchat/serve/monitor/clean_battle_data.py). The cleaned shape (`model_a model_b winner`) is read too.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from engine.compare.arena import Vote, clean_tag
from engine.compare.ratings import Winner
from engine.compare.selfnaming import names_itself
from engine.errors import BadFile

BYTES_MAX = 32 * 2**20
LINES_MAX = 50_000
TEXT_MAX = 20_000
NAME_MAX = 200
TYPES: Mapping[Winner, str] = {
    "left": "leftvote",
    "right": "rightvote",
    "tie": "tievote",
    "both_bad": "bothbad_vote",
}
_WINNERS: Mapping[str, Winner] = {
    **{name: winner for winner, name in TYPES.items()},
    "model_a": "left",
    "model_b": "right",
    "tie": "tie",
    "tie (bothbad)": "both_bad",
}
_OURS = re.compile(r"[0-9a-f]{32}")


def lines(votes: Iterable[Vote], *, texts: bool) -> Iterator[str]:
    """A JSON line of each vote, its end included. `judge` is a number of this export alone; without `texts`, question
    and answers are left out.
    """
    judges: dict[str, int] = {}
    for vote in votes:
        if vote.winner is None:
            continue
        judge = judges.setdefault(vote.owner, len(judges))
        yield _sound(json.dumps(_line(vote, vote.winner, judge, texts), ensure_ascii=False)) + "\n"


def _line(vote: Vote, winner: Winner, judge: int, texts: bool) -> dict[str, Any]:
    sides = zip((vote.left, vote.right), vote.answers, strict=True)
    blind = vote.problem != "not_blind"
    return {
        "tstamp": vote.voted,
        "type": TYPES[winner],
        "models": ["", ""] if blind else [vote.left, vote.right],
        "states": [_state(vote, model, answer, texts) for model, answer in sides],
        "judge": f"arena_user_{judge}",
        "tag": vote.tag,
        "counted": vote.counted,
    }


def _state(vote: Vote, model: str, answer: str, texts: bool) -> dict[str, Any]:
    said = [["user", vote.question], ["assistant", answer]] if texts else [["user", ""], ["assistant", ""]]
    return {
        "template_name": "atelier",
        "system_message": "",
        "roles": ["user", "assistant"],
        "messages": said,
        "offset": 0,
        "conv_id": vote.id,
        "model_name": model,
    }


def read(data: bytes, name: str) -> tuple[Vote, ...]:
    """The votes of a file; lines of other kinds (chats, shares) are left out. Raises BadFile naming the first line that
    is none.
    """
    if len(data) > BYTES_MAX:
        raise BadFile(f"{name}: more than {BYTES_MAX} bytes", path=name, reason="too_large")
    try:
        rows = data.decode("utf-8-sig").removesuffix("\n").split("\n")  # a text may hold U+2028, where a line goes on
    except UnicodeDecodeError as error:
        raise BadFile(f"{name} is not UTF-8: byte {error.start}", path=name, reason="not_utf8") from error
    if len(rows) > LINES_MAX:
        raise BadFile(f"{name}: more than {LINES_MAX} lines", path=name, reason="too_many")
    found = [vote for number, row in enumerate(rows, 1) if row.strip() and (vote := _read(row, name, number))]
    if not found:
        raise BadFile(f"{name} has no vote", path=name, reason="format")
    return tuple(found)


def _read(row: str, name: str, number: int) -> Vote | None:
    try:
        told = json.loads(row)
    except (ValueError, RecursionError) as error:
        raise BadFile(f"{name}, line {number}: not JSON", path=name, reason="json", line=number) from error
    try:
        winner = _WINNERS.get(told.get("type", told.get("winner")))
        return None if winner is None else _vote(told, winner, row)
    except (ArithmeticError, LookupError, AttributeError, RecursionError, TypeError, ValueError) as error:
        raise BadFile(f"{name}, line {number}: no vote", path=name, reason="format", line=number) from error


def _vote(told: Mapping[str, Any], winner: Winner, row: str) -> Vote:
    when = float(told["tstamp"])
    if not math.isfinite(when) or not 0 <= when < 1e11:
        raise ValueError("no time")
    left, right, blind = _names(told)
    question, answers = _texts(told)
    known = any(names_itself(answer, (left, right)) for answer in answers)
    problem = "not_blind" if not blind else "names_itself" if known or told.get("counted") is False else None
    return Vote(_id(told, row), left, right, winner, clean_tag(str(told.get("tag") or "")), problem, question, answers,
                when, when)  # fmt: skip


def _names(told: Mapping[str, Any]) -> tuple[str, str, bool]:
    """Left, right, and whether the voter did not know them."""
    if "model_a" in told:
        return _name(told["model_a"]), _name(told["model_b"]), told.get("anony", True) is True
    public = [str(name or "") for name in told["models"]]
    blind = public[0] in ("", "Model A")
    names = [state.get("model_name") for state in _states(told)] if blind else public
    return _name(names[0]), _name(names[1]), blind


def _states(told: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    return told.get("states") or ({}, {})


def _name(value: Any) -> str:
    if not isinstance(value, str) or not value.strip() or not value.isprintable():
        raise ValueError("no name")
    return value.strip()[:NAME_MAX]


def _texts(told: Mapping[str, Any]) -> tuple[str, tuple[str, str]]:
    """The last question and both answers, empty where they are not told."""
    left, right = (_said(told, place) for place in (0, 1))
    return left[0] or right[0], (left[1], right[1])


def _said(told: Mapping[str, Any], place: int) -> tuple[str, str]:
    if "model_a" in told:
        turns = told.get(("conversation_a", "conversation_b")[place]) or ()
        said = [str(turn["content"]) for turn in turns]
    else:
        said = [str(turn[1] or "") for turn in _states(told)[place].get("messages") or ()]
    question, answer = (said[-2], said[-1]) if len(said) > 1 else ("", "")
    return _sound(question[:TEXT_MAX]), _sound(answer[:TEXT_MAX])


def _sound(text: str) -> str:
    """The text with "?" for each half of a sign, which no file can hold."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _id(told: Mapping[str, Any], row: str) -> str:
    """The vote's own where it is one of ours, else one made from the line: twice the same file counts once."""
    state = _states(told)[0]
    own = state.get("conv_id")
    if isinstance(own, str) and _OURS.fullmatch(own) and state.get("template_name") == "atelier":
        return own
    return hashlib.sha256(row.strip().encode("utf-8", "replace")).hexdigest()[:32]
