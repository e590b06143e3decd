"""Collections, files, passages and what was found, as words, rows and addresses. Knows no widget and no framework."""

from __future__ import annotations

import html
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Any

from apps.ui import present
from apps.ui.address import Address, read_address, write_address
from apps.ui.i18n import Words
from apps.ui.theme import OKABE_ITO
from engine.documents import Document
from engine.errors import error_from
from engine.jobs import Job
from engine.rag import sources
from engine.rag.collections import Collection, Collections
from engine.rag.grounding import MODES, Grounding, Source
from engine.rag.retrieval import Found, default
from engine.rag.rows import CollectionFile
from engine.rag.splitting import pages
from engine.rag.values import ARMS, FUSIONS, Passage, Retrieval, Score
from engine.rag.websearch import Web

Values = Mapping[str, Any]

TABS = ("ask", "search", "chunks", "evaluate", "map")
COMPARED = ("with", "without", "both")
COLUMNS = ("state", "name", "pages", "characters", "chunks", "size", "told")
SIGNS: Mapping[str, str] = {"waiting": "○", "done": "✓", "failed": "✕"}
USUAL, NONE = "usual", "none"  # a threshold: the measured one of the embedder, or none at all

# `threshold` is USUAL, NONE or a cosine; `diversity` 0 keeps the order, 1 is MMR without relevance
_USUAL = Retrieval()  # the measured default
START: Values = MappingProxyType({
    "collection": None, "tab": "ask", "mode": "documents_only", "compared": "with", "arm": _USUAL.arm, "k": _USUAL.k,
    "candidates": _USUAL.candidates, "fusion": _USUAL.fusion, "weight": _USUAL.weight, "threshold": USUAL,
    "diversity": 0.0, "neighbours": _USUAL.neighbours, "reranker": _USUAL.reranker, "files": _USUAL.files,
})  # fmt: skip


def _between(low: float, high: float, kind: type = float) -> Callable[[str], Any]:
    def read(text: str) -> Any:
        value = kind(text)
        if not low <= value <= high:
            raise ValueError(text)
        return value

    return read


def _one_of(known: Sequence[str]) -> Callable[[str], str]:
    return lambda text: known[known.index(text)]


def _threshold(text: str) -> Any:
    return text if text in (USUAL, NONE) else _between(-1, 1.1)(text)


# Name in the address → (name here, how it is read); a collection goes by its id, which only its readers can open
ADDRESS: Address = {
    "collection": ("collection", str),
    "show": ("tab", _one_of(TABS)),
    "mode": ("mode", _one_of(MODES)),
    "compare": ("compared", _one_of(COMPARED)),
    "arm": ("arm", _one_of(ARMS)),
    "k": ("k", _between(1, 100, int)),
    "candidates": ("candidates", _between(1, 1000, int)),
    "fusion": ("fusion", _one_of(FUSIONS)),
    "weight": ("weight", _between(0, 1)),
    "threshold": ("threshold", _threshold),
    "diversity": ("diversity", _between(0, 1)),
    "neighbours": ("neighbours", _between(0, 10, int)),
}


def sample_sources() -> tuple[sources.Source, ...]:
    """Our twelve short documents in French and English."""
    from engine.rag.questions import samples

    return tuple(sources.pasted(one.name, one.text) for one in samples().sources)


def from_address(query: Mapping[str, str]) -> dict[str, Any]:
    """The values of an address over those to start with; what it says wrongly is left out."""
    return read_address(ADDRESS, START, query)


def to_address(values: Values) -> dict[str, str]:
    """What the address says of these values: what differs from the start, and no text."""
    return write_address(ADDRESS, START, values)


def retrieval_of(values: Values, embedder: str) -> Retrieval:
    """How the controls want passages to be looked for, in a collection of that embedder."""
    usual = default(embedder)
    threshold = {USUAL: usual.threshold, NONE: None}.get(values["threshold"], values["threshold"])
    return replace(
        usual, arm=values["arm"], k=values["k"], candidates=max(values["candidates"], values["k"]),
        fusion=values["fusion"], weight=values["weight"], threshold=threshold,
        mmr=1 - values["diversity"] if values["diversity"] else None, neighbours=values["neighbours"],
        reranker=values["reranker"], files=tuple(values["files"]),
    )  # fmt: skip


