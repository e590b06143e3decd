"""Looking into local models: full-vocabulary logits from a worker process per model file, which may die at any moment.

Knows no sampler and no page. llama-cpp-python kills its process when two threads use one model, so one asks at a time.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine import child
from engine.errors import EngineError, NotSupported, RuntimeDied, TimedOut
from engine.models.gguf_header import read_header
from engine.native import require_native
from engine.sampling.grammar import notation
from engine.sampling.microscope_life import Worker
from engine.sampling.penalties import Breakers, dry_breakers
from engine.sampling.words import Vocabulary
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.model import Model
    from engine.output import Output

LENSES = 2  # models whose workers live at once
RECENT_BYTES = 32 * 2**20  # of logits that are kept here: a page that is drawn again asks nobody
MASK_S = 60.0  # a grammar that takes longer than this over one token ends the worker


@dataclass(frozen=True)
class Look:
    """Logits of the token after a text, float32, one for each word of the vocabulary, read-only. Of the text's tokens
    `read` were evaluated for it, 0 where it had been asked before.
    """

    logits: NDArray[np.float32]
    read: int


class Microscope:
    """The lenses of one process; they end with it. Thread safe."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._lenses: OrderedDict[tuple[Path, int], Lens] = OrderedDict()
        self._launcher = child.Launcher()
        self._lock = threading.Lock()

    def open(self, path: Path, window: int) -> Lens:
        """The lens on this file, the same object each time; loads nothing yet. `window` in tokens.

        Where there are more than two, those opened longest ago give their idle workers back until they are used again.
        """
        key = path, window
        with self._lock:
            lens = self._lenses.setdefault(key, Lens(path, window, self._settings, self._launcher))
            self._lenses.move_to_end(key)
            others = list(self._lenses.values())[:-LENSES]
        for other in others:
            other.rest()
        return lens

    def forget(self, visitor: str) -> None:
        """Remove what the workers keep of that visitor."""
        for lens in list(self._lenses.values()):
            lens.forget(visitor)

    def clear(self) -> None:
        """Remove what is kept of everybody; what is being read is cut off."""
        for lens in list(self._lenses.values()):
            lens.clear()

    def close(self) -> None:
        """End every worker."""
        for lens in list(self._lenses.values()):
            lens.close()
        self._launcher.close()


