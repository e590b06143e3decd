"""`rag ask`: a question answered from collections, with numbered sources; passages first, then the answer as it comes.

Knows no search and no prompt.
"""

from __future__ import annotations

import argparse
import sys
from typing import TYPE_CHECKING, Any

from engine.cli.asking import (
    add_model_arguments,
    add_param_arguments,
    add_policy_argument,
    chosen,
    params_of,
    question_of,
)
from engine.cli.rag_flags import collection_flags, collections_of, retrieval_flags, retrieval_of
from engine.errors import BadInput
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.cli.output import Output
    from engine.engine import Engine
    from engine.rag.answering import Answering
    from engine.rag.grounding import Grounding

HELP = "answer a question from collections, with citations"
INTERRUPTED = 130
# As in engine.rag.grounding, whose import takes longer than --help may
MODES = ("documents_only", "documents_and_model", "retrieval_only", "whole_document", "summary")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The question, where to look, how to answer."""
    parser.add_argument("question", nargs="?", help="what to ask; - reads standard input")
    collection_flags(parser)
    parser.add_argument("--mode", choices=MODES, default="documents_only", help="default documents_only")
    parser.add_argument("--language", choices=("fr", "en"), help="of the prompt, where the question does not tell")
    retrieval_flags(parser)
    add_model_arguments(parser)
    add_param_arguments(parser)
    add_policy_argument(parser)


def run(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, or 130 when interrupted. Raises the error of a failed answer after what came of it was written."""
    from contextlib import closing

    from engine.engine import Engine

    question = question_of(arguments.question)
    if not question.strip():
        raise BadInput("nothing was asked")
    with closing(Engine()) as engine:
        answering = _asked(engine, arguments, question)
        interrupted = _follow(answering, out)
        answered = answering.answered
    if out.as_json:
        out.json(answered.to_dict())
    elif answered.refused and not answered.grounding.asked:
        sys.stderr.write("0 passages\n")
    if answered.result.error:
        raise answered.result.error
    return INTERRUPTED if interrupted else 0


def _asked(engine: Engine, arguments: argparse.Namespace, question: str) -> Answering:
    from engine.rag.answering import answer

    found = collections_of(engine, arguments.collection)
    return answer(
        engine, LOCAL_OWNER, [one.id for one in found], question, model=chosen(engine, arguments),
        params=params_of(arguments), retrieval=retrieval_of(engine, found, arguments), mode=arguments.mode,
        language=arguments.language, policy=arguments.policy, virtual_window=arguments.virtual_window,
    )  # fmt: skip


def _follow(answering: Answering, out: Output) -> bool:
    """Whether Ctrl-C ended it; the sources go to stderr, the answer to stdout as it comes."""
    from engine.rag.answering import Grounded
    from engine.types import TextDelta

    interrupted = False
    try:
        for event in answering:
            if isinstance(event, Grounded):
                _tell(event.grounding)
            elif isinstance(event, TextDelta) and not out.as_json:
                out.text(event.text)
    except KeyboardInterrupt:
        answering.stop()
        interrupted = True
        if answering.grounding is None:
            raise
    if not out.as_json:
        out.line()
    return interrupted


def _tell(grounding: Grounding) -> None:
    """What was found, on standard error: the answer alone belongs on standard output."""
    lines = [
        f"[{one.number}] {one.place}  {_scores(one.passage.scores)}{_marks(one.warnings)}" for one in grounding.sources
    ]
    lines += [f"[-] {one.place}: no room" for one in grounding.left_out]
    if grounding.query != grounding.question:
        lines.insert(0, f"searched: {grounding.query}")
    if lines:
        from engine.cli.output import harmless

        sys.stderr.write(harmless("\n".join(lines) + "\n\n"))


def _scores(scores: Any) -> str:
    return "  ".join(f"{name} {value:.3f}" for name, value in scores.items())


def _marks(warnings: tuple[str, ...]) -> str:
    return f"  ! {', '.join(warnings)}" if warnings else ""
