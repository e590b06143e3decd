"""Presets that the teacher publishes as models of the served API, each under a name of its own, and their answers.

Who asks one reads its answers and never its system prompt: a trace of theirs holds what they sent and what came back.
Knows no route.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from engine.conversation import ChatSettings, Conversation, Node
from engine.engine import Engine
from engine.errors import AccessDenied, BadInput, NotFound
from engine.model import Model
from engine.params import Params
from engine.person import LOCAL_OWNER
from engine.presets import Preset, read_preset
from engine.types import Event, Heartbeat, Message

if TYPE_CHECKING:
    from engine.backends.base import Report, Request
    from engine.generation import Generation
    from engine.library import Library
    from engine.rag.answering import Grounded
    from engine.rag.grounding import Grounding
    from engine.rag.preparing import Prepared
    from engine.types import Result

KIND = "published"
_NAME = re.compile(r"\w[\w .:+-]{0,79}")  # no "/": that is an endpoint's model or a collection; no "@": an instance


@dataclass(frozen=True)
class Offer:
    """A published preset: `name` is what clients ask for, `model` who answers, `owner` who published it and whose
    `collections` (ids) are read; `created` in seconds since 1970.
    """

    name: str
    preset: Preset
    model: str
    owner: str = LOCAL_OWNER
    collections: tuple[str, ...] = ()
    grounding: str = "documents_and_model"
    rewrite: bool = False
    created: float = 0.0

    def settings(self) -> ChatSettings:
        """Those of a conversation with it."""
        grounded = ChatSettings(collections=self.collections, grounding=self.grounding, rewrite=self.rewrite)
        return self.preset.apply(grounded)

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON, the system prompt included: for who published it."""
        told = {name: getattr(self, name) for name in ("name", "model", "owner", "grounding", "rewrite", "created")}
        return {**told, "collections": list(self.collections), "preset": self.preset.to_dict()}

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> Offer:
        """The offer that `to_dict` gave."""
        preset = read_preset(json.dumps(told["preset"]).encode())
        return cls(**{**told, "preset": preset, "collections": tuple(told["collections"])})


