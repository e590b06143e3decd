"""How many passages go into the prompt beside the conversation and the answer, on exact counts of what is sent.

Knows no search and no words of a prompt. History and passages share what the answer leaves: where not all fits,
passages may take two thirds and the window policy drops old turns from the rest; under the policy `stop` no turn goes.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import PromptTooLong
from engine.params import Params
from engine.rag.grounding import Source, left_out
from engine.types import Message
from engine.window.counting import Countable, Counter, beginning, counter
from engine.window.policies import reserved
from engine.window.retrieved import Joining, placed
from engine.window.values import Policy

SHARE = (2, 3)  # of the room for history and passages, at most, where there is a history that does not fit
SHORTEST = 16  # tokens that the beginning of a passage must have to be of any use

Block = Callable[[tuple[Source, ...]], str]  # what stands before the question with these passages


@dataclass(frozen=True)
class Fitted:
    """`sources` go into the prompt, `left_out` do not; `tokens` are those of the sources, None where nobody counts.
    Whether all that was asked for fits as it is, `whole` says.
    """

    sources: tuple[Source, ...]
    left_out: tuple[Source, ...] = ()
    tokens: int | None = None

    @property
    def whole(self) -> bool:
        """Whether every passage is sent as it is."""
        return not self.left_out and all(source.fate == "sent" for source in self.sources)


def fit(
    model: Countable,
    messages: Sequence[Message],
    sources: Sequence[Source],
    block: Block,
    params: Params | None = None,
    *,
    policy: Policy = "rolling",
    virtual_window: int | None = None,
    options: Mapping[str, Any] | None = None,
) -> Fitted:
    """The first passages that fit, numbered; where not even one does, the beginning of the first.

    `messages` are the conversation with its question last. Costs 2 + log2(passages) counts. Raises PromptTooLong where
    there is no room for any.
    """
    room = _Room.of(model, messages, block, params or Params(), policy, virtual_window, options or {})
    every = tuple(sources)
    if room.limit is None or not every or room.needed(every) <= room.limit:
        return Fitted(every, (), room.tokens(every))
    most = bisect_left(range(1, len(every) + 1), True, key=lambda n: not room.fits(every[:n]))
    kept = every[:most] or room.cut(every[0])
    dropped = every[len(kept) :]
    return Fitted(kept, tuple(map(left_out, dropped)), room.tokens(kept))


@dataclass(frozen=True)
class _Room:
    """Counts of the prompt with these or those passages, and the tokens that it may have; `limit` None: no window is
    known.
    """

    count: Counter
    messages: tuple[Message, ...]
    bare: tuple[Message, ...]  # without the turns that may go
    block: Block
    limit: int | None
    window: int | None
    exact: bool

    @classmethod
    def of(
        cls, model: Countable, messages: Sequence[Message], block: Block, params: Params, policy: Policy,
        virtual_window: int | None, options: Mapping[str, Any],
    ) -> _Room:  # fmt: skip
        """The room beside these messages; loads the model if need be."""
        count = counter(Joining(model), params, options)
        every = tuple(messages)
        count(every)  # a model that sleeps knows its window once it is loaded
        window = min((size for size in (model.window(), virtual_window) if size), default=None)
        limit = None if window is None else window - max(1, reserved(params["max_tokens"], window))
        bare = every if policy == "stop" else tuple(m for m in every[:-1] if m.role == "system") + every[-1:]
        return cls(count, every, bare, block, limit, window, "exact_count" in model.capabilities)

    def needed(self, sources: tuple[Source, ...]) -> int:
        """Prompt tokens with these passages and the whole conversation."""
        return self.count(placed(self.messages, self.block(sources)))

    def fits(self, sources: tuple[Source, ...]) -> bool:
        """Whether these passages leave the conversation and the answer what is theirs."""
        assert self.limit is not None
        if self.needed(sources) <= self.limit:
            return True
        if self.bare == self.messages:
            return False
        alone = self.count(self.bare)
        share, of = SHARE
        return self.count(placed(self.bare, self.block(sources))) <= alone + (self.limit - alone) * share // of

    def tokens(self, sources: tuple[Source, ...]) -> int | None:
        """What the passages cost, in tokens."""
        if not self.exact:
            return None
        return max(0, self.needed(sources) - self.count(self.messages)) if sources else 0

    def cut(self, source: Source) -> tuple[Source]:
        """The longest beginning of the passage that fits. Raises PromptTooLong."""
        pieces = self.count.pieces(source.text)

        def short(tokens: int) -> Source:
            return replace(source, fate="cut", sent=len(beginning(pieces, tokens)))

        lengths = range(SHORTEST, max(SHORTEST, len(pieces)) + 1)
        most = bisect_left(lengths, True, key=lambda tokens: not self.fits((short(tokens),)))
        if most == 0:
            raise PromptTooLong(self.count(placed(self.bare, self.block((short(SHORTEST),)))), self.window)
        return (short(lengths[most - 1]),)
