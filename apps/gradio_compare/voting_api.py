"""The named endpoints of blind votes and prices: /arena_pair, /arena_vote, /arena_board, /prices. Knows no widget.

Annotations are real here, not postponed: Gradio makes each endpoint's schema from them.
"""

from typing import Any

import gradio as gr

from apps.gradio_kit import Ui, guard
from apps.ui.compare_prices import group_of
from engine.compare import price_table
from engine.compare.blind import Blind
from engine.errors import BadInput, EngineError
from engine.person import Person

NAMES = {"arena_pair": "pair", "arena_vote": "vote", "arena_board": "board", "prices": "prices"}
PAIR_S = 600.0


def add(ui: Ui) -> None:
    """Add the endpoints to the `gr.Blocks` under construction."""
    endpoints = VotingEndpoints(ui)
    for name, method in NAMES.items():
        gr.api(getattr(endpoints, method), api_name=name, api_description=ui.t(f"gradio.api.{name}"))


class VotingEndpoints:
    """What the endpoints do, in one language; errors come back as a sentence and a code."""

    def __init__(self, ui: Ui) -> None:
        self._ui = ui

    def pair(self, question: str, tag: str = "", request: gr.Request | None = None) -> dict[str, Any]:
        try:
            blind = Blind(self._ui.engine, self._person(request), str(question), tag=str(tag))
            if not blind.wait(PAIR_S):
                blind.stop()
                blind.wait()
            look = blind.look()
            return {"token": look.token, "left": look.left, "right": look.right, "failed": look.failed}
        except EngineError as error:
            raise guard(self._ui, error) from error

    def vote(self, token: str, vote: str, request: gr.Request | None = None) -> dict[str, Any]:
        try:
            return self._ui.engine.arena.vote(self._person(request).id, str(token), str(vote)).to_dict()
        except EngineError as error:
            raise guard(self._ui, error) from error

    def board(self, tag: str = "", request: gr.Request | None = None) -> dict[str, Any]:
        try:
            self._person(request)
            return self._ui.engine.arena.board(str(tag) or None).to_dict()
        except EngineError as error:
            raise guard(self._ui, error) from error

    def prices(
        self, model: str = "", group: dict[str, int] | None = None, request: gr.Request | None = None
    ) -> list[dict[str, Any]]:
        try:
            self._person(request)
            own, asked = self._ui.engine.prices.own(), _group(group or {})
            rows = (price_table.row(str(model), own),) if model else price_table.table(own)
            return [{**row.to_dict(), "class": asked.cost(row.price)} for row in rows]
        except EngineError as error:
            raise guard(self._ui, error) from error

    def _person(self, request: gr.Request | None) -> Person:
        if request is None:
            raise BadInput("no request")
        return self._ui.person(request)


def _group(given: dict[str, Any]) -> price_table.Class:
    try:
        return group_of(given)
    except (AttributeError, OverflowError, TypeError, ValueError) as error:
        raise BadInput("group has whole numbers: students, questions, tokens_in, tokens_out", what="group") from error
