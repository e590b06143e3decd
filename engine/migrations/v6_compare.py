"""Version 6: blind pairs of answers and the votes on them."""

from __future__ import annotations

from sqlalchemy import Column, Connection, Double, ForeignKey, Index, MetaData, Table, Text

_metadata = MetaData()
Table("people", _metadata, Column("id", Text, primary_key=True))

_VOTES = Table(
    "votes",
    _metadata,
    Column("id", Text, primary_key=True),
    Column("owner", Text, ForeignKey("people.id", ondelete="CASCADE"), nullable=False),
    Column("created", Double, nullable=False),
    Column("voted", Double),
    Column("winner", Text),
    Column("left_model", Text, nullable=False),
    Column("right_model", Text, nullable=False),
    Column("tag", Text, nullable=False),
    Column("problem", Text),
    Column("texts", Text, nullable=False),
    Index("votes_owner", "owner", "created"),
    Index("votes_voted", "voted"),
)


def compare(connection: Connection) -> None:
    """A new table."""
    _metadata.create_all(connection, tables=[_VOTES], checkfirst=False)
