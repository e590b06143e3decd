"""Models side by side: one question to several, what it costs, blind votes, batches.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import at_first_use

if TYPE_CHECKING:
    from engine.compare.arena import Arena, Board, Vote
    from engine.compare.batch import BatchRun
    from engine.compare.batch_file import BatchFile
    from engine.compare.batch_job import submit as submit_batch
    from engine.compare.batch_plan import Batch, Check, grid
    from engine.compare.batch_results import lines_of, pivot
    from engine.compare.batch_table import read_table
    from engine.compare.blind import Blind
    from engine.compare.demo import Recording, recorded
    from engine.compare.diff import Piece, likeness, word_diff
    from engine.compare.export import csv_of, html_of, json_of, markdown_of
    from engine.compare.money import Cost, Electricity, Price, classroom, cost_of, total_of
    from engine.compare.pictures import SUGGESTED as PICTURE_MODELS
    from engine.compare.pictures import Look, Picture, PictureRun, zip_of
    from engine.compare.pictures import form as picture_form
    from engine.compare.price_table import ModelPrice
    from engine.compare.price_table import table as prices_shown
    from engine.compare.prices import Prices, price_of
    from engine.compare.ratings import Battle, rate
    from engine.compare.report import ComparisonReport
    from engine.compare.running import Comparison, Turn
    from engine.compare.side import Side, SideView
    from engine.compare.snippet import chain_snippet

__all__ = [
    "PICTURE_MODELS",
    "Arena",
    "Batch",
    "BatchFile",
    "BatchRun",
    "Battle",
    "Blind",
    "Board",
    "Check",
    "Comparison",
    "ComparisonReport",
    "Cost",
    "Electricity",
    "Look",
    "ModelPrice",
    "Picture",
    "PictureRun",
    "Piece",
    "Price",
    "Prices",
    "Recording",
    "Side",
    "SideView",
    "Turn",
    "Vote",
    "chain_snippet",
    "classroom",
    "cost_of",
    "csv_of",
    "grid",
    "html_of",
    "json_of",
    "likeness",
    "lines_of",
    "markdown_of",
    "picture_form",
    "pivot",
    "price_of",
    "prices_shown",
    "rate",
    "read_table",
    "recorded",
    "submit_batch",
    "total_of",
    "word_diff",
    "zip_of",
]

# A function that has the name of a module goes by a longer one: "longer:own".
_NAMES = {
    "arena": "Arena Board Vote",
    "batch": "BatchRun",
    "batch_file": "BatchFile",
    "batch_job": "submit_batch:submit",
    "batch_plan": "Batch Check grid",
    "batch_results": "lines_of pivot",
    "batch_table": "read_table",
    "blind": "Blind",
    "demo": "Recording recorded",
    "diff": "Piece likeness word_diff",
    "export": "csv_of html_of json_of markdown_of",
    "money": "Cost Electricity Price classroom cost_of total_of",
    "pictures": "PICTURE_MODELS:SUGGESTED Look Picture PictureRun picture_form:form zip_of",
    "price_table": "ModelPrice prices_shown:table",
    "prices": "Prices price_of",
    "ratings": "Battle rate",
    "report": "ComparisonReport",
    "running": "Comparison Turn",
    "side": "Side SideView",
    "snippet": "chain_snippet",
}
__getattr__ = at_first_use(__name__, _NAMES)