class Published:
    """The offers of one installation; `taken` gives the names that models have already. Raises StoreFailed."""

    def __init__(
        self, library: Library, taken: Callable[[], Iterable[str]], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._library = library
        self._taken = taken
        self._clock = clock

    def list(self) -> tuple[Offer, ...]:
        """Every offer, by name."""
        return tuple(Offer.of(told) for told in self._library.all(LOCAL_OWNER, KIND).values())

    def get(self, name: str) -> Offer | None:
        """The offer of that name, whatever its case."""
        known = {found.casefold(): found for found in self._library.names(LOCAL_OWNER, KIND)}
        found = known.get(name.casefold())
        told = self._library.get(LOCAL_OWNER, KIND, found) if found else None
        return Offer.of(told) if told else None

    def publish(self, offer: Offer, *, role: Literal["teacher", "student"] = "teacher") -> Offer:
        """The offer as it is kept, in place of one of the same name. Raises AccessDenied for who is no teacher,
        BadInput for a name that a model has or that cannot be one, BadParameter.
        """
        _teaches(role)
        if not _NAME.fullmatch(offer.name) or offer.name != offer.name.strip():
            raise BadInput(f"no name for a model: {offer.name!r}", what="name", reason="characters")
        if offer.name.casefold() in {name.casefold() for name in self._taken()}:
            raise BadInput(f"a model is called {offer.name} already", what="name", reason="taken")
        offer.preset.to_params()
        before = self.get(offer.name)
        kept = replace(offer, created=self._clock())
        if before is not None and before.name != offer.name:  # the same name in other letters
            self._library.drop(LOCAL_OWNER, KIND, before.name)
        self._library.put(LOCAL_OWNER, KIND, offer.name, kept.to_dict())
        return kept

    def withdraw(self, name: str, *, role: Literal["teacher", "student"] = "teacher") -> None:
        """Offer it no more. Raises AccessDenied, NotFound."""
        _teaches(role)
        offer = self.get(name)
        if offer is None:
            raise NotFound(f"nothing is published as {name}", what="published", key=name)
        self._library.drop(LOCAL_OWNER, KIND, offer.name)


def _teaches(role: str) -> None:
    if role != "teacher":
        raise AccessDenied("only a teacher may publish", role="teacher")


class Unseen(Model):
    """The model behind an offer for somebody who may not read the offer: it is asked in their name, and its traces have
    the body that they sent, no prompt and no plan.
    """

    def __init__(self, model: Model, name: str, asker: str, body: Mapping[str, Any]) -> None:
        self.__dict__.update(vars(model))
        self._name, self._asker, self._sent = name, asker, body

    def request(self, messages: Iterable[Message], params: Params | None = None, **options: Any) -> Request:
        """The Request, in the asker's name."""
        return super().request(messages, params, **{**options, "owner": self._asker})

    def _record(self, request: Request, report: Report | None, result: Result) -> str | None:
        blind = replace(request, messages=(), raw=None, window=None, owner=self._asker)
        told = None if report is None else replace(report, prompt=None, response={})
        return self._engine.traces.record(
            blind, told, result, backend=self.backend.name, model=self._name, body=self._sent, secrets=self._secrets
        )


@dataclass(frozen=True)
class Wish:
    """What somebody asks of an offer: the messages with theirs last, the parameters that they named, further fields of
    the request, and the body as they sent it, for the trace.
    """

    asker: str
    messages: Sequence[Message]
    params: Mapping[str, Any] = field(default_factory=dict)
    extra: Mapping[str, Any] = field(default_factory=dict)
    body: Mapping[str, Any] = field(default_factory=dict)
    sees: bool = False  # a teacher's own traces are whole


@dataclass(frozen=True)
class _Spoken(Conversation):
    """A conversation that came as messages: they are sent as they came, tool calls included."""

    said: tuple[Message, ...] = ()

    def messages(self, leaf: str | None = None) -> tuple[Message, ...]:
        led = (Message("system", self.settings.system),) if self.settings.system.strip() else ()
        return (*led, *self.said)


class Speaking:
    """An offer's answer on its way, made as a conversation's is: iterate it once, `stop()` it from any thread.

    Iterating raises EngineError before the first word. `grounding` is there once `Grounded` has come.
    """

    def __init__(self, engine: Engine, offer: Offer, wish: Wish) -> None:
        self.grounding: Grounding | None = None
        self._engine, self._offer, self._wish = engine, offer, wish
        self._generation: Generation | None = None
        self._stopped = False

    def __iter__(self) -> Iterator[Grounded | Event]:
        """Heartbeats while passages are looked for, `Grounded` where there are any, then the events of a Generation."""
        from engine.rag.answering import Grounded

        model = opened(self._engine, self._offer, self._wish)
        params = Params({**self._offer.preset.params, **self._wish.params}).over(model.defaults)
        tree, begun = spoken(self._offer, self._wish.messages)
        found = None
        if tree.settings.collections:
            found = yield from self._prepared(model, tree, params)
        if found is not None:
            self.grounding = found.grounding
            yield Grounded(found.grounding)
        self._generation = generation = self._begun(model, tree, params, begun, found)
        if self._stopped:
            generation.stop()
        yield from generation

    def stop(self) -> None:
        """Ask for the end; safe from any thread."""
        self._stopped = True
        if self._generation is not None:
            self._generation.stop()

    def _prepared(
        self, model: Model, tree: Conversation, params: Params
    ) -> Generator[Event, None, Prepared | None]:  # fmt: skip
        """Heartbeats until the publisher's collections have been searched; returns what they gave."""
        from engine.generation import HEARTBEAT_S
        from engine.rag.chatting import prepared
        from engine.rag.retrieval import Asking

        threads = ThreadPoolExecutor(1, "grounding")
        working = threads.submit(
            prepared, self._engine, self._offer.owner, model, tree, tree.leaf, params,
            stopped=lambda: self._stopped, asking=Asking("teacher"),
        )  # fmt: skip
        try:
            while not wait([working], HEARTBEAT_S).done:
                yield Heartbeat()
        finally:
            self._stopped = self._stopped or not working.done()
            threads.shutdown(wait=False)
        return working.result()

    def _begun(
        self, model: Model, tree: Conversation, params: Params, begun: str, found: Prepared | None
    ) -> Generation:
        from engine.asked import Summaries, asked, planned
        from engine.rag.said import say

        asker = self._wish.asker
        if found is not None and found.passages is None:
            return say(found.said, asker, self._offer.name)
        what = asked(model, tree, tree.leaf, begun, found.passages if found else None).for_an_answer(begun)
        what = replace(what, extra={**what.extra, **self._wish.extra})
        writer = Summaries(asker).by(model, lambda: self._stopped)
        plan = planned(model, tree, what, params, summarize=writer)
        virtual = tree.settings.virtual_window if plan.prompt_tokens is not None else None
        return model.stream(plan.messages, params, owner=asker, virtual_window=virtual, window=plan.record(),
                            **what.options)  # fmt: skip


def opened(engine: Engine, offer: Offer, wish: Wish) -> Model:
    """The model behind the offer, opened with the publisher's powers: to publish it was to lend them. Raises
    UnknownModel.
    """
    model = engine.model(offer.model)
    return model if wish.sees else Unseen(model, offer.name, wish.asker, wish.body)


def spoken(offer: Offer, messages: Sequence[Message]) -> tuple[Conversation, str]:
    """The conversation that these messages are with the offer, and the answer that the last of them has begun.

    A client's own system prompts go behind the offer's: most templates know one.
    """
    theirs = [message.content for message in messages if message.role == "system"]
    turns = [message for message in messages if message.role != "system"]
    begun = turns.pop().content if turns and turns[-1].role == "assistant" and not turns[-1].extra else ""
    settings = offer.settings()
    system = "\n\n".join(text for text in (settings.system, *theirs) if text.strip())
    nodes = {
        str(n): Node(str(n), str(n - 1) if n else None, turn.role, turn.content, float(n))
        for n, turn in enumerate(turns)
    }
    leaf = str(len(turns) - 1) if turns else None
    settings = replace(settings, system=system)
    return _Spoken("published", nodes=nodes, leaf=leaf, settings=settings, said=tuple(turns)), begun
