"""What samplers do to the next token, stage by stage: arithmetic on arrays, and a microscope for models.

Its public names, each imported at first use.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from engine.lazy import at_first_use

if TYPE_CHECKING:
    from engine.sampling.chain import HUGGING_FACE_ORDER, LLAMA_ORDER, Kind, Stage, Step, chain_of, run_chain
    from engine.sampling.draw import Dart, chi_square, dart, draws, u_of, xtc_draw
    from engine.sampling.exploration import Exploration, Node
    from engine.sampling.microscope import Lens, Microscope, lens_of
    from engine.sampling.mirostat import next_mu
    from engine.sampling.moments import Comparison, Moment, Recipe, Sample, compare, grid, grown, judged, moment
    from engine.sampling.moments import run as run_steps
    from engine.sampling.penalties import DRY_BREAKERS, dry_breakers, offset
    from engine.sampling.samplers import entropy, softmax
    from engine.sampling.top_n import Candidate, TopN, remote, served
    from engine.sampling.words import Vocabulary

__all__ = [
    "DRY_BREAKERS",
    "HUGGING_FACE_ORDER",
    "LLAMA_ORDER",
    "Candidate",
    "Comparison",
    "Dart",
    "Exploration",
    "Kind",
    "Lens",
    "Microscope",
    "Moment",
    "Node",
    "Recipe",
    "Sample",
    "Stage",
    "Step",
    "TopN",
    "Vocabulary",
    "chain_of",
    "chi_square",
    "compare",
    "dart",
    "draws",
    "dry_breakers",
    "entropy",
    "grid",
    "grown",
    "judged",
    "lens_of",
    "moment",
    "next_mu",
    "offset",
    "remote",
    "run_chain",
    "run_steps",
    "served",
    "softmax",
    "u_of",
    "xtc_draw",
]

_NAMES = {
    "chain": "HUGGING_FACE_ORDER LLAMA_ORDER Kind Stage Step chain_of run_chain",
    "draw": "Dart chi_square dart draws u_of xtc_draw",
    "exploration": "Exploration Node",
    "microscope": "Lens Microscope lens_of",
    "mirostat": "next_mu",
    "moments": "Comparison Moment Recipe Sample compare grid grown judged moment run_steps:run",
    "penalties": "DRY_BREAKERS dry_breakers offset",
    "samplers": "entropy softmax",
    "top_n": "Candidate TopN remote served",
    "words": "Vocabulary",
}
__getattr__ = at_first_use(__name__, _NAMES)
