"""What one process shares, each part opened once, at its first use. Knows no model and no question.

A part that was never used is not opened to be closed.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from engine.errors import StoreFailed
from engine.settings import Settings

if TYPE_CHECKING:
    from engine.catalog import Catalog
    from engine.chats import Chats
    from engine.compare.arena import Arena
    from engine.compare.prices import Prices
    from engine.computing import Computing
    from engine.endpoints import Endpoints
    from engine.jobs import JobQueue
    from engine.keys import Keys
    from engine.library import Library
    from engine.lmslog import LmsLog
    from engine.metrics import Metrics
    from engine.models.configuration import Configuration, Configurations
    from engine.models.folders import Folders
    from engine.people import People
    from engine.providers import Provider
    from engine.published import Published
    from engine.rag.collections import Collections
    from engine.remotes import Remotes
    from engine.requestlog import RequestLog
    from engine.runtime.supervisor import Supervisor
    from engine.sampling.microscope import Microscope
    from engine.serving import Serving
    from engine.store import Store
    from engine.trace import Traces
    from engine.values import Values
    from engine.visit_keys import VisitKeys

log = logging.getLogger(__name__)

T = TypeVar("T")


class part(cached_property[T]):
    """A part that opens once, whichever thread asks first; from Python 3.12 on cached_property has no lock."""

    def __get__(self, instance: Any, owner: type[Any] | None = None) -> T:  # type: ignore[override]
        with instance._lock:
            found: T = super().__get__(instance, owner)
            return found


class Parts:
    """Store, traces, people, keys, catalogue, runtimes, jobs of one process; thread safe. `serve` says that it is the
    one that others attach to.
    """

    def __init__(self, settings: Settings | None = None, *, serve: bool = False) -> None:
        self.settings = settings or Settings()
        self.serve = serve
        self._lock = threading.RLock()

    @part
    def store(self) -> Store:
        """The open store."""
        from engine.store import Store

        return Store(self.settings.url)

    @part
    def traces(self) -> Traces:
        """Every request and answer."""
        from engine.trace import Traces

        return Traces(self.store, self.settings, told=self.metrics.answered)

    @part
    def people(self) -> People:
        """Who is here."""
        from engine.people import People

        return People(self.store, gone=self._forget)

    @part
    def keys(self) -> Keys:
        """API keys."""
        from engine.keys import Keys

        return Keys(self.store)

    @part
    def requests(self) -> RequestLog:
        """What the served API was asked."""
        from engine.requestlog import RequestLog

        return RequestLog(self.store)

    @part
    def metrics(self) -> Metrics:
        """Counters of this process."""
        from engine.metrics import Metrics

        return Metrics()

    @part
    def serving(self) -> Serving:
        """The settings of the served API."""
        from engine.serving import Serving

        return Serving(self.values)

    @part
    def values(self) -> Values:
        """Small settings of persons."""
        from engine.values import Values

        return Values(self.store)

    @part
    def prices(self) -> Prices:
        """What models cost."""
        from engine.compare.prices import Prices

        return Prices(self.values)

    @part
    def arena(self) -> Arena:
        """Blind votes."""
        from engine.compare.arena import Arena

        return Arena(self.store, self.values, self._vying)

    @part
    def chats(self) -> Chats:
        """Conversations. The one that serves marks first what was being written when it ended last."""
        from engine.chats import Chats

        chats = Chats(self.store)
        if self.serve:
            chats.recover()
        return chats

    @part
    def library(self) -> Library:
        """Presets and prompts of persons."""
        from engine.library import Library

        return Library(self.store)

    @part
    def published(self) -> Published:
        """Presets that are models of the served API."""
        from engine.published import Published

        cards = self.catalog.cards
        return Published(self.library, lambda: [name for card in cards() for name in (card.id, *card.aliases)])

    @part
    def collections(self) -> Collections:
        """Documents of persons. The one that serves removes first what nobody has any more."""
        from engine.rag.collections import Collections

        collections = Collections(self.store, self.settings)
        if self.serve:
            collections.sweep(starting=True)
        return collections

    @part
    def visit_keys(self) -> VisitKeys:
        """Keys for models and embedders that people brought for this visit; stored nowhere."""
        from engine.visit_keys import VisitKeys

        return VisitKeys(where=self._addresses)

    @part
    def lms(self) -> LmsLog:
        """LM Studio's log on this machine; read from the first model of its on."""
        from engine.lmslog import LmsLog

        return LmsLog()

    @part
    def catalog(self) -> Catalog:
        """Which models exist."""
        from engine.catalog import Catalog

        return Catalog(self.settings, self._configured, self._folders, self._endpoints)

    @part
    def endpoints(self) -> Endpoints:
        """The endpoints that are known, and those that the teacher typed."""
        from engine.endpoints import Endpoints

        allowed = frozenset(self.settings.private_hosts.split())
        return Endpoints(self.values, private_hosts=allowed, changed=self._endpoint_changed)

    @part
    def remotes(self) -> Remotes:
        """What the models behind endpoints share."""
        from engine.remotes import Remotes

        return Remotes(self.settings.window)

    @part
    def folders(self) -> Folders:
        """Folders with models that the teacher added."""
        from engine.models.folders import Folders

        return Folders(self.values)

    @part
    def configurations(self) -> Configurations:
        """What the teacher keeps for models."""
        from engine.models.configuration import Configurations

        return Configurations(self.values)

    @part
    def runtimes(self) -> Supervisor:
        """The worker processes."""
        from engine.runtime.supervisor import Supervisor

        return Supervisor(self.settings)

    @part
    def jobs(self) -> JobQueue:
        """Heavy work in niced child processes."""
        from engine.joblog import JobLog
        from engine.jobs import JobQueue

        return JobQueue(JobLog(self.store), self.settings)

    @part
    def computing(self) -> Computing:
        """What computes the local models."""
        from engine.computing import Computing

        return Computing(self.values, self.settings)

    @part
    def microscope(self) -> Microscope:
        """Looking into local models."""
        from engine.sampling.microscope import Microscope

        return Microscope(self.settings)

    def _vying(self) -> tuple[str, ...]:
        """The models for chatting on this machine that students may have too: none of other programs' folders, and
        `echo` only where there are not two others.
        """
        from engine.models.discovery import SOURCES

        cards = [card for card in self.catalog.cards() if card.kind == "chat" and card.source not in SOURCES]
        found = [card.id for card in cards if not card.problem]
        real = tuple(model for model in found if model != "echo")
        return real if len(real) > 1 else tuple(found)

    def _configured(self) -> Mapping[str, Configuration]:
        """All configurations; none where the store is broken, so that its models can be chosen all the same."""
        try:
            return self.configurations.all()
        except StoreFailed as error:
            log.warning("configurations cannot be read: %s", error)
            return {}

    def _folders(self) -> tuple[Path, ...]:
        """The added folders; none where the store is broken."""
        try:
            return self.folders.list()
        except StoreFailed as error:
            log.warning("added folders cannot be read: %s", error)
            return ()

    def _endpoints(self) -> Mapping[str, Provider]:
        """The rows by id; those of providers.toml alone where the store is broken."""
        from engine.providers import providers

        try:
            return self.endpoints.rows()
        except StoreFailed as error:
            log.warning("typed endpoints cannot be read: %s", error.message)
            return providers()

    def _addresses(self, row: str) -> tuple[str, ...]:
        """Where the endpoint of that id answers, as it is written; nothing where there is no such row."""
        found = self._endpoints().get(row)
        return () if found is None else (found.base_url, *found.addresses)

    def _endpoint_changed(self, row: str) -> None:
        """Nobody's key of a visit, and no embedder that is open, is for what the endpoint is now."""
        self.visit_keys.forget_endpoint(row)
        if "embedders" in self.__dict__:
            self.__dict__["embedders"].forget(row)

    def _forget(self) -> None:
        """Remove what is kept outside the store of people who are gone."""
        self.collections.sweep()
        if "microscope" in self.__dict__:
            self.microscope.clear()

    def close(self) -> None:
        """Stop workers and jobs, close the store."""
        for name in ("jobs", "lms", "microscope", "remotes", "runtimes", "store"):
            if name in self.__dict__:
                self.__dict__[name].close()
