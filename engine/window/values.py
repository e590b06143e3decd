"""What is decided about the window before a prompt is sent, as values. Knows no model and no policy's rules."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal, get_args

from engine.types import Message

Policy = Literal["stop", "rolling", "truncate_middle", "summarize"]
POLICIES: tuple[Policy, ...] = get_args(Policy)

GAP = "\n[…]\n"  # what the model reads where the middle of a message was cut
SUMMARY_HEAD = "Summary of the earlier conversation:\n"


@dataclass(frozen=True)
class Segments:
    """How the window is shared, in tokens; the first four add up to the prompt, all six to the window.

    `template` is what the template puts around the messages, a system prompt of its own included; a summary counts as
    history.
    """

    template: int
    system: int
    history: int
    retrieved: int
    reserved: int
    free: int

    @property
    def prompt_tokens(self) -> int:
        """Tokens of the prompt."""
        return self.template + self.system + self.history + self.retrieved


@dataclass(frozen=True)
class Plan:
    """What is sent, and what is not: `dropped` are indices into the messages given, `cut` the beginning and the end
    that are kept of a message whose middle is not.

    `needed` and `prompt_tokens` are exact counts, of everything and of what is sent; None where only the server counts.
    `estimate` is then the guess that the policy went by, and nothing else may be made of it. `foreseen`: the passages
    are not those that will be sent, but others of their number and length. `led`: before the conversation's messages
    stands a system prompt of the model's configuration.
    """

    policy: Policy
    window: int | None
    needed: int | None
    prompt_tokens: int | None
    segments: Segments | None
    messages: tuple[Message, ...]
    dropped: tuple[int, ...] = ()
    cut: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    summary: str | None = None
    estimate: int | None = None
    foreseen: bool = False
    led: bool = False

    @property
    def whole(self) -> bool:
        """Whether everything is sent as it is."""
        return not self.dropped and not self.cut

    def record(self) -> dict[str, Any]:
        """All but the messages, ready for JSON; `cut` gives how many characters are kept at both ends."""
        return {
            "policy": self.policy,
            "exact": self.prompt_tokens is not None,
            "window": self.window,
            "needed": self.needed,
            "prompt_tokens": self.prompt_tokens,
            "estimate": self.estimate,
            "segments": asdict(self.segments) if self.segments else None,
            "dropped": list(self.dropped),
            "cut": {str(index): {"head": len(head), "tail": len(tail)} for index, (head, tail) in self.cut.items()},
            "summary": self.summary,
        }


@dataclass(frozen=True)
class Draft:
    """A choice among the messages given: which are kept, which of those in part, and the summary of the others."""

    asked: tuple[Message, ...]
    kept: tuple[int, ...]
    cut: Mapping[int, tuple[str, str]] = field(default_factory=dict)
    summary: str | None = None

    @classmethod
    def of(cls, messages: Iterable[Message]) -> Draft:
        """All of them, whole."""
        asked = tuple(messages)
        return cls(asked, tuple(range(len(asked))))

    @property
    def dropped(self) -> tuple[int, ...]:
        """Indices of the messages that are not kept."""
        kept = frozenset(self.kept)
        return tuple(index for index in range(len(self.asked)) if index not in kept)

    def parts(self) -> list[tuple[int | None, Message]]:
        """The messages to send, each with its index; None for one that nobody wrote.

        A summary goes into the first system message: templates refuse a second one, or one that is not the first.
        """
        parts: list[tuple[int | None, Message]] = [(index, self._shown(index)) for index in self.kept]
        if not self.summary:
            return parts
        text = SUMMARY_HEAD + self.summary
        for place, (index, message) in enumerate(parts):
            if message.role == "system":
                joined = f"{message.content}\n\n{text}" if message.content else text
                parts[place] = (index, replace(message, content=joined))
                return parts
        return [(None, Message("system", text)), *parts]

    def messages(self) -> tuple[Message, ...]:
        """The messages to send."""
        return tuple(message for _, message in self.parts())

    def _shown(self, index: int) -> Message:
        message = self.asked[index]
        return replace(message, content=GAP.join(self.cut[index])) if index in self.cut else message