def summary(collection: Collection, words: Words) -> str:
    """A collection in one line: files, chunks, size, how it is cut and embedded."""
    cut = collection.splitting
    return " · ".join((
        words.n("documents.files", collection.files), words.n("documents.chunks", collection.chunks),
        words.size(collection.bytes), collection.embedder,
        words.t("documents.cut_as", kind=words.t(f"documents.kind_of.{cut.kind}").lower(), size=cut.size,
                overlap=cut.overlap),
    ))  # fmt: skip


def title_of(collection: Collection, owner: str, words: Words) -> str:
    """What a collection is called for that person: whose it is, and whether it will go by itself."""
    if collection.temporary:
        return words.t("documents_web.passing", name=collection.title)
    return collection.name if collection.owner == owner else words.t("documents.shared_by", name=collection.name)


def named(store: Collections, owner: str, ids: Iterable[str], words: Words) -> str:
    """The names of these collections, for one line; of one that is gone or closed, a word for that."""
    known = {one.id: title_of(one, owner, words) for one in (*store.list(owner), *store.passing(owner))}
    return ", ".join(known.get(key, words.t("chat_compose.collection_gone")) for key in ids)


def web_told(web: Web, words: Words) -> tuple[str, ...]:
    """What became of a search of the web: how many pages were read, and why the others were not."""
    told = [words.t("documents_web.found", read=sum(one.page is not None for one in web.pages), found=len(web.pages))]
    for one in web.pages:
        if one.error is not None:
            told.append(f"{one.hit.url} – {present.error_text(error_from(one.error), words).what}")
    return tuple(told)


def file_rows(files: Iterable[CollectionFile], words: Words) -> list[tuple[str, ...]]:
    """What was read of each file, in the order of COLUMNS."""
    return [
        (
            f"{SIGNS[file.state]} {words.t(f'documents.state.{file.state}')}", file.name, _known(file.pages, words),
            _known(file.characters, words), _known(file.chunks, words), words.size(file.bytes), told_of(file, words),
        )
        for file in files
    ]  # fmt: skip


def _known(count: int | None, words: Words) -> str:
    return "" if count is None else words.number(count)


def told_of(file: CollectionFile, words: Words) -> str:
    """The warnings of a file in words, and why it could not be read or fetched again."""
    told = [words.t(f"file_warning.{code}") for code in file.warnings]
    if file.error is not None:
        told.insert(0, present.error_text(error_from(dict(file.error)), words).what)
    return " ".join(told)


def index_progress(
    job: Job, files: Sequence[CollectionFile], words: Words, now: float | None = None
) -> present.Progress:
    """How far an indexing is: files, chunks, chunks per second, time left."""
    if job.state == "queued":
        return present.Progress(words.t("documents.queued"))
    if not job.done or not job.total:
        return present.Progress(words.t("documents.starting"))
    ready = sum(file.state != "waiting" for file in files)
    told = [words.t("documents.progress", done_files=ready, files=len(files), done=job.done, total=job.total)]
    taken = (time.time() if now is None else now) - (job.started or job.created)
    if taken > 1:
        told.append(words.t("documents.speed", speed=job.done / taken))
    if job.eta is not None:
        told.append(words.t("documents.left", left=words.seconds(job.eta)))
    return present.Progress(" · ".join(told), min(1.0, job.done / job.total))


@dataclass(frozen=True)
class ScoreRow:
    """One score of a passage: its name, its value, its rank in that list, and its share of the best one shown."""

    name: str
    value: str
    rank: str
    share: float


def score_rows(passage: Passage, best: Mapping[Score, float], words: Words) -> tuple[ScoreRow, ...]:
    """Every score that a passage has; `best` are the highest ones among the passages shown (`best_scores`)."""
    return tuple(
        ScoreRow(words.t(f"documents.score.{name}"), words.number(value, 3), _rank(passage.ranks.get(name), words),
                 max(0.0, min(1.0, value / best[name])) if best.get(name, 0) > 0 else 0.0)
        for name, value in passage.scores.items()
    )  # fmt: skip


