"""The surprise of every token of a text, read once with llama-cpp-python: a task for a job child. Knows no rhyme.

One pass in batches: of each batch's logits only one number a token is kept, so that a long text needs no more memory.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from typing import TYPE_CHECKING, Any

from engine.errors import LoadFailed
from engine.native import require_native
from engine.tasks import Progress

if TYPE_CHECKING:
    from llama_cpp import Llama

TASK = "engine.comptine.nats:nats"
BATCH = 128  # tokens whose logits are held at once: 25 MB with 49152 words


def nats(path: str, tokens: list[int], threads: int = 1) -> Generator[Progress, None, list[float | None]]:
    """-ln p of every token given all before it, None for the first; progress in tokens.

    Raises NativeMissing, LoadFailed.
    """
    require_native()
    model = _opened(path, len(tokens), threads)
    found: list[float | None] = [None]
    for start in range(0, len(tokens), BATCH):
        following = tokens[start + 1 : start + 1 + BATCH]
        found += _surprises(model, tokens[start : start + BATCH], start, following)
        yield Progress(min(start + BATCH, len(tokens)), len(tokens))
    model.close()
    return found


def _opened(path: str, context: int, threads: int) -> Llama:
    from llama_cpp import Llama

    try:
        return Llama(
            path, n_ctx=context, n_batch=BATCH, n_ubatch=BATCH, n_threads=threads, n_threads_batch=threads,
            n_gpu_layers=-1, flash_attn=True, verbose=False,
        )  # fmt: skip
    except (ValueError, OSError) as error:
        raise LoadFailed(f"llama.cpp cannot load {path}", model=path, reason=str(error)) from error


def _surprises(model: Llama, batch: Sequence[int], past: int, following: Sequence[int]) -> list[float]:
    """Of each following token, from the logits of the one before it."""
    import numpy as np

    inner: Any = model  # llama_cpp has no public call that gives logits batch by batch
    inner._batch.set_batch(batch=batch, n_past=past, logits_all=True)
    inner._ctx.decode(inner._batch)
    shape = (len(batch), model.n_vocab())
    logits = np.ctypeslib.as_array(inner._ctx.get_logits(), shape=shape)[: len(following)]
    top = logits.max(axis=1)
    total = top + np.log(np.exp(logits - top[:, None], dtype=np.float64).sum(axis=1))
    return [float(value) for value in total - logits[np.arange(len(following)), list(following)]]
