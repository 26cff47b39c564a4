"""Django's SQLite, for files that may be damaged, and disks that may fail for a moment."""

import sqlite3
from contextlib import nullcontext
from functools import cached_property
from threading import Event, Lock
from types import TracebackType
from typing import Any

from django.db import DatabaseError
from django.db.backends.sqlite3 import base
from django.db.utils import DatabaseErrorWrapper


class _Errors(DatabaseErrorWrapper):
    """Tells errors of the database, also where Python cannot decode their message.

    It quotes the damaged schema.
    """

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, UnicodeDecodeError):
            message = bytes(exc_value.object).decode(errors="backslashreplace")
            raise DatabaseError(message) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


_one_by_one = Lock()
_only_reading = Event()
"""Set after a connection that could only read, until one can write."""


def _assert_writable(connection: sqlite3.Connection) -> None:
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("BEGIN IMMEDIATE")
        # What can be read only begins to read, and says nothing until it is written to.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("ROLLBACK")
        _only_reading.clear()
    except sqlite3.OperationalError as error:
        # The lower byte is the kind, the rest tells more of it.
        kind = error.sqlite_errorcode & 0xFF
        if kind == sqlite3.SQLITE_READONLY:
            _only_reading.set()
        # Another one that is writing is no fault.
        if kind != sqlite3.SQLITE_BUSY:
            raise
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the index, which can be written to."""

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """A connection; raises OperationalError where it could only read.

        A file that cannot be opened to write is opened by SQLite to read; and the one beside the
        index by which connections share memory (`-shm`) stays so for the whole process, as long as
        any of them is open. After a fault of a moment nothing would be stored any more.
        """
        # Until one can write: of many that are opened at once one would always hold that file.
        with _one_by_one if _only_reading.is_set() else nullcontext():
            return self._opened(conn_params)

    def _opened(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        opened: list[sqlite3.Connection] = []

        def noted(*arguments: Any, **named: Any) -> sqlite3.Connection:
            opened.append(sqlite3.Connection(*arguments, **named))
            return opened[-1]

        try:
            connection: sqlite3.Connection = super().get_new_connection(
                conn_params | {"factory": noted}
            )
            # Of an index that is said to be immutable nobody expects that.
            if "immutable=1" not in str(conn_params["database"]):
                _assert_writable(connection)
        except BaseException:
            # At once, and not when the error is forgotten, which refers to it.
            for each in opened:
                each.close()
            raise
        return connection

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """What all that may fail in the database runs within."""
        return _Errors(self)
