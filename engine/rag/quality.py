"""How good a model's answers from documents are: token F1, exact match, right citations, right refusals.

Knows no interface. A model answers in sentences and a question set in a few words, so that F1 stays far below 1 also
where all is right: it compares configurations and models with each other.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from engine.errors import BadInput
from engine.params import Params
from engine.rag.citations import correctness, unmarked
from engine.rag.metrics import exact_match, token_f1
from engine.rag.questions import KINDS, Kind, Question, QuestionSet
from engine.rag.values import Retrieval, Splitting
from engine.statistics import Interval, bootstrap, wilson

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model
    from engine.rag.collections import Collection
    from engine.rag.evaluation import Configuration


@dataclass(frozen=True)
class Answer:
    """One answer. `f1` and `exact`, 0 to 1, are of the text without its marks; `cited_right` is the share of the cited
    passages that hold an expected answer (None where nothing is cited), `found_cited` the share of the passages with
    one that are cited (None where none was found).
    """

    question: str
    kind: Kind
    text: str
    f1: float
    exact: float
    cited_right: float | None
    found_cited: float | None
    refused: bool


def spread(questions: Sequence[Question], number: int) -> tuple[Question, ...]:
    """So many of the questions, from all over the set. Raises BadInput without any."""
    if not questions or number < 1:
        raise BadInput("no question to answer", reason="no_questions")
    number = min(number, len(questions))
    return tuple(questions[place * len(questions) // number] for place in range(number))


@contextmanager
def brought(
    engine: Engine, owner: str, asked: QuestionSet, embedder: str, splitting: Splitting | None
) -> Iterator[Collection]:
    """The set's own documents as a collection that is gone afterwards, indexed in this process."""
    from engine.rag.indexing import temporary
    from engine.rag.sources import pasted

    with temporary(engine, owner, [pasted(one.name, one.text) for one in asked.sources], embedder, splitting) as made:
        yield made


def answers(
    engine: Engine, owner: str, collection: str, questions: Sequence[Question], *, model: Model | None = None,
    retrieval: Retrieval | None = None, params: Params | None = None, interactive: bool = True,
) -> Iterator[Answer]:  # fmt: skip
    """The answer to each question from that collection (id), as it comes; persons go before them where they are not
    `interactive`. Raises what a search and a model raise.
    """
    from engine.rag.answering import answer

    for asked in questions:
        work = answer(engine, owner, collection, asked.text, model=model, retrieval=retrieval, params=params,
                      interactive=interactive)  # fmt: skip
        for _ in work:
            pass
        told = work.answered
        if told.result.error:
            raise told.result.error
        right = correctness(told.citations, told.grounding, lambda text, asked=asked: _holds(text, asked))  # type: ignore[misc]
        text = unmarked(told.text)
        yield Answer(asked.id, asked.kind, told.text, token_f1(text, asked.answers), exact_match(text, asked.answers),
                     right.precision, right.recall, told.refused)  # fmt: skip


def judged(
    engine: Engine, owner: str, model: Model, asked: QuestionSet, how: Configuration, number: int,
    collection: str | None = None,
) -> Iterator[dict[str, Any]]:  # fmt: skip
    """`quality` of the answers so far, after each of so many of the questions: from that collection (id), else from the
    set's own documents. Persons go before. Raises what `answers` raises.
    """
    found = []
    with ExitStack() as stack:
        made = None if collection else stack.enter_context(brought(engine, owner, asked, how.embedder, how.splitting))
        for one in answers(engine, owner, made.id if made else collection or "", spread(asked.questions, number),
                           model=model, retrieval=how.retrieval, interactive=False):  # fmt: skip
            found.append(one)
            yield quality(found)


def _holds(text: str, asked: Question) -> bool:
    return any(_flat(one) in _flat(text) for one in asked.answers)


def _flat(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip().casefold()


def quality(found: Sequence[Answer]) -> dict[str, Any]:
    """Means with their intervals, ready for JSON: F1, exact match and citations over the questions that have an answer,
    where a refusal counts 0, and the share refused of each kind. What nothing was measured of is absent.
    """
    right = [one for one in found if one.kind == "answerable"]
    told: dict[str, Interval] = {}
    if right:
        told["f1"] = bootstrap([one.f1 for one in right])
        told["exact"] = wilson(int(sum(one.exact for one in right)), len(right))
    for name in ("cited_right", "found_cited"):
        values = [value for one in right if (value := getattr(one, name)) is not None]
        if values:
            told[name] = bootstrap(values)
    for kind in KINDS:
        refused = [one.refused for one in found if one.kind == kind]
        if refused:
            told[f"refused_{kind}"] = wilson(sum(refused), len(refused))
    return {
        "metrics": {name: value.value for name, value in told.items()},
        "intervals": {name: value.to_dict() for name, value in told.items()},
        "answers": [asdict(one) for one in found],
    }