class Lens:
    """One model file seen from inside. Its worker starts at the first question and again after its death.

    Raises NativeMissing, LoadFailed, ModelFileCorrupt, BadFile; RuntimeDied once for a worker that died meanwhile.
    """

    def __init__(self, path: Path, window: int, settings: Settings, launcher: child.Launcher) -> None:
        self.path = path
        self.window = window
        self._settings = settings
        self._launcher = launcher
        self._worker: Worker | None = None
        self._lock = threading.Lock()
        self._recent: OrderedDict[tuple[int, ...], NDArray[np.float32]] = OrderedDict()
        self._closed = False

    @property
    def vocabulary(self) -> Vocabulary:
        """The model's words."""
        with self._lock:
            return self._alive().vocabulary

    @property
    def runtime(self) -> str:
        """Where its numbers come from: package, version and kind of processor. Two builds of llama.cpp differ in the
        second or third digit of a probability.
        """
        with self._lock:
            return self._alive().runtime

    @cached_property
    def breakers(self) -> Breakers:
        """The tokens at which DRY stops to look for repetitions, llama.cpp's own ones."""
        return dry_breakers(self.vocabulary.pieces, lambda word: self.tokens(word.decode(), special=False))

    @property
    def pid(self) -> int | None:
        """The worker's process id while it lives."""
        worker = self._worker
        return worker.pid if worker is not None and worker.lives else None

    def tokens(self, text: str, *, special: bool = True) -> tuple[int, ...]:
        """The text's tokens as the model's server would read them; `special` puts the sign that begins a text first."""
        order = {"do": "tokenize", "text": text.encode("utf-8", "replace").decode(), "special": special}
        return tuple(self._ask(order)[0]["ids"])

    def look(self, visitor: str, ids: Sequence[int]) -> Look:
        """What may come after these tokens; what that visitor has read before is not read again.

        Raises PromptTooLong with the numbers, BadInput for no tokens.
        """
        key = tuple(ids)
        with self._lock:
            if (known := self._recent.get(key)) is not None:
                self._recent.move_to_end(key)
                return Look(known, 0)
            told, data = self._asked({"do": "read", "visitor": visitor, "ids": key})
            logits = np.frombuffer(data, np.float32)
            self._recent[key] = logits
            while len(self._recent) > 1 and len(self._recent) * len(data) > RECENT_BYTES:
                self._recent.popitem(last=False)
        return Look(logits, told["read"])

    def logits(self, visitor: str, ids: Sequence[int]) -> NDArray[np.float32]:
        """The logits of `look` alone."""
        return self.look(visitor, ids).logits

    def allowed(self, form: Output, answer: Sequence[int] = ()) -> NDArray[np.bool_]:
        """For each word whether a grammar or JSON schema lets it follow `answer`, what has been written so far.

        Raises BadGrammar, BadInput where the answer breaks it already (`place`), TimedOut.
        """
        order = {"do": "mask", "grammar": notation(form), "ids": tuple(answer)}
        return np.frombuffer(self._ask(order, MASK_S)[1], np.bool_)

    def forget(self, visitor: str) -> None:
        """Remove what the worker keeps of that visitor; starts none for it."""
        if self.pid is not None:
            self._ask({"do": "forget", "visitor": visitor})

    def rest(self) -> bool:
        """End the worker unless it is at work; the next question starts another. Whether it rests."""
        if not self._lock.acquire(blocking=False):
            return False
        try:
            self._end()
        finally:
            self._lock.release()
        return True

    def close(self) -> None:
        """End the worker for good, also one that is at work."""
        self._closed = True
        self.clear()

    def clear(self) -> None:
        """End the worker, also one that is at work, and forget every text."""
        if (worker := self._worker) is not None:
            worker.kill()
        with self._lock:
            self._end()
            self._recent.clear()

    def _ask(self, order: dict[str, Any], limit_s: float | None = None) -> tuple[dict[str, Any], bytes]:
        with self._lock:
            return self._asked(order, limit_s)

    def _asked(self, order: dict[str, Any], limit_s: float | None = None) -> tuple[dict[str, Any], bytes]:
        """Under the lock. Whatever ends badly between us and the worker ends the worker."""
        worker = self._alive()
        try:
            return worker.ask(order, limit_s)
        except (RuntimeDied, TimedOut):
            self._end()
            raise

    def _alive(self) -> Worker:
        if self._closed:
            raise RuntimeDied("the program is ending", model=self.path.stem, exit_code=None)
        if self._worker is None:
            require_native()
            read_header(self.path)  # llama.cpp trusts more of a damaged file than we do
            worker = Worker(self.path.stem, self._launcher)
            try:
                worker.open(self._opening())
            except EngineError:
                worker.kill()
                raise
            self._worker = worker
        return self._worker

    def _opening(self) -> dict[str, Any]:
        settings = self._settings
        return {
            "nice": settings.job_nice,
            "path": str(self.path),
            "window": self.window,
            "threads": settings.threads,
            "budget": settings.microscope_mb * 2**20,
        }

    def _end(self) -> None:
        worker, self._worker = self._worker, None
        if worker is not None:
            worker.kill()


def lens_of(engine: Engine, model: Model | None = None) -> Lens:
    """The lens on the very file that a local model answers from, on the default one's without `model`.

    Raises NotSupported for every other kind of model; see `engine.sampling.top_n` for those.
    """
    from engine.backends.llamacpp import LlamaCpp

    model = model or engine.model()
    if not isinstance(model.backend, LlamaCpp):
        raise NotSupported(f"{model.card.id} is not a file here", capability="logits", backend=model.backend.name)
    load = model.backend.runtime.load or engine.load_params(model.card)
    return engine.microscope.open(Path(load.path), load.context)
