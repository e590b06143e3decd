"""The endpoints of this installation: the rows of providers.toml, and those that the teacher typed over and beside
them. Holds no key.

A typed row lies in the store. It names the variable of its key, which the environment's owner set for it: one called
ATELIER_…_KEY, or that of a provider of providers.toml on that provider's own hosts. No other secret of the environment
can be sent anywhere by typing its name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import ValidationError

from engine.addresses import Reach, Resolver, checked, resolve
from engine.backends.line import is_here
from engine.connection import PLACES, Connection, Detected, detect, test, test_all
from engine.errors import AccessDenied, BackendError, BadInput, NotFound, TimedOut, Unreachable
from engine.person import LOCAL_OWNER
from engine.providers import COMMON_PARAMS, Provider, providers, typed_in, variable_problem
from engine.values import Values

__all__ = ["Connection", "Detected", "Endpoints", "detect", "test", "test_all"]

log = logging.getLogger(__name__)

Role = Literal["teacher", "student"]

NAME = "endpoints"
ROWS_MAX = 100
LOOK_UP_S = 5.0
RESERVED = frozenset({"endpoint", "openai-compatible"})  # the first is what a command line types for one run
_HERE = frozenset({"localhost", "127.0.0.1", "::1"})


class Endpoints:
    """Who reads sees the store as it is now: another process may have changed it. Thread safe.

    `private_hosts` are host:port pairs that may be typed while others share the machine, `changed` is told the id of a
    row that is another one now.
    """

    def __init__(
        self,
        values: Values,
        *,
        private_hosts: frozenset[str] = frozenset(),
        changed: Callable[[str], None] = lambda _: None,
        resolver: Resolver = resolve,
    ) -> None:
        self._values = values
        self._private_hosts = private_hosts
        self._changed = changed
        self._resolver = resolver

    def rows(self) -> dict[str, Provider]:
        """Every row by id: those of providers.toml, typed ones in their place or after them."""
        return providers() | self.typed()

    def typed(self) -> dict[str, Provider]:
        """The rows that somebody typed, by id."""
        found = {}
        for key, fields in (self._values.get(LOCAL_OWNER, NAME) or {}).items():
            try:
                found[key] = Provider.model_validate(fields)
            except ValidationError:  # another version wrote it; it stays as it is
                log.warning("the endpoint %s cannot be read and is left out", key)
        return found

    def row(self, row_id: str) -> Provider:
        """The row of that id. Raises NotFound."""
        rows = self.rows()
        if row_id not in rows:
            raise NotFound(f"no endpoint {row_id!r}; there are {', '.join(rows)}", what="endpoint", key=row_id)
        return rows[row_id]

    def add(self, fields: Mapping[str, Any], *, role: Role = "teacher", shared: bool = False) -> Provider:
        """The row of these fields, now kept; one of the same id is replaced, fields that are not given stay its own.

        `like` names a row whose nature a new one has. `shared` says that others use the machine: its addresses must be
        public then. Raises AccessDenied, BadInput (`what` is the field, `reason` endpoint_private for such an address).
        """
        _teacher(role)
        row = self._made(fields, shared)
        if shared:
            self.check(row)
        kept = dict(self._values.get(LOCAL_OWNER, NAME) or {})
        if row.id not in kept and len(kept) >= ROWS_MAX:
            raise BadInput(f"there are {ROWS_MAX} endpoints already", what="endpoints", limit=ROWS_MAX)
        self._values.set(LOCAL_OWNER, NAME, {**kept, row.id: row.to_dict()})
        self._changed(row.id)
        return row

    def remove(self, row_id: str, *, role: Role = "teacher") -> None:
        """Forget a typed row; one of providers.toml is then again as it was. Raises AccessDenied, NotFound."""
        _teacher(role)
        kept = dict(self._values.get(LOCAL_OWNER, NAME) or {})
        if row_id not in kept:
            raise NotFound(f"nobody typed an endpoint {row_id!r}", what="endpoint", key=row_id)
        del kept[row_id]
        self._values.set(LOCAL_OWNER, NAME, kept or None)
        self._changed(row_id)

    def test(self, row_id: str, key: str | None = None, *, role: Role = "teacher") -> tuple[Connection, ...]:
        """How each address of the row answers now. A student tests a public one with a key of their own. Raises
        AccessDenied, NotFound, BadInput.
        """
        row = self.row(row_id)
        self.admit(row, key, role)
        return test_all(row, key, reach=self.reach(row, role))

    def admit(self, row: Provider, key: str | None, role: Role) -> None:
        """Return if somebody of that role may ask the row now, and its addresses are such as it may have.

        A made-up key opens nothing inside our network to a student: what somebody typed and did not open to them must
        be public as a whole. Raises AccessDenied, BadInput (`reason` endpoint_private, endpoint_variable, _key),
        Unreachable, TimedOut.
        """
        admit(row, key, role)
        self._look_up(row, self.reach(row, role))

    def reach(self, row: Provider, role: Role = "teacher") -> Reach | None:
        """Where somebody of that role may connect to for the row, asked again at each connection: what a name led to
        when it was checked is not what it leads to now. None where anywhere.
        """
        if role == "teacher" or row.students or providers().get(row.id) == row:
            return self._public if row.public_only else None
        return partial(self._closed, row.id)

    def check(self, row: Provider) -> None:
        """Raises BadInput (`reason` endpoint_private) for a row that may have public addresses alone and has others,
        and for one whose variable is not its own.
        """
        check_variable(row)
        self._look_up(row, self.reach(row))

    def _made(self, fields: Mapping[str, Any], shared: bool) -> Provider:
        given = {name: None if value == "" else value for name, value in fields.items() if value is not None}
        row_id = str(given.get("id", ""))
        like = self.rows().get(str(given.pop("like", row_id)))
        base = {"params": COMMON_PARAMS} if like is None else _nature(like, same=like.id == row_id)
        try:
            row = Provider.model_validate({"name": row_id, **base, **given, "public_only": shared})
        except ValidationError as error:
            field = str(error.errors()[0]["loc"][0])
            reason = {"id": "endpoint_id", "base_url": "endpoint_address"}.get(field, "endpoint_field")
            raise BadInput(_sentence(error), what=field, reason=reason, name=field) from error
        if row_id in RESERVED:
            raise BadInput(f"{row_id} is no name for an endpoint", what="id", reason="endpoint_id")
        for url in (row.base_url, *row.addresses):
            typed_in(url)
        check_variable(row)
        other = {"base_env": None} if "base_url" in given else {}  # what is typed counts, whatever the environment says
        return row.model_copy(update={"local": all(map(is_here, (row.base_url, *row.addresses))), **other})

    def _look_up(self, row: Provider, reach: Reach | None) -> None:
        """Of several servers, one that nobody finds does not close the row: it is checked again at the connection."""
        lost: list[BackendError] = []
        urls = row.all_addresses() if reach is not None else ()
        for url in urls:
            try:
                reach(*_place(url), LOOK_UP_S) if reach else None
            except (Unreachable, TimedOut) as error:
                lost.append(error)
        if lost and len(lost) == len(urls):
            raise lost[0]

    def _public(self, host: str, port: int, seconds: float) -> list[str]:
        here = frozenset(f"{one}:{place}" for one in _HERE for _, place in PLACES)  # where `detect` looks anyway
        try:
            return checked(host, port, seconds, self._private_hosts | here, self._resolver)
        except BadInput as error:
            where = f"{host}:{port}"
            raise BadInput(error.message, what="base_url", reason="endpoint_private", address=where) from error

    def _closed(self, row_id: str, host: str, port: int, seconds: float) -> list[str]:
        try:
            return checked(host, port, seconds, frozenset(), self._resolver)
        except BadInput as error:  # which address it is, is not for a student to know
            raise AccessDenied(f"{row_id} is the teacher's to open", role="teacher") from error


def admit(row: Provider, key: str | None, role: Role) -> None:
    """A student has a key of their own and speaks to no server of this machine, unless the teacher opened the row to
    them. A stored row that names a secret of another kind, as older versions let it, is good for nobody without a key
    of their own. Looks nothing up: `Endpoints.admit` does. Raises AccessDenied, BadInput.
    """
    if role != "teacher" and not row.students and (key is None or row.local):
        raise AccessDenied(f"{row.id} is the teacher's to open", role="teacher")
    if key is None:
        check_variable(row)


def _place(url: str) -> tuple[str, int]:
    """Host and port."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


def _teacher(role: Role) -> None:
    if role != "teacher":
        raise AccessDenied("endpoints are the teacher's to change", role="teacher")


def _nature(like: Provider, *, same: bool) -> dict[str, Any]:
    """The fields that a row has from another: all when it is the same one, else those of the kind of server alone."""
    whole = like.model_dump(exclude={"id", "local", "public_only"})
    own = {"name", "base_url", "base_env", "addresses", "stream_hosts", "key_env", "students", "window"}
    return whole if same else {name: value for name, value in whole.items() if name not in own}


def check_variable(row: Provider) -> None:
    """Raises BadInput for a variable that is not made for typed rows, or another row's."""
    problem = variable_problem(row)
    if problem is None:
        return
    reason, other = problem
    if other is None:
        raise BadInput("the variable of a key is called ATELIER_…_KEY", what="key_env", reason=reason)
    text = f"{row.key_env} belongs to {other.name}, whose hosts are others"
    raise BadInput(text, what="key_env", reason=reason, key=row.key_env, name=other.name)


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
