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
    messages = conversation.messages(leaf) if leaf is not None else ()
    if settings.mode == "raw":
        path = conversation.path(leaf) if leaf is not None else ()
        raw = (path[-1].message().content if path else "") + prefill
        return Asked((), raw, _extra(model, settings, raw=True, prefill=prefill))
    if settings.template:
        raw = _rendered(model, settings.template, messages) + prefill
        return Asked((), raw, _extra(model, settings, raw=True, prefill=prefill))
    begun = (Message("assistant", prefill),) if prefill else ()  # llama.cpp goes on writing a last message of its own
    return Asked((*messages, *begun), None, _extra(model, settings, raw=False, prefill=prefill))


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
    from engine.templates import render

    if "raw_completion" not in model.capabilities:
        raise NotSupported(capability="raw_completion", backend=model.backend.name)
    marks = _marks(model)
    return str(render(template, messages, bos=marks["bos"], eos=marks["eos"]))


def _marks(model: Model) -> dict[str, str]:
    """What begins and ends a text for this model, as templates name it."""
    marks: dict[str, str] = getattr(model.backend, "marks", dict)()
    return {"bos": marks.get("bos", ""), "eos": marks.get("eos", "")}


def _extra(model: Model, settings: ChatSettings, *, raw: bool, prefill: str) -> dict[str, Any]:
    extra: dict[str, Any] = {}
    if settings.output_kind != "text" and not prefill:  # a grammar would begin anew in the middle of the text
        from engine.output import Output

        output = Output(settings.output_kind, settings.output_source)
        output.check()
        extra.update(output.extra())
    if settings.token_view and "logprobs" in model.capabilities:
        extra.update({"n_probs": ALTERNATIVES} if raw else {"logprobs": True, "top_logprobs": ALTERNATIVES})
    return extra
