"""Rerankers: a score for a question and a passage read together, by llama.cpp's /rerank. Knows no store.

gguf:MODEL    a cross-encoder of the catalogue or a path to one, in a worker of its own
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Protocol

from engine.errors import AccessDenied, BadInput, EngineError, NotFound, ServerFailed
from engine.models.gguf_header import read_header
from engine.models.kinds import ranks_texts
from engine.rag.bundled_embedders import plain
from engine.runtime.load import LoadParams

if TYPE_CHECKING:
    from engine.engine import Engine
    from engine.runtime.supervisor import LocalRuntime

GGUF = "gguf:"
CONTEXT_MAX = 2048  # tokens of question and passage; read in one batch, which takes memory by its square
MARKS = 4  # tokens that a model puts around question and passage
SLOTS = 4
AT_ONCE = 64  # passages in one request, so that a long list can be given up between two


class Reranker(Protocol):
    """Reads question and text together: slower than an embedder and finer."""

    name: str

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score per text, higher is better; the scale is the reranker's own. Raises EngineError."""
        ...


def rerankers(engine: Engine) -> tuple[str, ...]:
    """The names of the rerankers in the catalogue; loads nothing."""
    return tuple(_known(engine))


def _known(engine: Engine) -> Iterator[str]:
    for card in engine.catalog.cards():
        if card.kind == "reranking" and card.base is None:
            yield f"{GGUF}{card.id}"


def reranker(
    name: str, engine: Engine, *, role: Literal["teacher", "student"] = "teacher", threads: int | None = None
) -> Reranker:
    """The reranker of that name; cheap to make, loaded at its first use. Raises NotFound (what `reranker`), BadInput
    (a model that cannot rerank), AccessDenied (paths are the teacher's).
    """
    path = _file(name, engine, role)
    if not ranks_texts(read_header(path)):
        raise BadInput(f"{name} is no reranker", reason="no_reranker", name=name)
    return GgufReranker(name, path, engine.runtimes.runtime, threads or engine.settings.threads)


def _file(name: str, engine: Engine, role: str) -> Path:
    wanted = name.removeprefix(GGUF)
    card = next((card for card in engine.catalog.cards() if card.id == wanted.casefold() and card.files), None)
    if card is not None:
        engine.admit(card, "teacher" if role == "teacher" else "student")
        return card.files[0].path
    if role != "teacher":  # a path tells what lies on this machine
        raise AccessDenied(f"{name} is the teacher's to open", role="teacher")
    path = Path(wanted).expanduser()
    if not name.startswith(GGUF) or path.suffix.lower() != ".gguf" or not path.is_file():
        raise NotFound(f"no reranker {name!r}", what="reranker", key=name)
    return path


class GgufReranker:
    """One file, asked through the runtime that `open_` gives for its load parameters."""

    def __init__(self, name: str, path: Path, open_: Callable[[LoadParams], LocalRuntime], threads: int = 1) -> None:
        self.name = name
        self._path = path
        self._open = open_
        self._threads = threads
        self._context = min(read_header(path).context_length or 512, CONTEXT_MAX)

    def scores(self, question: str, texts: Sequence[str]) -> list[float]:
        """One score per text, higher is better; what does not fit beside the question into the window is cut."""
        if not texts:
            return []
        asked = self._cut(question, self._context // 2)
        room = max(1, self._context - MARKS - self._count(asked))
        fitting = [self._cut(text, room) for text in texts]
        found: list[float] = []
        for start in range(0, len(fitting), AT_ONCE):
            found += self._ask(asked, fitting[start : start + AT_ONCE])
        return found

    def _ask(self, question: str, texts: list[str]) -> list[float]:
        rows = self._post("/v1/rerank", {"query": question, "documents": texts, "model": self._path.stem})["results"]
        scores = {row["index"]: float(row["relevance_score"]) for row in rows}
        if sorted(scores) != list(range(len(texts))):
            raise ServerFailed(f"{self.name} sent {len(scores)} scores for {len(texts)} texts", status=None)
        return [scores[place] for place in range(len(texts))]

    def _cut(self, text: str, room: int) -> str:
        """The text, shortened until it fits; most are too short to need a count."""
        text = plain(text)
        while len(text.encode()) > room and (tokens := self._count(text)) > room:
            text = text[: min(len(text) - 1, len(text) * room // tokens)]
        return text

    def _count(self, text: str) -> int:
        return len(self._post("/tokenize", {"content": text, "add_special": False})["tokens"])

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
        return self._open(
            LoadParams(
                path=str(self._path),
                context=self._context,
                slots=SLOTS,
                threads=self._threads,
                batch=max(32, self._context),  # question and passage are read whole or not at all
                reranking=True,
                alias=self._path.stem,
            )
        )
