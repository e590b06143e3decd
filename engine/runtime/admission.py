"""Who may start when, in which slot and from which saved prefix: pure bookkeeping, without clock, thread or HTTP.

The rules, with the measurements behind them in DESIGN.md:

* One prompt with more than `long_prompt` tokens to evaluate is read at a time; shorter ones pass it.
* A request whose long prefix is being read for somebody else waits for that and then starts from its saved state.
* Persons take turns (start-time fair queueing, Goyal et al. 1996); work that nobody waits for comes after the rest.
* Heavy prompts leave some slots free, so that a short question always finds one.
* Nobody is passed for ever: after `PATIENCE` × slots later starts, what stands behind a request waits for it.
* llama.cpp fills a batch in the order of slot numbers: long prompts go to the highest free slot, so that short ones
come
  first within a batch too.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from engine.errors import TooManyRequests
from engine.runtime.prefixes import Prefix, PrefixStore, common_prefix

HEAVY = 4  # a prompt of more than HEAVY × long_prompt tokens may not take a reserved slot, read or restored
PATIENCE = 4
RESTORE_GAIN = 64  # tokens that a restored state must save over the slot's own content: reading fewer is quicker


@dataclass(eq=False)
class Asked:
    """One request in the admission; `slot` is None while it waits, `reading` while its long prompt is evaluated."""

    tokens: tuple[int, ...]
    owner: str = "local"
    interactive: bool = True
    tag: float = 0.0
    number: int = 0
    passed: int = 0
    slot: int | None = None
    reading: bool = False


@dataclass(frozen=True)
class Start:
    """A request may start in `slot`: from the slot's own content or from `restore`, with `uncached` tokens left to
    read.
    """

    asked: Asked
    slot: int
    restore: Prefix | None
    cached: int

    @property
    def uncached(self) -> int:
        """Prompt tokens that must be evaluated."""
        return len(self.asked.tokens) - self.cached


@dataclass
class Slot:
    """What a slot holds: prompt tokens known one by one, then `generated` tokens known by number only."""

    id: int
    tokens: tuple[int, ...] = ()
    generated: int = 0
    used: int = 0
    asked: Asked | None = None

    def cached(self, tokens: Sequence[int]) -> int:
        """Tokens of a prompt that need no evaluation here; an answer that the prompt quotes next counts as known."""
        shared = common_prefix(self.tokens, tokens)
        if shared < len(self.tokens):
            return shared
        return min(shared + self.generated, len(tokens))


@dataclass
class Admission:
    """The queue and the slots of one runtime. Not thread safe: its owner holds a lock."""

    slots: int
    long_prompt: int = 256
    per_person: int | None = None
    limit: int = 512
    prefixes: PrefixStore | None = None
    waiting: list[Asked] = field(default_factory=list)
    table: list[Slot] = field(init=False)
    _clock: float = 0.0
    _tags: dict[str, float] = field(default_factory=dict)
    _count: int = 0

    def __post_init__(self) -> None:
        self.table = [Slot(number) for number in range(self.slots)]

    @property
    def reserved(self) -> int:
        """Slots that heavy prompts leave free: 2 of 8 or more, 1 of 2 or more."""
        return 2 if self.slots >= 8 else 1 if self.slots >= 2 else 0

    def enter(self, asked: Asked) -> None:
        """Queue a request. Raises TooManyRequests when `limit` wait already."""
        if len(self.waiting) >= self.limit:
            raise TooManyRequests(f"{self.limit} requests are waiting already", limit=self.limit)
        self._count += 1
        asked.number = self._count
        asked.tag = max(self._clock, self._tags.get(asked.owner, 0.0))
        self._tags = {owner: tag for owner, tag in self._tags.items() if tag > self._clock} | {
            asked.owner: asked.tag + 1
        }
        self.waiting.append(asked)

    def leave(self, asked: Asked, generated: int | None = None) -> None:
        """Take a request out, waiting or running; its slot then holds its prompt and `generated` tokens, or None:
        unknown.
        """
        if asked.slot is None:
            self.waiting.remove(asked)
            return
        slot = self.table[asked.slot]
        self._count += 1
        slot.asked, slot.generated, slot.used = None, generated or 0, self._count
        asked.slot, asked.reading = None, False
        if generated is None:
            self.empty(slot.id)

    def empty(self, slot: int) -> None:
        """Note that a slot's content is unknown, as after a failed restore or a cut evaluation."""
        self.table[slot].tokens, self.table[slot].generated = (), 0

    def has_read(self, asked: Asked) -> None:
        """The long prompt of `asked` is in its slot now."""
        asked.reading = False

    def start(self) -> Iterator[Start]:
        """Requests that may start now, in order; each is in its slot once it has been yielded."""
        passed: list[Asked] = []
        for asked in self.order():
            if found := self._place_for(asked):
                self._occupy(found)
                for earlier in passed:
                    earlier.passed += 1
                yield found
            elif self._is_overdue(asked):
                return
            else:
                passed.append(asked)

    def order(self) -> list[Asked]:
        """The queue, the next first."""
        return sorted(self.waiting, key=self._rank)

    def place(self, asked: Asked) -> int:
        """1 for the next in the queue; 0 for a request that does not wait."""
        return 1 + self.order().index(asked) if asked.slot is None and asked in self.waiting else 0

    def reader(self) -> Asked | None:
        """The request whose long prompt is being evaluated."""
        return next((slot.asked for slot in self.table if slot.asked and slot.asked.reading), None)

    def shares(self, asked: Asked) -> bool:
        """Whether `asked` waits for the very prefix that is being read now."""
        reader = self.reader()
        if reader is None or self.prefixes is None:
            return False
        return common_prefix(reader.tokens, asked.tokens) >= self._known(asked) + self.long_prompt

    def _rank(self, asked: Asked) -> tuple[bool, float, int]:
        return (not asked.interactive and not self._is_overdue(asked), asked.tag, asked.number)

    def _is_overdue(self, asked: Asked) -> bool:
        return asked.passed >= PATIENCE * self.slots and not self._at_cap(asked.owner)

    def _known(self, asked: Asked) -> int:
        """Most tokens of `asked` that a free slot or a saved state holds."""
        saved = self.prefixes.find(asked.tokens)[1] if self.prefixes else 0
        return max([saved, *(slot.cached(asked.tokens) for slot in self._free())])

    def _place_for(self, asked: Asked) -> Start | None:
        free = self._free()
        if len(asked.tokens) > HEAVY * self.long_prompt and len(free) <= self.reserved:
            return None
        if not free or self._at_cap(asked.owner):
            return None
        found = self._best_start(asked, free)
        if found.uncached > self.long_prompt and self.reader():
            return None
        return found

    def _best_start(self, asked: Asked, free: list[Slot]) -> Start:
        own = max(free, key=lambda slot: (slot.cached(asked.tokens), -slot.used, -slot.id))
        cached = own.cached(asked.tokens)
        prefix, saved = self.prefixes.find(asked.tokens) if self.prefixes else (None, 0)
        if prefix and saved >= cached + RESTORE_GAIN:
            return Start(asked, self._stranger(asked, free, saved).id, prefix, saved)
        if cached >= RESTORE_GAIN:
            return Start(asked, own.id, None, cached)
        slot = self._stranger(asked, free, cached)
        return Start(asked, slot.id, None, slot.cached(asked.tokens))

    def _stranger(self, asked: Asked, free: list[Slot], cached: int) -> Slot:
        """A free slot for a request that no slot knows: the highest for long prompts, else the longest unused below the
        reader.
        """
        if len(asked.tokens) - cached > self.long_prompt:
            return free[-1]
        reader = self.reader()
        below = [slot for slot in free if reader and reader.slot is not None and slot.id < reader.slot]
        return min(below or free, key=lambda slot: (slot.used, slot.id))

    def _occupy(self, start: Start) -> None:
        asked, slot = start.asked, self.table[start.slot]
        self.waiting.remove(asked)
        self._clock = max(self._clock, asked.tag)
        self._count += 1
        slot.asked, slot.tokens, slot.generated, slot.used = asked, asked.tokens, 0, self._count
        asked.slot, asked.reading = slot.id, start.uncached > self.long_prompt

    def _free(self) -> list[Slot]:
        return [slot for slot in self.table if slot.asked is None]

    def _at_cap(self, owner: str) -> bool:
        if self.per_person is None or owner == "local":
            return False
        running = Counter(slot.asked.owner for slot in self.table if slot.asked)
        return running[owner] >= self.per_person
