"""Any endpoint that speaks OpenAI's /embeddings, through the openai client. Shows its key to nobody but the host.

Not through langchain-openai or LlamaIndex, which take the vectors as they come and overlook their index.
"""

from __future__ import annotations

import threading
import weakref
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from engine.addresses import Reach
from engine.backends.line import Line, certificates, timeout
from engine.backends.openai_compat import NO_KEY
from engine.backends.openai_errors import mapped
from engine.errors import ServerFailed
from engine.rag.bundled_embedders import QUERY_CHARACTERS, plain
from engine.rag.gguf_embedder import unit
from engine.rag.prefixes import prefixes_of
from engine.rag.values import Vectors
from engine.tokenizers import count_tiktoken

if TYPE_CHECKING:
    from openai import OpenAI
    from openai.types import Embedding

BATCH = 64  # texts of one request
RETRIES = 4  # of the openai client, which waits as long as the endpoint says
OPENAI_MODEL = "text-embedding-"


class RemoteEmbedder:
    """One model at one address. Thread safe; one request at a time."""

    def __init__(self, name: str, base_url: str, model: str, key: str | None, *, reach: Reach | None = None) -> None:
        self.name = name
        self.fingerprint = f"openai {base_url.rstrip('/')} {model}"
        # Others do not tell. 512 tokens is what the smallest take; they refuse or cut what is longer
        self.tokens_max = 8000 if model.startswith(OPENAI_MODEL) else 512
        self._base_url = base_url.rstrip("/")
        self._model = model
        self._key = key or None
        self._reach = reach
        self._prefixes = prefixes_of(model)
        self._lock = threading.Lock()

    @cached_property
    def dimensions(self) -> int:
        """Length of its vectors, which a question tells. Raises BackendError."""
        return len(self.query("?"))

    def passages(self, texts: list[str]) -> Vectors:
        """One row per text, asked in batches. Raises BackendError, PromptTooLong."""
        found = [self._asked(texts[at : at + BATCH], self._prefixes.passage) for at in range(0, len(texts), BATCH)]
        return np.concatenate(found) if found else np.zeros((0, self.dimensions), np.float32)

    def query(self, text: str) -> NDArray[np.float32]:
        """The vector of a question, of its first 2000 characters. Raises BackendError."""
        vector: NDArray[np.float32] = self._asked([text[:QUERY_CHARACTERS]], self._prefixes.query)[0]
        return vector

    def count(self, text: str) -> int:
        """Tokens of OpenAI's encoding: exact for OpenAI's models, near for others."""
        return count_tiktoken(plain(text), "cl100k_base")

    def _asked(self, texts: list[str], prefix: str) -> Vectors:
        # an empty text is refused by most
        sent = [prefix + (plain(text) if text.strip() else ".") for text in texts]
        with self._lock, mapped(self._base_url, self._model, self._key, received=lambda: 0):
            rows = self._rows(sent)
        vectors = unit([row.embedding for row in sorted(rows, key=_index)], len(texts), self._base_url)
        if self.__dict__.setdefault("dimensions", vectors.shape[1]) != vectors.shape[1]:
            raise ServerFailed(f"{self._base_url} sent vectors of different lengths", status=None)
        return vectors

    def _rows(self, texts: list[str]) -> list[Embedding]:
        try:
            return list(self._client.embeddings.create(model=self._model, input=texts).data)
        except (AttributeError, TypeError, ValueError) as error:  # what the client makes of an answer of another shape
            raise ServerFailed(f"{self._base_url} sent no vectors", status=None) from error

    @cached_property
    def _client(self) -> OpenAI:
        from openai import OpenAI

        line = Line(self._base_url, self._key, certificates(), reach=self._reach, bounded=True)
        weakref.finalize(self, line.close)
        return OpenAI(
            base_url=self._base_url,
            api_key=self._key or NO_KEY,
            max_retries=RETRIES,
            timeout=timeout(),
            http_client=line.client,
        )


def _index(row: Embedding) -> int:
    return row.index if isinstance(row.index, int) else 0
