"""How fast a model reads prompts and writes answers, measured as llama-bench does. A task for a job child.

llama-cpp-python's plain C functions; neither tokenizing nor sampling is timed. Each row has a context of its own, and a
warm-up that does not count.
"""

from __future__ import annotations

import ctypes
import random
import time
from collections import deque
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

from engine.errors import LoadFailed
from engine.native import require_native
from engine.quality.cards import card
from engine.quality.speed import DEFAULTS, Case, Plan, row
from engine.tasks import Progress

TASK = "engine.quality.stopwatch:measure"
# ggml_type of what a cache may hold
GGML_TYPES = {"f32": 0, "f16": 1, "q4_0": 2, "q4_1": 3, "q5_0": 6, "q5_1": 7, "q8_0": 8, "iq4_nl": 20, "bf16": 30}
LOG_ERROR = 4  # ggml_log_level


def measure(path: str, plan: Mapping[str, Any] | None = None) -> Generator[Progress, None, dict[str, Any]]:
    """`card`, and `rows` with llama-bench's keys, one for each case of the plan; progress in the time of a read token.

    Raises BadParameter, NativeMissing, LoadFailed.
    """
    chosen = Plan.from_dict(plan or {})
    require_native()
    cases, rows, done = chosen.cases(), list[dict[str, Any]](), 0
    total = sum(case.n_depth + (chosen.repetitions + 1) * case.cost for case in cases)
    yield Progress(0, total)
    told = card(Path(path), max(chosen.threads), plan=chosen.to_dict())
    with _model(path) as model:
        facts = _facts(model, told)
        for case in cases:
            samples = list[int]()
            for nanoseconds in _samples(path, model, case, chosen.repetitions):
                samples += [] if nanoseconds is None else [nanoseconds]
                done += case.cost + (case.n_depth if nanoseconds is None else 0)
                yield Progress(done, total)
            rows.append(row(facts, case, samples))
    return {"card": told, "rows": rows}


def _samples(path: str, model: Any, case: Case, repetitions: int) -> Iterator[int | None]:
    """None after the warm-up, then the nanoseconds of each repetition; all begin at the case's depth."""
    with _context(path, model, case) as context:
        run = _Run(path, model, context, case)
        run.once(min(case.n_gen, 1))
        run.to_depth(afresh=True)
        yield None
        for _ in range(repetitions):
            run.to_depth()
            started = time.perf_counter_ns()
            run.once(case.n_gen)
            yield time.perf_counter_ns() - started


class _Run:
    """One context that reads and writes random tokens, the same in every run."""

    def __init__(self, path: str, model: Any, context: Any, case: Case) -> None:
        import llama_cpp

        self._c: Any = llama_cpp
        self._path, self._case, self._context = path, case, context
        self._memory = llama_cpp.llama_get_memory(context)
        vocabulary = llama_cpp.llama_model_get_vocab(model)
        draw, words = random.Random(0), llama_cpp.llama_vocab_n_tokens(vocabulary)
        ids = [draw.randrange(words) for _ in range(max(case.n_depth, case.n_prompt, case.n_gen))]
        if llama_cpp.llama_vocab_get_add_bos(vocabulary):
            ids[0] = llama_cpp.llama_vocab_bos(vocabulary)
        self._ids = (llama_cpp.llama_token * len(ids))(*ids)

    def once(self, written: int) -> None:
        """Read the prompt, then write so many tokens."""
        self._read(self._case.n_prompt)
        for at in range(written):
            self._decode(at, 1)
            self._c.llama_synchronize(self._context)  # a real answer needs each token before the next
        self._c.llama_synchronize(self._context)

    def to_depth(self, *, afresh: bool = False) -> None:
        """Forget all but the first `n_depth` tokens. Models that cannot forget a part read them again."""
        depth = self._case.n_depth
        if not afresh and depth and self._c.llama_memory_seq_rm(self._memory, 0, depth, -1):
            return
        self._c.llama_memory_clear(self._memory, False)
        self._read(depth)
        self._c.llama_synchronize(self._context)

    def _read(self, count: int) -> None:
        for begin in range(0, count, self._case.n_batch):
            self._decode(begin, min(self._case.n_batch, count - begin))

    def _decode(self, begin: int, count: int) -> None:
        """Put `count` tokens behind what is there."""
        at = begin * ctypes.sizeof(self._c.llama_token)
        ids = (self._c.llama_token * count).from_buffer(self._ids, at)
        code = self._c.llama_decode(self._context, self._c.llama_batch_get_one(ids, count))
        if code != 0:
            raise LoadFailed(f"llama_decode gave {code}", model=self._path, reason=f"decode {code}")


