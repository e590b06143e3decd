"""Blind votes: which pairs there are, what was voted, how the models stand. Asks no model; the pair under way is
engine.compare.blind.

A pair is a row from the moment that both answers are there; its vote is one change of this row, so that none is lost
and none counts twice. Its texts are its owner's; what others see are counts.
"""

from __future__ import annotations

import random
import secrets
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, func, or_, select, update

from engine.compare.ratings import WINNERS, Battle, Ratings, Winner, rate
from engine.compare.selfnaming import names_itself
from engine.compare.turns import Pair, Turns
from engine.errors import AccessDenied, BadInput, NotFound
from engine.person import LOCAL_OWNER, PersonRole
from engine.store import Store
from engine.tables import votes
from engine.values import Values

MODELS = "compare.arena"
TAG_MAX = 40
ROWS_MAX = 5000  # made here by one person
PENDING_S = 24 * 3600.0
SWEEP_S = 3600.0
CHUNK = 500  # votes of a file that are written at once: between two chunks others write
MANY = 1000  # votes from which on the board is counted no oftener than every BOARD_EVERY_S
BOARD_EVERY_S = 2.0
TAGS_SHOWN = 50
CONTESTANTS_MAX = 20


@dataclass(frozen=True)
class Vote:
    """A pair and what was said of it; `problem` is why it does not count (names_itself, not_blind). Times in seconds
    since 1970.
    """

    id: str
    left: str
    right: str
    winner: Winner | None
    tag: str
    problem: str | None
    question: str
    answers: tuple[str, str]
    created: float
    voted: float | None
    owner: str = ""

    @property
    def counted(self) -> bool:
        """Whether the board counts it."""
        return self.winner is not None and self.problem is None

    def to_dict(self) -> dict[str, Any]:
        """What is revealed after the vote, ready for JSON."""
        return {
            "left": self.left,
            "right": self.right,
            "winner": self.winner,
            "tag": self.tag,
            "counted": self.counted,
            "problem": self.problem,
        }


@dataclass(frozen=True)
class Board:
    """How the models stand: the ratings of the votes that count, those of one tag where it is of one; `uncounted` are
    votes that do not count, `tags` the tags with their votes, the most used first.
    """

    ratings: Ratings
    uncounted: int
    tag: str | None
    tags: tuple[tuple[str, int], ...]

    def to_dict(self) -> dict[str, Any]:
        """Ready for JSON."""
        tags = [{"tag": tag, "votes": count} for tag, count in self.tags]
        return {**self.ratings.to_dict(), "uncounted": self.uncounted, "tag": self.tag, "tags": tags}


