"""What is sent to a model for the next message of a conversation: messages, a raw prompt, or less where not all fits.

Knows no thread and stores nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from engine.conversation import ChatSettings, Conversation
from engine.errors import NotSupported
from engine.params import Params
from engine.types import Message

if TYPE_CHECKING:
    from engine.engine import Model
    from engine.window import Plan, Policy

ALTERNATIVES = 5  # with the log-probability of each token, where they are shown


@dataclass(frozen=True)
class Asked:
    """The words of one request, before a window policy looked at them."""

    messages: tuple[Message, ...]
    raw: str | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)

    @property
    def options(self) -> dict[str, Any]:
        """The options of `Model.request` that change the prompt."""
        return {"raw": self.raw, "extra": self.extra}


def asked(model: Model, conversation: Conversation, leaf: str | None, prefill: str = "") -> Asked:
    """What to send for an answer after `leaf` that begins with `prefill`. Raises BadInput, BadTemplate, NotSupported.

    In raw mode it is the last text as it stands, and nothing before it.
    """
    settings = conversation.settings
    here = conversation.at(leaf)
    messages = here.messages()
    if settings.mode == "raw":
        path = here.path()
        raw = (path[-1].message().content if path else "") + prefill
        return Asked((), raw, _extra(model, settings, prefill))
    if settings.template:
        raw = _rendered(model, settings.template, messages) + prefill
        return Asked((), raw, _extra(model, settings, prefill))
    begun = (Message("assistant", prefill),) if prefill else ()  # llama.cpp goes on writing a last message of its own
    return Asked((*messages, *begun), None, _extra(model, settings, prefill))


def planned(
    model: Model,
    conversation: Conversation,
    what: Asked,
    params: Params,
    *,
    owner: str = "local",
    stopped: Callable[[], bool] | None = None,
) -> Plan:
    """What of it goes into the window, by the conversation's policy. Raises PromptTooLong.

    With `stopped` a summary is really written; without, room is left for it.
    """
    from engine.window import plan, summarizer

    settings = conversation.settings
    policy: Policy = "stop"
    if what.raw is None:  # a raw prompt has no parts that could go
        policy = settings.policy  # type: ignore[assignment]
    writer = summarizer(cast(Any, model), owner=owner, stopped=stopped) if stopped and policy == "summarize" else None
    return plan(
        model, what.messages, params, policy, virtual_window=settings.virtual_window, summarize=writer, **what.options
    )


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
