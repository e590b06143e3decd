"""The experiment as the course sheet tells it, step by step, ready to run again today. Values only; knows no interface.

What is byte for byte the sheet's is the rhyme and its question: the comptine.py it was made with is not among the
course documents. Two of its phrases can be read in two ways, and why a model of then wrote what is quoted is not
known: `readings` and `hypotheses` are cells to run, not answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from engine.comptine.cell import Cell

ASKED = Cell(verses=69, first=1, last=30)


@dataclass(frozen=True)
class Step:
    """One experiment of the sheet: `quote` is what it says, `readings` the cells that may be meant, by a stable name.

    `observed` is the answer that it reports, where it does; `hypotheses` are cells that would show a possible cause.
    """

    id: str
    quote: str
    readings: Mapping[str, Cell]
    observed: str = ""
    hypotheses: Mapping[str, Cell] = field(default_factory=dict)


def steps() -> tuple[Step, ...]:
    """The three experiments, in the sheet's order: 69 verses, the first hundred, 160."""
    hundred, many = replace(ASKED, verses=100), replace(ASKED, verses=160)
    small = replace(many, window=2048)
    return (
        Step("zero_shot", "expérience 0 : zero-shot", {"as_written": ASKED}, "réussit bien à"),
        Step(
            "first_hundred",
            "indication des 100 premiers",
            {"rhyme_of_hundred": hundred, "solved_example": replace(hundred, shots=1)},
            "à 14 : Marin devient marin ; à 28, apparition de mari ; répète tout le carnet ; ne répond pas à la"
            " question",
            {"names_drawn": replace(hundred, variant="names", seed=1), "sampled": replace(hundred, temperature=0.7)},
        ),
        Step(
            "limit",
            "avec 160 vers, ce qui semble être la limite en tokens pour ce modèle",
            {"window_2048": small, "window_4096": replace(many, window=4096)},
            QUOTED,
            {policy: replace(small, policy=policy) for policy in ("keep_end", "cut_middle", "rolling", "ollama")},
        ),
    )


QUOTED = (
    "Les nom de la premiere carte est Marin, la second carte Marina, la troisième carte Marinne et le quart carte"
    " Marinier. Les noms des deuxièmes cartes sont Marinelle, Marinien et Marinneur. La quatrième carte est Marinier et"
    " le fifth carte est mariner. L'sixième carte est mariniard, le septième carte est marinier, le huitième carte est"
    " mariner, le neuvième carte est marinier, le onzièm carte est mariner et la dizaine carte est marin."
)