def _log() -> tuple[Any, deque[str]]:
    """llama.cpp's log, taken over: what holds it, and its last errors. Other tasks of this process take it too."""
    import llama_cpp

    hear, errors = _ear()
    llama_cpp.llama_log_set(hear, None)
    return hear, errors


@cache
def _ear() -> tuple[Any, deque[str]]:
    """Made once: llama.cpp calls it as long as this process lives."""
    import llama_cpp

    errors: deque[str] = deque(maxlen=2)

    @llama_cpp.llama_log_callback  # type: ignore[untyped-decorator]
    def hear(level: int, text: bytes, _user_data: object) -> None:
        if level == LOG_ERROR:
            errors.append(text.decode("utf-8", "replace").strip())

    return hear, errors


@contextmanager
def _model(path: str) -> Iterator[Any]:
    """The weights, loaded as llama-bench loads them. Raises LoadFailed."""
    import llama_cpp

    _, errors = _log()
    params = llama_cpp.llama_model_default_params()
    params.n_gpu_layers = -1
    model = llama_cpp.llama_model_load_from_file(path.encode(), params)
    if not model:
        raise LoadFailed(f"llama.cpp cannot load {path}", model=path, reason=" ".join(errors) or "load")
    try:
        yield model
    finally:
        llama_cpp.llama_model_free(model)


@contextmanager
def _context(path: str, model: Any, case: Case) -> Iterator[Any]:
    """A context that just holds the case. Raises LoadFailed where there is no room."""
    import llama_cpp

    params = llama_cpp.llama_context_default_params()
    params.n_ctx = case.n_prompt + case.n_gen + case.n_depth
    params.n_batch, params.n_ubatch = case.n_batch, case.n_ubatch
    params.n_threads = params.n_threads_batch = case.n_threads
    params.type_k = params.type_v = GGML_TYPES[case.kv_type]
    params.swa_full = False
    context = llama_cpp.llama_init_from_model(model, params)
    if not context:
        reason = " ".join(_log()[1]) or "context"
        raise LoadFailed(f"no room for {case.name} with {path}", model=path, reason=reason)
    try:
        yield context
    finally:
        llama_cpp.llama_free(context)


def _facts(model: Any, told: Mapping[str, Any]) -> dict[str, Any]:
    """What all rows share. This build has a commit of ggml, and no number."""
    import llama_cpp

    described = ctypes.create_string_buffer(128)
    llama_cpp.llama_model_desc(model, described, len(described))
    return {
        **DEFAULTS,
        "build_commit": told["runtime"]["commit"] or "unknown",
        "build_number": 0,
        "cpu_info": told["cpu"],
        "gpu_info": "",
        "backends": _backends(),
        "model_filename": told["file"],
        "model_type": described.value.decode("utf-8", "replace"),
        "model_size": llama_cpp.llama_model_size(model),
        "model_n_params": llama_cpp.llama_model_n_params(model),
        "model_sha256": told["sha256"],
    }


def _backends() -> str:
    """The accelerators that ggml was built with, such as "CUDA"; "CPU" where there is none, or no telling."""
    from llama_cpp._ggml import libggml

    try:
        count, get, name = libggml.ggml_backend_reg_count, libggml.ggml_backend_reg_get, libggml.ggml_backend_reg_name
    except AttributeError:
        return "CPU"
    count.restype, get.restype, name.restype = ctypes.c_size_t, ctypes.c_void_p, ctypes.c_char_p
    get.argtypes, name.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    names = [name(get(at)).decode("ascii", "replace") for at in range(count())]
    return ",".join(one for one in names if one != "CPU") or "CPU"
