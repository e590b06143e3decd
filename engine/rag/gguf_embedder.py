"""A GGUF model as embedder: by llama.cpp in a worker of its own. Knows no catalogue."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from engine.errors import BadFile, EngineError, ServerFailed
from engine.models.gguf_header import GgufHeader, read_header
from engine.rag.bundled_embedders import QUERY_CHARACTERS, plain
from engine.rag.prefixes import prefixes_of
from engine.rag.values import Vectors
from engine.runtime.load import LoadParams

if TYPE_CHECKING:
    from engine.runtime.supervisor import LocalRuntime

CONTEXT_MAX = 2048  # tokens of one text; llama.cpp reads it in one batch, which takes memory by its square
SLOTS = 4  # texts in one batch
MARKS = 4  # tokens that a model puts around a text


def width(header: GgufHeader) -> int:
    """Length of its vectors. Raises BadFile where the header does not tell."""
    for key in ("embedding_length_out", "embedding_length"):
        value = header.fields.get(f"{header.architecture}.{key}")
        if isinstance(value, int) and value > 0:
            return value
    raise BadFile("the file tells no length of its vectors", path="", reason="embedding_length")


class GgufEmbedder:
    """One file, asked through the runtime that `open_` gives for its load parameters; loaded at the first question."""

    def __init__(self, name: str, path: Path, open_: Callable[[LoadParams], LocalRuntime], threads: int = 1) -> None:
        self.name = name
        self._path = path
        self._header = read_header(path)
        self._open = open_
        self._threads = threads
        self.dimensions = width(self._header)
        self._context = min(self._header.context_length or 512, CONTEXT_MAX)
        self._prefixes = prefixes_of(path.stem, self._header.name or "")

    @property
    def fingerprint(self) -> str:
        """The file, by size and time of its last change; looked at each time: it may be replaced meanwhile."""
        told = self._path.stat()
        return f"gguf {self._path.name} {told.st_size} {told.st_mtime_ns}"

    @cached_property
    def tokens_max(self) -> int:
        """Tokens of a passage, by the trained window and at most 2048."""
        longest = max(len(self._prefixes.query), len(self._prefixes.passage))
        return max(MARKS, self._context - MARKS - longest // 2)

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text; what is longer than the window is cut."""
        return self._vectors([self._prefixes.passage + self._cut(text) for text in texts])

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, of its first 2000 characters."""
        vector: NDArray[np.float32] = self._vectors([self._prefixes.query + self._cut(text[:QUERY_CHARACTERS])])[0]
        return vector

    def count(self, text: str) -> int:
        """Tokens of the text, as llama.cpp counts them."""
        return len(self._post("/tokenize", {"content": plain(text), "add_special": False})["tokens"])

    def _cut(self, text: str) -> str:
        """The text, shortened until it fits; most texts are too short to need a count."""
        text = plain(text)
        while len(text.encode()) > self.tokens_max and (tokens := self.count(text)) > self.tokens_max:
            text = text[: min(len(text) - 1, len(text) * self.tokens_max // tokens)]
        return text

    def _vectors(self, texts: list[str]) -> Vectors:
        if not texts:
            return np.zeros((0, self.dimensions), np.float32)
        rows = self._post("/v1/embeddings", {"input": texts, "model": self._path.stem})["data"]
        return unit([row["embedding"] for row in sorted(rows, key=lambda row: row["index"])], len(texts), self.name)

    def _post(self, path: str, body: dict[str, Any]) -> Any:
        runtime = self._runtime
        for _ in runtime.ready():
            pass
        try:
            return runtime.server.post(path, body)
        except EngineError as error:
            raise runtime.explain(error) from error

    @cached_property
    def _runtime(self) -> LocalRuntime:
        pooled = f"{self._header.architecture}.pooling_type" in self._header.fields
        load = LoadParams(
            path=str(self._path),
            context=self._context,
            slots=SLOTS,
            threads=self._threads,
            batch=max(32, self._context),  # a text is read whole or not at all
            embedding=True,
            pooling=None if pooled else "mean",
            alias=self._path.stem,
        )
        return self._open(load)


def unit(rows: list[Any], expected: int, source: str) -> Vectors:
    """The rows as unit vectors. Raises ServerFailed for another number of them, unequal lengths, what is no number."""
    try:
        vectors = np.asarray(rows, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise ServerFailed(f"{source} sent vectors of different lengths or none", status=None) from error
    if vectors.ndim != 2 or len(vectors) != expected or not vectors.shape[1] or not np.isfinite(vectors).all():
        raise ServerFailed(f"{source} sent {vectors.shape} for {expected} texts, or no numbers", status=None)
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors /= np.maximum(lengths, np.float32(1e-12))
    return vectors