def best_scores(passages: Iterable[Passage]) -> dict[Score, float]:
    """The highest value of each score: what the bars are measured by."""
    best: dict[Score, float] = {}
    for passage in passages:
        for name, value in passage.scores.items():
            best[name] = max(best.get(name, value), value)
    return best


def _rank(rank: int | None, words: Words) -> str:
    return words.t("documents.no_rank") if rank is None else words.t("documents.rank", rank=rank)


def warnings(source: Source, words: Words) -> tuple[str, ...]:
    """What is suspicious in a passage, in sentences."""
    return tuple(words.t(f"documents.suspicion.{code}") for code in source.warnings)


def notes(grounding: Grounding, words: Words) -> tuple[str, ...]:
    """What one must know about how the passages came: rewritten, dropped, left out, cut, searched instead of read."""
    told = []
    if grounding.rewritten:
        told.append(words.t("documents_ask.rewritten", query=grounding.query))
    if grounding.wanted == "whole_document" and grounding.mode != "whole_document":
        told.append(words.t("documents_ask.not_whole"))
    if grounding.below:
        told.append(words.n("documents_ask.below", grounding.below))
    if grounding.left_out:
        told.append(words.n("documents_ask.left_out", len(grounding.left_out)))
    if any(source.fate == "cut" for source in grounding.sources):
        told.append(words.t("documents_ask.cut"))
    if grounding.tokens is not None:
        told.append(words.n("documents_ask.tokens", grounding.tokens))
    return tuple(told)


def nothing(grounding: Grounding | Found, words: Words) -> str:
    """The sentence of the "0 passages" state, with how near the nearest one was."""
    if grounding.nearest is None:
        return words.t("documents_ask.nothing")
    threshold = _threshold_of(grounding)
    key = "nothing" if threshold is None else "nothing_near"
    return words.t(f"documents_ask.{key}", nearest=grounding.nearest, threshold=threshold)


def _threshold_of(grounding: Grounding | Found) -> float | None:
    if isinstance(grounding, Found):
        return grounding.retrieval.threshold
    found: float | None = grounding.retrieval.get("threshold")
    return found


def times(seconds: Mapping[Any, float], words: Words) -> str:
    """The stages of a search and their times in one line."""
    return " · ".join(f"{words.t(f'documents.stage.{name}')} {words.seconds(taken)}" for name, taken in seconds.items())


@dataclass(frozen=True)
class Around:
    """A passage in its document: the text before it, its own, the text after it; `cut` says that there is more."""

    before: str
    passage: str
    after: str
    cut: bool


def on_page(document: Document, page: int, start: int, end: int) -> tuple[str, str]:
    """What of these characters of a document lies on that page, and the page's text before it."""
    found = next((one for one in pages(document) if one.number == page), None)
    if found is None:
        return "", ""
    first, last = (max(found.start, min(found.end, place)) for place in (start, end))
    return document.text[found.start : first], document.text[first:last]


AROUND = 6000  # characters before and after a passage: some pages


def around(text: str, start: int, end: int) -> Around:
    """The passage at these characters of the document, with what stands around it."""
    first, last = max(0, start - AROUND), min(len(text), end + AROUND)
    return Around(text[first:start], text[start:end], text[end:last], first > 0 or last < len(text))


def around_html(shown: Around) -> str:
    """The same as HTML that holds nothing but text, the passage marked by ground and a bar at its side."""
    mark = (
        f"background:{OKABE_ITO['yellow']}55;color:inherit;border-left:4px solid {OKABE_ITO['orange']};padding:0 .2em"
    )
    return (
        f'<div style="white-space:pre-wrap;overflow-wrap:anywhere;font-size:.9rem">{html.escape(shown.before)}'
        f'<mark id="passage-in-text" style="{mark}">{html.escape(shown.passage)}</mark>{html.escape(shown.after)}</div>'
    )
