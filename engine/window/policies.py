"""Which messages are sent when not all fit into the window, decided on exact counts before anything is sent.

* stop: everything or nothing; a prompt of n ≥ window tokens is refused, as llama.cpp does.
* rolling: system messages stay, the oldest turns go first (LM Studio's rolling window). A turn, which is a question
  with all that follows it, goes as a whole: many templates refuse a history that begins with an answer.
* truncate_middle: system messages and the first question stay, then as many messages at the end as fit (LM Studio's
  truncate middle). Where the first and the last turn alone are too long, the middle of their long messages is cut.
* summarize: like rolling, and a summary of what goes is put into the system message.

The answer's reserve is `max_tokens`, but never more than a quarter of the window: a larger or boundless `max_tokens`
must not drive the conversation out. Policies other than stop make room for prompt and reserve; where nothing more may
be dropped the reserve shrinks, and a prompt that still fills the window is refused.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from engine.errors import PromptTooLong
from engine.params import Params
from engine.types import Message
from engine.window.counting import Countable, Counter, beginning, counter, ends, segments
from engine.window.values import Draft, Plan, Policy

Summarize = Callable[[tuple[Message, ...], int], str]  # of these messages, in at most so many tokens

RESERVE_SHARE = 4
SUMMARY_SHARE = 8
SUMMARY_MAX = 256  # tokens
SUMMARY_MARGIN = 16  # tokens of its heading, and of the words where it joins the rest
GAP_TOKENS = 8  # at most what the mark of a cut costs: a message must not grow by being cut


def plan(
    model: Countable,
    messages: Iterable[Message],
    params: Params | None = None,
    policy: Policy = "stop",
    *,
    virtual_window: int | None = None,
    retrieved: frozenset[int] = frozenset(),
    summarize: Summarize | None = None,
    **request_options: Any,
) -> Plan:
    """What to send of these messages. Raises PromptTooLong when nothing more may be dropped.

    `retrieved` are indices of passages that were looked up. Without `summarize` no summary is made, but room is left
    for it: a preview. `request_options` are those of `Model.request` that change the prompt (`raw`, `extra`). Costs
    2 + log2(turns) counts and one to four for the segments; each is two quick calls of llama.cpp's server.
    """
    draft = Draft.of(messages)
    exact = "exact_count" in model.capabilities
    count = counter(model, params, request_options)
    needed = count(draft.asked)  # loads the model if need be, so the window is asked for afterwards
    window = min((size for size in (model.window(), virtual_window) if size), default=None)
    if window is None or (policy == "stop" and not exact):
        return _plan(policy, draft, None, needed, exact)
    reserve = reserved((params or Params())["max_tokens"], window)
    room = _Room(count, window - reserve, window, retrieved)
    if policy != "stop" and needed > room.limit:
        draft = _POLICIES[policy](draft, room, summarize)
    sent = count(draft.messages())
    if not exact:
        return _plan(policy, draft, window, sent, exact)
    if sent >= window:
        raise PromptTooLong(sent, window)
    made = replace(_plan(policy, draft, window, sent, exact), needed=needed)
    return replace(made, segments=segments(count, draft, retrieved, window, reserve))


def reserved(max_tokens: int, window: int) -> int:
    """Tokens kept for an answer of `max_tokens` (-1: no limit): at most a quarter of the window."""
    most = window // RESERVE_SHARE
    return most if max_tokens < 0 else min(max_tokens, most)


def _plan(policy: Policy, draft: Draft, window: int | None, tokens: int, exact: bool) -> Plan:
    told = tokens if exact else None
    return Plan(policy, window, told, told, None, draft.messages(), draft.dropped, draft.cut, draft.summary,
                estimate=None if exact else tokens)  # fmt: skip


@dataclass(frozen=True)
class _Room:
    """What the policies go by: counts, tokens that a prompt may have, passages that stay with their question."""

    count: Counter
    limit: int
    window: int
    retrieved: frozenset[int]

    def fits(self, draft: Draft) -> bool:
        """Whether this prompt leaves the answer its reserve."""
        return self.count(draft.messages()) <= self.limit

    def first(self, last: int, made: Callable[[int], Draft]) -> Draft:
        """The first of the drafts 0 to `last` that fits, as they get smaller; the last one where none does. Costs
        log2(last) counts.
        """
        return made(bisect_left(range(last), True, key=lambda step: self.fits(made(step))))


def _rolling(draft: Draft, room: _Room, summarize: Summarize | None = None) -> Draft:
    """System messages and as many of the last turns as fit, at least one."""
    starts = _turns(draft.asked, room.retrieved)
    return room.first(max(0, len(starts) - 1), lambda step: _kept(draft.asked, 0, starts[step]) if step else draft)


def _truncate_middle(draft: Draft, room: _Room, summarize: Summarize | None = None) -> Draft:
    """System messages, the first question, and as many messages at the end as fit; then cut ones."""
    asked = draft.asked
    questions = [i for i, message in enumerate(asked) if message.role == "user" and i not in room.retrieved]
    head = questions[0] + 1 if questions else 0
    last_turn = max(_turns(asked, room.retrieved), default=0)
    tails = [i for i in range(head + 1, last_turn + 1) if asked[i].role not in ("system", "tool")]
    shorter = room.first(len(tails), lambda step: _kept(asked, head, tails[step - 1]) if step else draft)
    return shorter if room.fits(shorter) else _cut(shorter, room)


def _summarize(draft: Draft, room: _Room, summarize: Summarize | None) -> Draft:
    """System messages with a summary of the rest, and as many of the last turns as fit."""
    most = min(SUMMARY_MAX, room.window // SUMMARY_SHARE)
    shorter = _rolling(draft, replace(room, limit=room.limit - most - SUMMARY_MARGIN))
    refused = room.count(shorter.messages()) >= room.window
    if refused or summarize is None or not shorter.dropped:
        return shorter
    text = summarize(tuple(draft.asked[index] for index in shorter.dropped), most).strip()
    whole = replace(shorter, summary=text)
    if room.fits(whole):
        return whole
    pieces = room.count.pieces(text)
    # What the model wrote in `most` tokens may be more of them when it is read again
    return room.first(len(pieces), lambda less: replace(shorter, summary=beginning(pieces, len(pieces) - less)))


_POLICIES: Mapping[Policy, Callable[[Draft, _Room, Summarize | None], Draft]] = {
    "rolling": _rolling,
    "truncate_middle": _truncate_middle,
    "summarize": _summarize,
}


def _turns(asked: Sequence[Message], retrieved: frozenset[int]) -> list[int]:
    """Where turns begin: at what comes first, and at each question, or the passages just before it."""
    others = [index for index, message in enumerate(asked) if message.role != "system"]
    opening = [i for i in others if asked[i].role == "user" or i in retrieved]
    opening = opening or [i for i in others if asked[i].role != "tool"]
    return sorted({*others[:1], *(i for i in opening if i - 1 not in retrieved)})


def _kept(asked: tuple[Message, ...], head: int, tail: int) -> Draft:
    """System messages, what lies before `head`, and what lies from `tail` on."""
    return Draft(asked, tuple(i for i, message in enumerate(asked) if message.role == "system" or not head <= i < tail))


def _cut(draft: Draft, room: _Room) -> Draft:
    """The draft with every message but the system's cut to so many tokens that it fits: the long ones give."""
    # A message with pictures has its content in `extra`, in parts, which are not cut
    long = (i for i in draft.kept if draft.asked[i].role != "system" and "content" not in draft.asked[i].extra)
    pieces = {i: room.count.pieces(draft.asked[i].content) for i in long}

    longest = max(map(len, pieces.values()), default=0)

    def made(less: int) -> Draft:
        most = longest - less
        return replace(draft, cut={i: ends(own, most) for i, own in pieces.items() if len(own) > most + GAP_TOKENS})

    return room.first(longest, made)
