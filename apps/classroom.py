"""The class: its two codes, the cookies that they open, and a brake for those who guess. Knows no framework and no
person, only their random ids.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import asdict, dataclass
from ipaddress import ip_address, ip_network
from pathlib import Path
from typing import Literal

from itsdangerous import BadSignature, TimestampSigner

from engine.errors import BadFile

Role = Literal["student", "teacher"]

ALPHABET = "abcdefghjkmnpqrstuvwxyz23456789"  # nothing that a projector makes look like something else
STUDENT_LENGTH, TEACHER_LENGTH = 6, 12
CODES_LAST_S = 48 * 3600  # the sheet is printed the evening before
COOKIE_LASTS_S = 7 * 24 * 3600
TRIES, TRIES_PER_S = 20, 60.0


@dataclass(frozen=True)
class Codes:
    """What a student and the teacher type to come in."""

    student: str
    teacher: str

    @classmethod
    def drawn(cls) -> Codes:
        """Fresh codes: 30 and 59 bits."""
        return cls(_draw(STUDENT_LENGTH), _draw(TEACHER_LENGTH))


def _draw(length: int) -> str:
    return "".join(secrets.choice(ALPHABET) for _ in range(length))


def grouped(code: str) -> str:
    """The code as people read it aloud: "abc-def"."""
    return "-".join(code[start : start + 3] for start in range(0, len(code), 3))


class Classroom:
    """The codes and the signing key of one class, kept in a file that only its owner reads: after a restart the code
    on the board still opens the door, for two days. Raises BadFile where that file cannot be read or written.
    """

    def __init__(self, path: Path, now: Callable[[], float] = time.time) -> None:
        self._path = path
        self._now = now
        self._lock = threading.Lock()
        kept = self._read()
        self._secret = str(kept.get("secret") or secrets.token_urlsafe(32))
        self._created = float(kept.get("created") or 0)
        self.codes = Codes(str(kept.get("student", "")), str(kept.get("teacher", "")))
        if not (kept and 0 <= now() - self._created < CODES_LAST_S):
            self.renew()

    def renew(self) -> Codes:
        """New codes; who is already in stays in."""
        with self._lock:
            self.codes, self._created = Codes.drawn(), self._now()
            self._write()
            return self.codes

    def dissolve(self) -> Codes:
        """New codes and a new signing key: no cookie given out so far opens anything any more."""
        with self._lock:
            self._secret = secrets.token_urlsafe(32)
        return self.renew()

    def role(self, code: str) -> Role | None:
        """What a typed code opens; blanks, hyphens and capitals do not matter."""
        typed = "".join(char for char in code.lower() if char.isalnum()).encode()
        student = secrets.compare_digest(typed, self.codes.student.encode())
        teacher = secrets.compare_digest(typed, self.codes.teacher.encode())
        return "teacher" if teacher else "student" if student else None

    def cookie(self, person_id: str) -> str:
        """The signed cookie of a person: their random id, a time and a signature."""
        return self._signer().sign(person_id).decode("ascii")

    def person_id(self, cookie: str) -> str | None:
        """The id in a cookie; None if it is forged or older than a week."""
        try:
            return self._signer().unsign(cookie, max_age=COOKIE_LASTS_S).decode("ascii")
        except (BadSignature, UnicodeError):
            return None

    def _signer(self) -> TimestampSigner:
        return TimestampSigner(self._secret, salt="atelier.person")

    def _read(self) -> dict[str, object]:
        try:
            kept = json.loads(self._path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return {}
        except OSError as error:
            raise self._refused(error) from error
        except ValueError:  # half written by a full disk: a new class is better than no start
            return {}
        return kept if isinstance(kept, dict) else {}

    def _write(self) -> None:
        try:
            self._replace()
        except OSError as error:
            raise self._refused(error) from error

    def _refused(self, error: OSError) -> BadFile:
        reason = error.strerror or str(error)
        return BadFile(f"{self._path}: {reason}", path=str(self._path), reason=reason)

    def _replace(self) -> None:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        data = json.dumps({**asdict(self.codes), "secret": self._secret, "created": self._created})
        part = self._path.with_name(f"{self._path.name}.{os.getpid()}.part")
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            file.write(data)
        os.replace(part, self._path)


class Brake:
    """At most `tries` failures per address in `seconds`; a whole class behind one address only counts its mistakes.

    In IPv6, where everybody has 2^64 addresses to guess from, per network of those.
    """

    def __init__(self, tries: int = TRIES, seconds: float = TRIES_PER_S, now: Callable[[], float] = time.monotonic):
        self._tries, self._seconds, self._now = tries, seconds, now
        self._failures: dict[str, deque[float]] = {}

    def wait(self, address: str) -> float:
        """Seconds until this address may try again; 0 means now."""
        times = self._recent(source(address))
        return max(0.0, times[0] + self._seconds - self._now()) if len(times) >= self._tries else 0.0

    def failed(self, address: str) -> None:
        """Note a wrong code."""
        if len(self._failures) > 10_000:
            self._failures = {name: times for name in list(self._failures) if (times := self._recent(name))}
        self._failures.setdefault(source(address), deque(maxlen=self._tries)).append(self._now())

    def _recent(self, name: str) -> deque[float]:
        times = self._failures.get(name, deque())
        while times and times[0] <= self._now() - self._seconds:
            times.popleft()
        return times


def source(address: str) -> str:
    """What one guesser has: an IPv4 address, the /64 network of an IPv6 one, whatever else it is as it is."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return address
    if found.version == 4 or found.ipv4_mapped:
        return str(found if found.version == 4 else found.ipv4_mapped)
    return str(ip_network((found, 64), strict=False))
