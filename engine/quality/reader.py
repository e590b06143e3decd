"""A GGUF file that reads many windows of a text at once and gives the logits of the positions that are asked for.

llama-cpp-python's plain C functions, set up as llama-perplexity sets them up: several windows are sequences of one
batch, and only what counts is multiplied with the vocabulary. For a job child; not thread safe.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Any

from engine.errors import LoadFailed, NotSupported
from engine.native import require_native

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    Rows = NDArray[np.float32]

BATCH = 2048  # tokens of the windows that are read at once, as llama-perplexity has it
SLICE = 512  # tokens of a longer window that are read at once
LOGITS_BYTES = 512 << 20  # of all that is held at once
LOG_ERROR = 4  # ggml_log_level


class Reader:
    """One model with room for windows of `window` tokens. Raises NativeMissing, LoadFailed."""

    def __init__(self, path: str, window: int, threads: int = 1) -> None:
        require_native()
        import llama_cpp

        self._c: Any = llama_cpp
        self._errors: list[str] = []
        self._path = path
        self.threads = threads
        self._model: Any = None
        self._context: Any = None
        self._hear = llama_cpp.llama_log_callback(self._listen)  # must outlive the model
        llama_cpp.llama_log_set(self._hear, None)
        try:
            self._load(window)
        except LoadFailed:
            self.close()
            raise

    def _load(self, window: int) -> None:
        self._model = self._loaded()
        self._vocabulary = self._c.llama_model_get_vocab(self._model)
        self.vocabulary: int = self._c.llama_vocab_n_tokens(self._vocabulary)
        self.at_once = windows_at_once(window, self.vocabulary)
        self._step = window if self.at_once > 1 or window <= SLICE else SLICE
        self._context = self._opened(window)
        self._batch = self._c.llama_batch_init(self.at_once * self._step, 0, 1)

    def __enter__(self) -> Reader:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, _: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Give its memory back."""
        if self._context is not None:
            self._c.llama_batch_free(self._batch)
            self._c.llama_free(self._context)
        if self._model is not None:
            self._c.llama_model_free(self._model)
        self._context = self._model = None
        self._c.llama_log_set(self._c._logger.llama_log_callback, None)  # ours goes with us

    @property
    def bos(self) -> int | None:
        """The token that this model begins every text with; None where it has none, as SmolLM2."""
        begins = self._c.llama_vocab_get_add_bos(self._vocabulary)
        return int(self._c.llama_vocab_bos(self._vocabulary)) if begins else None

    @property
    def trained_window(self) -> int:
        """Tokens, by the file's header."""
        return int(self._c.llama_model_n_ctx_train(self._model))

    def tokens(self, text: str) -> list[int]:
        """The text with the model's own first token, if it has one; special tokens in it are plain text.

        Raises NotSupported for a model that ends every text with a token of its own, as llama-perplexity refuses it.
        """
        if self._c.llama_vocab_get_add_eos(self._vocabulary):
            raise NotSupported("this model ends every text with a token", capability="perplexity", backend="llamacpp")
        data = text.encode()
        room = len(data) + 2
        found = (self._c.llama_token * room)()
        count = self._c.llama_tokenize(self._vocabulary, data, len(data), found, room, True, False)
        return list(found[:count])

    def piece(self, token: int) -> bytes:
        """The bytes that this token stands for."""
        import ctypes

        room = 64
        while True:
            held = ctypes.create_string_buffer(room)
            count = self._c.llama_token_to_piece(self._vocabulary, token, held, room, 0, True)
            if count >= 0:
                return held.raw[:count]
            room = -count

    def read(self, windows: Sequence[Sequence[int]], first: int) -> Iterator[tuple[int, int, Rows]]:
        """(number of the window, position of the first row, logits of shape (rows, vocabulary)): each row predicts the
        token after it, from position `first` on; the last position is left out, nothing follows it. At most `at_once`
        windows. The rows are gone with the next step of the iterator.
        """
        self._c.llama_memory_clear(self._c.llama_get_memory(self._context), True)
        for begin in range(0, max(map(len, windows)), self._step):
            asked = self._fill(windows, begin, first)
            if self._c.llama_decode(self._context, self._batch) != 0:
                raise LoadFailed(self._reason("llama_decode failed"), model=self._path, reason=self._reason("decode"))
            yield from self._rows(asked)

    def _fill(self, windows: Sequence[Sequence[int]], begin: int, first: int) -> list[tuple[int, int, int]]:
        """Put the next tokens of every window into the batch; (window, first position, rows) of what will come out."""
        batch, at, asked = self._batch, 0, []
        for number, window in enumerate(windows):
            end = min(len(window), begin + self._step)
            for position in range(begin, end):
                batch.token[at], batch.pos[at] = window[position], position
                batch.n_seq_id[at], batch.seq_id[at][0] = 1, number
                batch.logits[at] = first <= position < len(window) - 1
                at += 1
            since = max(begin, first)
            if rows := max(0, min(end, len(window) - 1) - since):
                asked.append((number, since, rows))
        batch.n_tokens = at
        return asked

    def _rows(self, asked: Sequence[tuple[int, int, int]]) -> Iterator[tuple[int, int, Rows]]:
        import numpy as np

        if not asked:
            return
        shape = (sum(rows for *_, rows in asked), self.vocabulary)
        logits, at = np.ctypeslib.as_array(self._c.llama_get_logits(self._context), shape=shape), 0
        for number, position, rows in asked:
            yield number, position, logits[at : at + rows]
            at += rows

    def _loaded(self) -> Any:
        params = self._c.llama_model_default_params()
        params.n_gpu_layers = -1
        model = self._c.llama_model_load_from_file(self._path.encode(), params)
        if not model:
            raise LoadFailed(f"llama.cpp cannot load {self._path}", model=self._path, reason=self._reason("load"))
        return model

    def _opened(self, window: int) -> Any:
        params = self._c.llama_context_default_params()
        params.n_seq_max = self.at_once
        params.n_ctx = self.at_once * window
        params.n_batch = self.at_once * self._step
        params.n_ubatch = min(SLICE, params.n_batch)
        params.n_threads = params.n_threads_batch = self.threads
        context = self._c.llama_init_from_model(self._model, params)
        if not context:
            raise LoadFailed(f"no room to read with {self._path}", model=self._path, reason=self._reason("context"))
        return context

    def _listen(self, level: int, text: bytes, _user_data: object) -> None:
        if level == LOG_ERROR:
            self._errors.append(text.decode("utf-8", "replace").strip())

    def _reason(self, otherwise: str) -> str:
        return next((line for line in reversed(self._errors) if line), otherwise)


def windows_at_once(window: int, vocabulary: int) -> int:
    """How many windows are read at once: up to 2048 tokens, and 512 MiB for the logits of their second halves."""
    return max(1, min(BATCH // window, LOGITS_BYTES // (4 * vocabulary * max(1, window // 2))))
