"""The index as tables on a PostgreSQL server, which hosts share."""

from collections.abc import Iterable, Iterator
from contextlib import closing, contextmanager
from typing import Any

from django.db import DatabaseError

from sequence.index.engine import Engine

NO_SUCH_TABLE = ("42P01", "42703")
"""PostgreSQL's errors for tables and columns that are missing (its manual, appendix A)."""

MIGRATING = -1
"""The advisory lock of those who change the tables; the locks of segments are their numbers."""


class PostgreSQLEngine(Engine):
    """A server that syncs each commit, reuses room and looks after its files by itself."""

    name = "PostgreSQL"
    json_rows = (
        "(SELECT ordinality - 1 AS key, value::bigint"
        " FROM json_array_elements_text(%s) WITH ORDINALITY AS each (value, ordinality))"
        " AS numbered"
    )

    def is_damage(self, error: DatabaseError) -> bool:
        """Whether tables or columns are missing."""
        return getattr(error.__cause__, "sqlstate", None) in NO_SUCH_TABLE

    def remedy(self, error: DatabaseError) -> str:
        """Return what to do if tables are missing."""
        return "manage.py migrate creates it" if self.is_damage(error) else ""

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Hold an advisory lock, on a connection of its own: migrations end their transactions."""
        with closing(self._wrapper.copy()) as other, self._wrapper.cursor() as patient:
            other.set_autocommit(False)
            with other.cursor() as cursor:
                cursor.execute("SET LOCAL lock_timeout = 0")
                cursor.execute("SELECT pg_advisory_xact_lock(%s)", [MIGRATING])
            patient.execute("SET lock_timeout = '1min'")
            try:
                yield
            finally:
                patient.execute("RESET lock_timeout")
                other.rollback()

    def lock(self, cursor: Any, segments: Iterable[int]) -> None:
        """Take advisory locks, in order; wait for up to a minute, while look-ups wait for less."""
        cursor.execute("SET LOCAL lock_timeout = '1min'")
        for number in sorted(segments):
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [number])
