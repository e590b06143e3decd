"""The steps that bring an older store up to the tables of today. Knows SQL only, never the present `engine.tables`.

A new store is created from `engine.tables` at the present version at once. To change a table: change it there, append a
step here (a function of its own file `vN_<what>.py`, which repeats in plain SQLAlchemy or SQL what changes and is never
edited again), and keep the old store as `tests/data/store/vN.sql`. A runner of 30 lines in place of Alembic: one
product, one line of versions, no branches, no autogeneration at run time.
"""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import Connection

from engine.migrations.v2_chats import chats
from engine.migrations.v3_collections import collections
from engine.migrations.v4_identity import identity
from engine.migrations.v5_keys import keys
from engine.migrations.v6_compare import compare

Step = Callable[[Connection], None]

MIGRATIONS: tuple[Step, ...] = (
    chats,
    collections,
    identity,
    keys,
    compare,
)  # the first one leads from version 1 to version 2
