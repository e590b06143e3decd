"""The next token's logits after any text, from one llama.cpp context: for a child process alone. Knows no pipe.

What has been read stays: the text of the visitor who is being served in the context itself, those of others as saved
states, the least recently used out. One more token costs one decode. Only the last token's logits are ever computed.
"""

from __future__ import annotations

import ctypes
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadInput, LoadFailed, PromptTooLong, ServerFailed

BATCH = 128  # tokens of one evaluation
LOG_ERROR = 4  # ggml_log_level
ERRORS = 20  # that are kept


@dataclass(frozen=True)
class State:
    """A text as the model has read it: its tokens, and the context's memory of them."""

    ids: tuple[int, ...]
    data: ctypes.Array[ctypes.c_uint8]


@dataclass(frozen=True)
class Reading:
    """Logits of the token after a text (float32, one for each word of the vocabulary); `read` tokens of it were
    evaluated for that, the other ones had been before.
    """

    logits: NDArray[np.float32]
    read: int


class Reader:
    """One model file, one context of `window` tokens, saved states of at most `budget` bytes. Not thread safe.

    Raises LoadFailed.
    """

    def __init__(self, path: Path, window: int, threads: int, budget: int) -> None:
        self.window = window
        self._budget = budget
        self._states: OrderedDict[str, State] = OrderedDict()
        self._visitor: str | None = None
        self._now: tuple[int, ...] = ()
        self._open(path, threads)

    def read(self, visitor: str, ids: Sequence[int]) -> Reading:
        """The logits after these tokens. Raises PromptTooLong, BadInput for no token or one that does not exist."""
        wanted = tuple(ids)
        self._check(wanted)
        own = self._states.pop(visitor, None)  # the context will know better
        if visitor != self._visitor:
            self._keep()
            self._visitor = visitor
        kept = self._restore(wanted, own)
        self._evaluate(wanted, kept)
        return Reading(self._logits(), len(wanted) - kept)

    def forget(self, visitor: str) -> None:
        """Remove what was kept of that visitor."""
        self._states.pop(visitor, None)
        if visitor == self._visitor:
            self._clear()

    @property
    def kept(self) -> int:
        """Bytes of all saved states."""
        return sum(len(state.data) for state in self._states.values())

    def _open(self, path: Path, threads: int) -> None:
        import llama_cpp

        self._lib: Any = llama_cpp
        lib = self._lib
        self._errors: list[str] = []
        self._hear = lib.llama_log_callback(self._listen)  # must live as long as the model
        lib.llama_log_set(self._hear, None)
        self._model = lib.llama_model_load_from_file(str(path).encode(), _model_params(lib))
        self._context = self._model and lib.llama_init_from_model(self._model, self._context_params(threads))
        if not self._context:
            reason = " ".join((self._errors or ["llama.cpp tells no reason"])[0].split())
            raise LoadFailed(f"llama.cpp cannot load {path}: {reason}", model=path.name, reason=reason)
        self._memory = lib.llama_get_memory(self._context)
        self.vocabulary = lib.llama_model_get_vocab(self._model)
        self.words = int(lib.llama_vocab_n_tokens(self.vocabulary))

    def _listen(self, level: int, text: bytes, _user_data: object) -> None:
        if level == LOG_ERROR and len(self._errors) < ERRORS:
            self._errors.append(text.decode("utf-8", "replace"))

    def _context_params(self, threads: int) -> Any:
        params = self._lib.llama_context_default_params()
        params.n_ctx, params.n_seq_max = self.window, 1
        params.n_batch = params.n_ubatch = min(BATCH, self.window)
        params.n_threads = params.n_threads_batch = threads
        params.flash_attn_type = self._lib.LLAMA_FLASH_ATTN_TYPE_ENABLED  # as in the runtime that chats
        return params

    def _check(self, ids: tuple[int, ...]) -> None:
        if len(ids) >= self.window:  # llama.cpp's server refuses the same
            raise PromptTooLong(len(ids), self.window)
        if not ids or min(ids) < 0 or max(ids) >= self.words:
            raise BadInput("a text of at least one token of this model is needed", reason="tokens")

    def _keep(self) -> None:
        """Save the state of the visitor in the context, and let the oldest go that are too many."""
        if self._visitor is None or not self._now:
            return
        size = self._lib.llama_state_seq_get_size(self._context, 0)
        data = (ctypes.c_uint8 * size)()
        if size <= self._budget and self._lib.llama_state_seq_get_data(self._context, data, size, 0) == size:
            self._states[self._visitor] = State(self._now, data)
        while self.kept > self._budget:
            self._states.popitem(last=False)

    def _restore(self, wanted: tuple[int, ...], own: State | None) -> int:
        """Bring what is known of the text's beginning, by whomever, into the context; how many of its tokens that are.

        The last token is always read again, since its logits are what is asked for.
        """
        states = [*([own] if own else []), *self._states.values()]
        best = max(states, key=lambda state: _common(state.ids, wanted), default=None)
        if best is not None and _common(best.ids, wanted) > _common(self._now, wanted):
            loaded = self._lib.llama_state_seq_set_data(self._context, best.data, len(best.data), 0)
            self._now = best.ids if loaded else ()
        kept = min(_common(self._now, wanted), len(wanted) - 1)
        if kept == 0 or not self._lib.llama_memory_seq_rm(self._memory, 0, kept, -1):
            self._forget_all()  # a model that cannot forget a part, such as a recurrent one, forgets everything
            return 0
        self._now = self._now[:kept]
        return kept

    def _evaluate(self, wanted: tuple[int, ...], kept: int) -> None:
        for start in range(kept, len(wanted), BATCH):
            piece = wanted[start : start + BATCH]
            tokens = (self._lib.llama_token * len(piece))(*piece)
            code = self._lib.llama_decode(self._context, self._lib.llama_batch_get_one(tokens, len(piece)))
            if code != 0:
                self._clear()
                raise ServerFailed(f"llama.cpp could not read the text ({code})", status=None)
            self._now = wanted[: start + len(piece)]

    def _logits(self) -> NDArray[np.float32]:
        found = self._lib.llama_get_logits_ith(self._context, -1)
        return np.ctypeslib.as_array(found, shape=(self.words,)).copy()

    def _clear(self) -> None:
        self._forget_all()
        self._visitor = None

    def _forget_all(self) -> None:
        self._lib.llama_memory_seq_rm(self._memory, 0, -1, -1)
        self._now = ()


def _model_params(lib: Any) -> Any:
    params = lib.llama_model_default_params()
    params.n_gpu_layers = -1
    return params


def _common(one: tuple[int, ...], other: tuple[int, ...]) -> int:
    """How many tokens both begin with."""
    if one == other[: len(one)]:
        return len(one)
    return next((place for place, pair in enumerate(zip(one, other, strict=False)) if pair[0] != pair[1]), len(other))
