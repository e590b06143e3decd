"""The context-window experiment of the course sheet: a numbered rhyme grows until the model loses it.

Its public names, each imported at first use. Knows no interface.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import at_first_use

if TYPE_CHECKING:
    from engine.comptine.behaviours import BEHAVIOURS
    from engine.comptine.cell import Cell, CellResult
    from engine.comptine.chart_data import to_csv
    from engine.comptine.charts import accuracy, first_token, heat_map, strips, survival, to_png, to_svg, token_counts
    from engine.comptine.ends import ends as window_ends
    from engine.comptine.grid import Sweep
    from engine.comptine.guided import steps
    from engine.comptine.perplexity import perplexity as surprise
    from engine.comptine.question import Prompt, Question, prompt
    from engine.comptine.rhyme import Rhyme
    from engine.comptine.rhyme import rhyme as make_rhyme
    from engine.comptine.runfile import open_engine, record, replay
    from engine.comptine.running import CellRun, prepare, run
    from engine.comptine.score import Score, marks
    from engine.comptine.score import score as score_answer
    from engine.comptine.summary import compare
    from engine.comptine.summary import summary as summarize
    from engine.comptine.sweep import SweepRun
    from engine.comptine.sweepfile import SweepFile
    from engine.comptine.tokens import Tokens, count

__all__ = [
    "BEHAVIOURS",
    "Cell",
    "CellResult",
    "CellRun",
    "Prompt",
    "Question",
    "Rhyme",
    "Score",
    "Sweep",
    "SweepFile",
    "SweepRun",
    "Tokens",
    "accuracy",
    "compare",
    "count",
    "first_token",
    "heat_map",
    "make_rhyme",
    "marks",
    "open_engine",
    "prepare",
    "prompt",
    "record",
    "replay",
    "run",
    "score_answer",
    "steps",
    "strips",
    "summarize",
    "surprise",
    "survival",
    "to_csv",
    "to_png",
    "to_svg",
    "token_counts",
    "window_ends",
]

# `rhyme`, `score`, `ends` and `perplexity` are the names of modules, so their functions go by longer ones.
_NAMES = {
    "behaviours": "BEHAVIOURS",
    "cell": "Cell CellResult",
    "chart_data": "to_csv",
    "charts": "accuracy first_token heat_map strips survival to_png to_svg token_counts",
    "ends": "window_ends:ends",
    "grid": "Sweep",
    "guided": "steps",
    "perplexity": "surprise:perplexity",
    "question": "Prompt Question prompt",
    "rhyme": "Rhyme make_rhyme:rhyme",
    "runfile": "open_engine record replay",
    "running": "CellRun prepare run",
    "score": "Score marks score_answer:score",
    "summary": "compare summarize:summary",
    "sweep": "SweepRun",
    "sweepfile": "SweepFile",
    "tokens": "Tokens count",
}
__getattr__ = at_first_use(__name__, _NAMES)
