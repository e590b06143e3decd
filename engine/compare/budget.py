"""Money that must not be passed: what a call may cost at most is held back before it is sent. Knows no price."""

from __future__ import annotations

import threading
from collections.abc import Callable
from decimal import Decimal

Note = Callable[[str, str, Decimal], None]
ZERO = Decimal(0)


class Budget:
    """What is spent and held of `cap`; None is no cap. Thread safe.

    `note` is told of every hold ("hold") and of what it came to ("paid") before anything is sent and after, so that
    another run on the same file knows them: what was held and never paid counts as spent.
    """

    def __init__(self, cap: Decimal | None, spent: Decimal = ZERO, note: Note | None = None) -> None:
        self.cap = cap
        self._spent = spent
        self._note = note
        self._held: dict[str, Decimal] = {}
        self._closed = False
        self._changed = threading.Condition()

    @property
    def spent(self) -> Decimal:
        """What was spent, at most."""
        with self._changed:
            return self._spent

    @property
    def closed(self) -> bool:
        """Whether something did not fit: nothing that costs is begun after that."""
        return self._closed

    def hold(self, name: str, most: Decimal) -> bool:
        """Whether that much is held back under that name. Waits for what is under way where that may make room."""
        with self._changed:
            while self.cap is not None and most > 0:
                if self._closed:
                    return False
                if self._spent + sum(self._held.values(), ZERO) + most <= self.cap:
                    break
                if not self._held:
                    self.close()
                    return False
                self._changed.wait()
            if most > 0:
                self._tell("hold", name, most)
                self._held[name] = most
            return True

    def pay(self, name: str, amount: Decimal) -> None:
        """What the call of that name came to; the rest of what was held is free again."""
        with self._changed:
            held = self._held.get(name)
            if held is not None or amount > 0:
                self._tell("paid", name, amount)
            self._held.pop(name, None)
            self._spent += amount
            self._changed.notify_all()

    def close(self) -> None:
        """Begin nothing more that costs; who waits is told."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _tell(self, what: str, name: str, amount: Decimal) -> None:
        if self._note is not None:
            self._note(what, name, amount)
