"""The database that holds the index, and what differs between the two that can.

The engine of a connection is a part of its Django backend: sequence/index/sqlite, for a file of the
data directory, or sequence/index/postgresql, for a server that hosts share.
"""

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import DatabaseError, connection
from django.db.backends.base.base import BaseDatabaseWrapper


class Engine:
    """What a database can do for the index; by default nothing, if nothing is needed."""

    name: str
    """What the index is called in sentences."""
    can_set_aside = False
    """Whether an index that is damaged beyond use is a file that can give way to another one."""
    json_rows: str
    """SQL: a list in JSON, given as a parameter, as rows of `key`, from 0, and `value`."""

    def __init__(self, wrapper: BaseDatabaseWrapper) -> None:
        self._wrapper: Any = wrapper

    def structure_fault(self, check: str) -> str | None:  # noqa: ARG002
        """Return what SQLite's check finds wrong below the tables; None if nothing is."""
        return None

    def is_damage(self, error: DatabaseError) -> bool:
        """Whether the error says that the index is damaged or lacks tables: recreate it."""
        raise NotImplementedError

    def remedy(self, error: DatabaseError) -> str:
        """Return what to do about the error, in a clause; empty if that depends."""
        raise NotImplementedError

    def exclusive(self) -> AbstractContextManager[None]:
        """Wait until no other process changes the tables, and keep others from it."""
        raise NotImplementedError

    def lock(self, cursor: Any, segments: Iterable[int]) -> None:
        """Have no other transaction of any host write about these segments until this one ends."""

    def durable(self) -> AbstractContextManager[None]:
        """Have each commit of the block survive a power cut before the block goes on.

        For rows that files follow. Within a transaction nothing is committed: nothing changes.
        """
        return nullcontext()

    def shrink(self) -> None:
        """Give the disk back what deleted rows have left."""

    def set_aside(self) -> None:
        """Rename what is damaged beyond use, so that another index can take its place."""


def current() -> Engine:
    """Return the engine of the index, on this thread's connection."""
    engine: Engine = connection.engine  # type: ignore[attr-defined]
    return engine


def said(error: DatabaseError) -> str:
    """Return what the error says, without the lines in which PostgreSQL goes into details."""
    return str(error).partition("\n")[0]


def release_connection() -> None:
    """Return this thread's connection to the pool, if there is one.

    Before what lasts: a stream as slow as its reader, or the building of a segment.
    """
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
