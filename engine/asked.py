"""What is sent to a model for the next message of a conversation: messages, a raw prompt, or less where not all fits.

Knows no thread and stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, cast

from engine.conversation import ChatSettings, Conversation, Node
from engine.errors import BadInput, NotSupported
from engine.params import Params
from engine.types import Message

if TYPE_CHECKING:
    from engine.model import Model
    from engine.models.configuration import Configuration
    from engine.window import Plan, Policy, Summarize

ALTERNATIVES = 5  # with the log-probability of each token, where they are shown


@dataclass(frozen=True)
class Asked:
    """The words of one request, before a window policy looked at them. `led`: the first message is the system prompt of
    the model's configuration, and not the conversation's.
    """

    messages: tuple[Message, ...]
    raw: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    led: bool = False

    @property
    def options(self) -> dict[str, Any]:
        """The options of `Model.request` that change the prompt."""
        return {"raw": self.raw, "extra": self.extra}

    @property
    def answers_at_end(self) -> int:
        """How many of the last messages are answers; the template of a chat allows one, which the model goes on with.

        llama.cpp: "Cannot have 2 or more assistant messages at the end of the list".
        """
        roles = [message.role for message in self.messages]
        return next((count for count, role in enumerate(reversed(roles)) if role != "assistant"), len(roles))

    def for_an_answer(self, prefill: str) -> Asked:
        """The same. Raises BadInput where an answer would follow an answer: nobody asked for it."""
        if self.answers_at_end > bool(prefill):
            raise BadInput("an answer follows a question, not an answer", what="message", reason="two_answers")
        return self

    def for_a_count(self) -> Asked:
        """The same, with an empty question after several answers, of which a server would count nothing."""
        return self if self.answers_at_end < 2 else replace(self, messages=(*self.messages, Message("user", "")))


class Summaries:
    """Writes the summaries of one conversation; what its model has summarized already it is not asked again."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self._made: tuple[Model, Summarize] | None = None
        self._stopped: Callable[[], bool] = lambda: False

    def by(self, model: Model, stopped: Callable[[], bool]) -> Summarize:
        """What writes them with this model, until `stopped`."""
        from engine.window import summarizer

        self._stopped = stopped
        if self._made is None or self._made[0] is not model:
            writer = summarizer(cast(Any, model), owner=self._owner, stopped=lambda: self._stopped())
            self._made = (model, writer)
        return self._made[1]


def asked(
    model: Model, conversation: Conversation, leaf: str | None, prefill: str = "", passages: str | None = None
) -> Asked:
    """What to send for an answer after `leaf` that begins with `prefill`. Raises BadInput, BadTemplate, NotSupported.

    `passages` go before the last question. In raw mode it is the last text as it stands, and nothing before it.
    """
    from engine.window.retrieved import joined, placed

    here = conversation.at(leaf)
    settings = wished(here.settings, model.configuration, here.path())
    here = replace(here, settings=settings)
    messages = here.messages() if passages is None else placed(here.messages(), passages)
    if settings.mode == "raw":
        path = here.path()
        raw = (path[-1].message().content if path else "") + prefill
        return Asked((), raw, _extra(model, settings, prefill))
    if settings.template:
        raw = _rendered(model, settings.template, joined(messages)) + prefill
        return Asked((), raw, _extra(model, settings, prefill))
    begun = (Message("assistant", prefill),) if prefill else ()  # llama.cpp goes on writing a last message of its own
    led = settings.system != conversation.settings.system
    return Asked((*messages, *begun), None, _extra(model, settings, prefill), led)


def wished(settings: ChatSettings, configuration: Configuration, path: Sequence[Node] = ()) -> ChatSettings:
    """The settings, with the system prompt and the form of answers that the model's configuration says where neither
    they nor the first message say one.
    """
    changes: dict[str, Any] = {}
    if not (settings.system.strip() or (path and path[0].role == "system")) and configuration.prompt.system:
        changes["system"] = configuration.prompt.system
    output = configuration.output
    if output is not None and settings.output_kind == "text" and settings.mode == "chat":
        changes |= {"output_kind": output.kind, "output_source": output.source}
    return replace(settings, **changes) if changes else settings


def planned(
    model: Model, conversation: Conversation, what: Asked, params: Params, *, summarize: Summarize | None = None
) -> Plan:
    """What of it goes into the window, by the conversation's policy. Raises PromptTooLong.

    Without `summarize` no summary is written, but room is left for it.
    """
    from engine.window import plan
    from engine.window.retrieved import Joining, places, sent

    settings = conversation.settings
    policy: Policy = "stop"
    if what.raw is None:  # a raw prompt has no parts that could go
        policy = settings.policy  # type: ignore[assignment]
    window = settings.virtual_window
    found = places(what.messages)
    made = plan(Joining(model) if found else model, what.messages, params, policy, virtual_window=window,
                retrieved=found, summarize=summarize, **what.options)  # fmt: skip
    return replace(sent(made, found), led=what.led)


def _rendered(model: Model, template: str, messages: tuple[Message, ...]) -> str:
    from engine.backends.llamacpp import LlamaCpp
    from engine.templates import render

    if "raw_completion" not in model.capabilities:
        raise NotSupported(capability="raw_completion", backend=model.backend.name)
    marks = model.backend.marks() if isinstance(model.backend, LlamaCpp) else {}
    return render(template, messages, bos=marks.get("bos", ""), eos=marks.get("eos", ""))


def _extra(model: Model, settings: ChatSettings, prefill: str) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if settings.output_kind != "text" and not prefill:  # a grammar would begin anew in the middle of the text
        extra.update(_form(model, settings))
    if settings.token_view and "logprobs" in model.capabilities:
        extra.update(logprobs=True, top_logprobs=ALTERNATIVES)
    return extra


def _form(model: Model, settings: ChatSettings) -> dict[str, Any]:
    """The fields that hold the answer to its form. Raises BadInput, NotSupported."""
    from engine.output import Output

    output = Output(settings.output_kind, settings.output_source)
    if settings.output_kind not in model.capabilities:
        raise NotSupported(capability=settings.output_kind, backend=model.backend.name)
    output.check()
    return output.extra() if "grammar" in model.capabilities else output.openai()
