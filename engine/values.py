"""Small values that a person keeps: language, model, parameters. Knows no meaning of any."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete, func, select

from engine.errors import BadInput
from engine.store import Store
from engine.tables import dumps, values

VALUE_MAX = 64 * 1024
NAME_MAX = 200
NAMES_MAX = 500


class Values:
    """JSON values by owner and name. Raises StoreFailed."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def get(self, owner: str, name: str, default: Any = None) -> Any:
        """The value, `default` where there is none."""
        query = select(values.c.value).where(values.c.owner == owner, values.c.name == name)
        with self._store.read() as connection:
            row = connection.execute(query).first()
        return row[0] if row else default

    def all(self, owner: str) -> dict[str, Any]:
        """Every value of the person by name."""
        query = select(values.c.name, values.c.value).where(values.c.owner == owner).order_by(values.c.name)
        with self._store.read() as connection:
            return {row.name: row.value for row in connection.execute(query)}

    def under(self, owner: str, prefix: str) -> dict[str, Any]:
        """The values whose names begin so, by name."""
        begins = values.c.name.startswith(prefix, autoescape=True)
        query = select(values.c.name, values.c.value).where(values.c.owner == owner, begins).order_by(values.c.name)
        with self._store.read() as connection:
            return {row.name: row.value for row in connection.execute(query)}

    def set(self, owner: str, name: str, value: Any) -> None:
        """Keep the value; None forgets it. Raises BadInput above 64 KiB of JSON, 200 letters of name, 500 names."""
        if value is None:
            return self.drop(owner, name)
        _check("name", len(name), NAME_MAX)
        _check("value", len(dumps(value).encode()), VALUE_MAX)
        with self._store.write() as connection:
            query = select(func.count()).where(values.c.owner == owner, values.c.name != name)
            _check("names", connection.execute(query).scalar_one() + 1, NAMES_MAX)
            self._store.upsert(connection, values, {"owner": owner, "name": name, "value": value})

    def drop(self, owner: str, name: str) -> None:
        """Forget the value, if there is one."""
        with self._store.write() as connection:
            connection.execute(delete(values).where(values.c.owner == owner, values.c.name == name))


def _check(what: str, size: int, limit: int) -> None:
    if size > limit:
        raise BadInput(f"{what}: {size} is more than {limit}", what=what, size=size, limit=limit)
