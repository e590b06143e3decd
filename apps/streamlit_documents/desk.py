"""What the page of documents keeps for one browser tab: its controls' values, the open collection, the answers.

What runs in other threads and processes is looked at once for each run of the page, so that all its parts agree.
Draws nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, TypeVar

import streamlit as st

from apps.streamlit_bound import Bound
from apps.streamlit_kit import Ui, browser_watch, show_error
from apps.ui.asking import Asked, Look, asked
from apps.ui.documents import ADDRESS, START, from_address, retrieval_of, to_address
from engine.errors import EngineError
from engine.jobs import OPEN, Job
from engine.rag import indexing
from engine.rag.collections import Collection
from engine.rag.rows import CollectionFile
from engine.rag.sources import Source
from engine.rag.values import Retrieval
from engine.types import Message

T = TypeVar("T")


@dataclass(frozen=True)
class Desk(Bound):
    """One run of the page; cheap to make."""

    ui: Ui

    def key(self, name: str) -> str:
        """The name of a widget or a value of this page."""
        return f"documents.{name}"

    @property
    def fresh(self) -> Desk:
        """The desk of now: a callback and a fragment hold that of an earlier run."""
        return Desk(Ui(self.ui.section, self.ui.lang))

    @property
    def values(self) -> Mapping[str, Any]:
        """What the controls hold: at a tab's first run what its address says."""
        found: Mapping[str, Any] | None = self.get("values")
        if found is None:
            found = from_address(st.query_params)
            self.set("values", found)
        return found

    def changed(self, name: str, read: Callable[[Any], Any] | None = None) -> None:
        """Keep what the widget of that value shows now."""
        if self.touched(name):
            self.change(**{name: read(self.shown(name)) if read else self.shown(name)})

    def kept(self, name: str, of: Any, make: Callable[[], T]) -> T:
        """What `make` gave for `of`; made anew only when that has changed."""
        known = self.get(name)
        if known is None or known[0] != of:
            known = (of, make())
            self.set(name, known)
        found: T = known[1]
        return found

    def attempt(self, act: Callable[[], Any]) -> Any:
        """What `act` gives; its error is kept, to be shown by the run that follows."""
        self.set("failure", None)
        try:
            return act()
        except EngineError as error:
            self.set("failure", error)
            return None

    def show_failure(self) -> None:
        """What went wrong with the last thing that was done."""
        if failure := self.get("failure"):
            show_error(self.ui, failure)

    @property
    def owner(self) -> str:
        """Id of the person who looks."""
        return self.ui.person.id

    @cached_property
    def collections(self) -> Mapping[str, Collection]:
        """The collections that this person may read, by id: their own first, temporary ones last."""
        store = self.ui.engine.collections
        return {one.id: one for one in (*store.list(self.owner), *store.passing(self.owner))}

    @cached_property
    def collection(self) -> Collection | None:
        """The open one: the one chosen, else the first."""
        return self.collections.get(self.values["collection"] or "") or next(iter(self.collections.values()), None)

    def warm(self) -> None:
        """Let the first search of this process find everything loaded."""
        if self.collection is not None:
            self.ui.engine.embedders.warm(self.collection.embedder)

    @property
    def mine(self) -> bool:
        """Whether the open collection is this person's to change."""
        return self.collection is not None and self.collection.owner == self.owner

    @property
    def fills(self) -> bool:
        """Whether this person may put files into the open collection: it is theirs, and stays."""
        return self.mine and self.collection is not None and not self.collection.temporary

    @cached_property
    def files(self) -> tuple[CollectionFile, ...]:
        """The files of the open collection, as they were when this run first asked."""
        return () if self.collection is None else self.ui.engine.collections.files(self.owner, self.collection.id)

    @cached_property
    def job(self) -> Job | None:
        """The indexing of the open collection that waits or runs."""
        if self.collection is None:
            return None
        jobs = self.ui.engine.jobs.list(self.collection.owner, OPEN)
        return next((job for job in jobs if job.args.get("collection") == self.collection.id
                     and job.task == indexing.TASK), None)  # fmt: skip

    def open(self, collection_id: str | None) -> None:
        """Show another collection; what was asked of the one before is put away."""
        for name in ("asked", "opened", "found", "drawer", "panel", "history", "file"):
            self.set(name, None)
        self.change(collection=collection_id, files=())

    def index(self, sources: tuple[Source, ...] = ()) -> Job:
        """Bring these into the open collection, which is made where there is none. Raises EngineError."""
        desk = self.fresh
        target = desk.collection
        if target is None:
            target = desk.make(desk.ui.t("documents.first_name"))
        job = indexing.start(desk.ui.engine, desk.owner, target.id, sources)
        self.set("index_error", None)
        return job

    def make(self, name: str, **settings: Any) -> Collection:
        """A new collection, open from now on; with the embedder of this machine unless told. Raises EngineError."""
        from engine.rag.embedders import admit_choice, default_embedder

        embedder = settings.pop("embedder", default_embedder())
        admit_choice(embedder, self.ui.engine, self.ui.person.role)
        made = self.ui.engine.collections.create(self.owner, name, embedder, **settings)
        self.open(made.id)
        return made

    @property
    def retrieval(self) -> Retrieval:
        """How the controls want passages to be looked for in the open collection."""
        assert self.collection is not None
        known = {file.id for file in self.files}
        values = {**self.values, "files": tuple(file for file in self.values["files"] if file in known)}
        return retrieval_of(values, self.collection.embedder)

    @cached_property
    def answers(self) -> Mapping[str, Look]:
        """The answers on the page as they were when this run first looked: "with" and "without" the documents."""
        found: Mapping[str, Asked] = self.get("asked", {})
        return {name: one.look for name, one in found.items()}

    @property
    def busy(self) -> bool:
        """Whether an answer is under way, by this run's look."""
        return any(not look.done for look in self.answers.values())

    @property
    def history(self) -> tuple[Message, ...]:
        """Questions and answers before, oldest first."""
        return tuple(self.get("history", ()))

    def ask(self, question: str) -> None:
        """Ask it as the controls say; nothing where an answer is under way."""
        desk = self.fresh
        if desk.busy or desk.collection is None or not question.strip():
            return
        desk.remember()
        for name in ("opened", "drawer", "panel"):
            desk.set(name, None)
        desk.set("asked", None)
        desk.attempt(lambda: desk.set("asked", asked(desk.wanted(question.strip()), browser_watch())))

    def wanted(self, question: str) -> Mapping[str, Any]:
        """All that an answer to this question is made from."""
        assert self.collection is not None
        return {
            "engine": self.ui.engine, "owner": self.owner, "collection": self.collection.id, "question": question,
            "model": self.ui.model, "params": self.ui.params, "retrieval": self.retrieval,
            "mode": self.values["mode"], "compared": self.values["compared"], "language": self.ui.lang,
            "history": self.history if self.get("follow") else (),
        }  # fmt: skip

    def remember(self) -> None:
        """Keep the last question and its answer from the documents for those that go on from it."""
        look = self.answers.get("with")
        if look is None or not look.done or not look.text or look.grounding is None or not look.grounding.asked:
            return
        said = (Message("user", look.question), Message("assistant", look.text))
        self.set("history", (*(self.history if self.get("follow") else ()), *said))

    def stop(self) -> None:
        """End the answers under way."""
        for one in self.get("asked", {}).values():
            one.stop()

    def write_address(self) -> None:
        """Put into the page's address what the controls hold, so that it can be handed out; never a text."""
        wanted = to_address(self.values)
        for name in ADDRESS:
            if wanted.get(name) != st.query_params.get(name):
                if name in wanted:
                    st.query_params[name] = wanted[name]
                else:
                    del st.query_params[name]

    def back_to_start(self) -> None:
        """Forget how passages are looked for."""
        kept = {name: self.values[name] for name in ("collection", "tab", "mode", "compared")}
        self.set("values", {**START, **kept})
