"""What the page asks the model for, piece by piece with progress: each piece is kept before the next one begins.

A click or a moved slider ends the run between two pieces; the next run goes on with what is still wanted.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import streamlit as st

from apps.streamlit_sampling.desk import Desk
from apps.ui.strips import Choice
from engine.errors import EngineError, NotFound
from engine.sampling import Exploration, grown
from engine.sampling.moments import ALTERNATIVES, reading
from engine.types import Message

TOKENS = 10  # of the button that runs on


def working(desk: Desk) -> None:
    """The place where the work shows its progress and its failure; whatever comes, the rest stays where it is."""
    with st.container():
        work(desk)
        desk.show_failure()


def work(desk: Desk) -> None:
    """Do what is wanted; what goes wrong is kept as a sentence, and nothing that was explored is lost."""
    wanted = desk.get("wanted")
    if wanted is None:
        return
    kind, what = wanted
    place = st.empty()
    try:
        _WORK[kind](desk, what, place)
    except EngineError as error:
        desk.failed(error)
    else:
        desk.set("wanted", None)
    place.empty()


def _look(desk: Desk, what: Mapping[str, Any], place: Any) -> None:
    """Begin anew with a text."""
    place.progress(0.0, desk.ui.t("sampling.reading"))
    known, model = desk.open(), desk.ui.model
    text = str(what["text"])
    if what["way"] == "chat":
        ids = model.render(model.request([Message("user", text)])).tokens
    else:
        ids = known.lens.tokens(text)
    for done in reading(known.lens, desk.visitor, ids):
        place.progress(done / len(ids), desk.ui.t("sampling.reading"))
    desk.keep(Exploration(text, tuple(ids), desk.ui.card.id, known.runtime))


def _run(desk: Desk, what: Mapping[str, Any], place: Any) -> None:
    """Some tokens, each hit by its dart; the text's end ends it."""
    total = int(what["tokens"])
    for left in range(int(what["left"]), 0, -1):
        place.progress(1 - left / total, desk.ui.t("sampling.running", done=total - left + 1, total=total))
        token = _grow(desk, None)
        desk.set("wanted", ("run", {"tokens": total, "left": left - 1}))
        if token in desk.open().vocabulary.ends:
            return


def _take(desk: Desk, what: Mapping[str, Any], place: Any) -> None:
    """One token that somebody chose by hand."""
    place.progress(0.0, desk.ui.t("sampling.reading"))
    _grow(desk, int(what["token"]))


def _instead(desk: Desk, what: Mapping[str, Any], place: Any) -> None:
    """Another token at a place of the answer: a branch begins there."""
    place.progress(0.0, desk.ui.t("sampling.reading"))
    exploration, choice = desk.exploration, what["choice"]
    assert exploration is not None and isinstance(choice, Choice)
    parent = exploration.path()[choice.position].parent
    token = _named(desk, replace(exploration, at=parent), choice.text)
    desk.keep(exploration.choose(parent))
    _grow(desk, token)


def _named(desk: Desk, exploration: Exploration, text: str) -> int:
    """The likely token there that is shown so."""
    known = desk.open()
    logits = known.lens.logits(desk.visitor, (*exploration.ids, *exploration.written))
    best = np.argpartition(-logits, ALTERNATIVES)[:ALTERNATIVES]
    found = next((int(token) for token in best if known.vocabulary.shown(int(token)) == text), None)
    if found is None:
        raise NotFound("this token is not among the likely ones", what="token", key=text)
    return found


def _grow(desk: Desk, token: int | None) -> int:
    known, exploration = desk.open(), desk.exploration
    assert exploration is not None
    further = grown(exploration, desk.moment(), known.vocabulary, desk.recipe, token)
    desk.keep(further)
    return further.written[-1]


_WORK: Mapping[str, Callable[[Desk, Mapping[str, Any], Any], None]] = {
    "look": _look,
    "run": _run,
    "take": _take,
    "instead": _instead,
}