class Arena:
    """The votes of one installation; thread safe. `offered` are the models that vie while the teacher chose none.
    Raises StoreFailed.
    """

    def __init__(
        self,
        store: Store,
        values: Values,
        offered: Callable[[], Sequence[str]] = tuple,
        *,
        clock: Callable[[], float] = time.time,
        chance: random.Random | None = None,
    ) -> None:
        self._store = store
        self._values = values
        self._offered = offered
        self._clock = clock
        self._lock = threading.Lock()
        self._boards: dict[str | None, tuple[tuple[Any, ...], Board, float]] = {}
        self._swept = 0.0
        self.turns = Turns(clock, chance or random.SystemRandom())

    def models(self) -> tuple[str, ...]:
        """The ids of the models that vie."""
        return tuple(self._values.get(LOCAL_OWNER, MODELS) or self._offered()[:CONTESTANTS_MAX])

    def choose(self, models: Iterable[str], *, role: PersonRole = "teacher") -> tuple[str, ...]:
        """These models vie from now on; none: those that are offered. Raises AccessDenied, BadInput."""
        _teacher(role)
        chosen = list(dict.fromkeys(str(model).strip()[:200] for model in models if str(model).strip()))
        if len(chosen) == 1 or len(chosen) > CONTESTANTS_MAX:
            raise BadInput(f"2 to {CONTESTANTS_MAX} models vie", what="models", reason="arena_models")
        self._values.set(LOCAL_OWNER, MODELS, chosen or None)
        self.turns.clear()
        return self.models()

    def draw(self, owner: str = LOCAL_OWNER, may: Callable[[str], bool] = lambda _: True) -> tuple[str, str]:
        """The models of a new pair, left and right: one of the pairs with the fewest rows, its sides by chance, of the
        models that this person may open and that do not rest. Raises BadInput where fewer than two are left.
        """
        models = [model for model in self.models() if may(model)]
        if len(models) < 2:
            raise BadInput("the arena needs two models", what="models", reason="arena_models")
        return self.turns.draw(owner, models, self._counts())

    def keep(
        self,
        owner: str,
        question: str,
        models: tuple[str, str],
        answers: tuple[str, str],
        *,
        tag: str = "",
        names: Iterable[str] = (),
    ) -> str:
        """The token of a new pair that waits for its owner's vote. `names` are more names of these models."""
        known = (*models, *names)
        problem = "names_itself" if any(names_itself(answer, known) for answer in answers) else None
        row = {
            "id": secrets.token_hex(16),
            "owner": owner,
            "created": self._clock(),
            "left_model": models[0],
            "right_model": models[1],
            "tag": clean_tag(tag),
            "problem": problem,
            "texts": {"question": question, "left": answers[0], "right": answers[1]},
        }
        # Brought from elsewhere are those that were made when they were voted on
        made_here = or_(votes.c.voted.is_(None), votes.c.voted != votes.c.created)
        with self._store.write() as connection:
            self._sweep(connection)
            mine = select(func.count()).select_from(votes).where(votes.c.owner == owner, made_here)
            if connection.execute(mine).scalar_one() >= ROWS_MAX:
                raise BadInput(f"{ROWS_MAX} pairs of one person", what="votes", reason="too_many_votes", limit=ROWS_MAX)
            connection.execute(votes.insert().values(**row))
        return str(row["id"])

    def vote(self, owner: str, token: str, winner: str) -> Vote:
        """The pair with its names, now that it is voted on. The same vote again changes nothing and is answered alike.
        Raises BadInput for another one, NotFound for a pair that is not this person's.
        """
        if winner not in WINNERS:
            raise BadInput(f"a vote is one of {', '.join(WINNERS)}", what="vote", known=list(WINNERS))
        mine = (votes.c.id == token) & (votes.c.owner == owner)
        with self._store.write() as connection:
            change = update(votes).where(mine, votes.c.winner.is_(None))
            connection.execute(change.values(winner=winner, voted=self._clock()))
            row = connection.execute(select(votes).where(mine)).mappings().first()
        if row is None:
            raise NotFound("no such pair", what="pair", key=token[:64])
        if row["winner"] != winner:
            raise BadInput("this pair was voted on already", what="vote", reason="voted", vote=row["winner"])
        return _vote(row)

    def mine(self, owner: str, limit: int = 100) -> tuple[Vote, ...]:
        """What this person voted, the newest first."""
        query = select(votes).where(votes.c.owner == owner, votes.c.winner.is_not(None))
        with self._store.read() as connection:
            rows = connection.execute(query.order_by(votes.c.voted.desc()).limit(limit)).mappings()
            return tuple(map(_vote, rows))

    def board(self, tag: str | None = None) -> Board:
        """How the models stand, over all votes or those of one tag; counted anew only after a change, and where there
        are many votes not at each.
        """
        wanted = clean_tag(tag) if tag else None
        with self._lock:
            state, now = self._state(), time.monotonic()
            known = self._boards.get(wanted)
            if known is None or (known[0] != state and (state[0] < MANY or now - known[2] >= BOARD_EVERY_S)):
                if len(self._boards) > TAGS_SHOWN:
                    self._boards.clear()
                known = self._boards[wanted] = (state, self._counted(wanted), now)
            return known[1]

    def all(self) -> tuple[Vote, ...]:
        """Every vote in its order, with its texts: for what may read them."""
        with self._store.read() as connection:
            query = select(votes).where(votes.c.winner.is_not(None)).order_by(votes.c.voted, votes.c.id)
            return tuple(_vote(row) for row in connection.execute(query).mappings())

    def add(self, owner: str, brought: Iterable[Vote]) -> int:
        """How many of these votes from elsewhere are new; those that are known already stay as they are. Written in
        chunks: a file that was cut short is brought again.
        """
        given, new = list({vote.id: vote for vote in brought}.values()), 0
        for start in range(0, len(given), CHUNK):
            chunk = given[start : start + CHUNK]
            with self._store.write() as connection:
                query = select(votes.c.id).where(votes.c.id.in_([vote.id for vote in chunk]))
                known = set(connection.execute(query).scalars())
                fresh = [_row(vote, owner) for vote in chunk if vote.id not in known]
                if fresh:
                    connection.execute(votes.insert(), fresh)
            new += len(fresh)
        self._recount()
        return new

    def clear(self, *, role: PersonRole = "teacher") -> int:
        """How many votes and pairs were deleted: all. Raises AccessDenied."""
        _teacher(role)
        with self._store.write() as connection:
            count = int(connection.execute(delete(votes)).rowcount)
        self.turns.clear()
        self._recount()
        return count

    def _recount(self) -> None:
        with self._lock:
            self._boards.clear()

    def _sweep(self, connection: Connection) -> None:
        """Delete the pairs of everybody that nobody came back to, once an hour."""
        now = self._clock()
        if now - self._swept >= SWEEP_S:
            connection.execute(delete(votes).where(votes.c.winner.is_(None), votes.c.created < now - PENDING_S))
            self._swept = now

    def _counts(self) -> Counter[Pair]:
        """The rows of each pair, those that do not count too: a model that always names itself takes no more turns."""
        query = select(votes.c.left_model, votes.c.right_model, func.count())
        with self._store.read() as connection:
            rows = connection.execute(query.group_by(votes.c.left_model, votes.c.right_model))
            found: Counter[Pair] = Counter()
            for left, right, count in rows:
                found[frozenset((left, right))] += count
        return found

    def _state(self) -> tuple[Any, ...]:
        query = select(func.count(), func.max(votes.c.voted)).where(votes.c.winner.is_not(None))
        with self._store.read() as connection:
            return tuple(connection.execute(query).one())

    def _counted(self, tag: str | None) -> Board:
        columns = (votes.c.left_model, votes.c.right_model, votes.c.winner, votes.c.tag, votes.c.problem)
        query = select(*columns).where(votes.c.winner.is_not(None)).order_by(votes.c.voted, votes.c.id)
        with self._store.read() as connection:
            rows = [row for row in connection.execute(query)]
        tags = Counter(row.tag for row in rows if row.tag and row.problem is None)
        wanted = [row for row in rows if tag is None or row.tag == tag]
        battles = [Battle(row.left_model, row.right_model, row.winner) for row in wanted if row.problem is None]
        return Board(rate(battles), len(wanted) - len(battles), tag, tuple(tags.most_common(TAGS_SHOWN)))


def clean_tag(tag: str) -> str:
    """The tag as it is kept: small letters, single blanks, at most 40 characters, nothing unprintable."""
    words = "".join(sign if sign.isprintable() else " " for sign in tag.casefold()).split()
    return " ".join(words)[:TAG_MAX].strip()


def _teacher(role: PersonRole) -> None:
    if role != "teacher":
        raise AccessDenied("the arena is the teacher's", role="teacher")


def _vote(row: Any) -> Vote:
    texts = row["texts"]
    return Vote(
        row["id"],
        row["left_model"],
        row["right_model"],
        row["winner"],
        row["tag"],
        row["problem"],
        texts["question"],
        (texts["left"], texts["right"]),
        row["created"],
        row["voted"],
        row["owner"],
    )


def _row(vote: Vote, owner: str) -> dict[str, Any]:
    return {
        "id": vote.id,
        "owner": owner,
        "created": vote.created,
        "voted": vote.voted,
        "winner": vote.winner,
        "left_model": vote.left,
        "right_model": vote.right,
        "tag": vote.tag,
        "problem": vote.problem,
        "texts": {"question": vote.question, "left": vote.answers[0], "right": vote.answers[1]},
    }
