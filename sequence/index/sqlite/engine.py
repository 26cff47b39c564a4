"""The index as a file of SQLite's: what can be wrong with it, and how another takes its place."""

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from django.db import DatabaseError

from sequence.index.engine import Engine

DAMAGED = "damaged.sqlite3"
"""The name that a damaged index has until the next one is set aside."""

_DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file that is damaged, is no database, or lacks our tables. A full disk, or
another process that writes, is something else."""

_REPAIR = "manage.py verify --repair recreates it"
_WAIT = "another process is writing to it: try again when it is done"
_REMEDIES = {
    sqlite3.SQLITE_ERROR: "manage.py migrate creates it",
    sqlite3.SQLITE_CORRUPT: _REPAIR,
    sqlite3.SQLITE_NOTADB: _REPAIR,
    sqlite3.SQLITE_BUSY: _WAIT,
    sqlite3.SQLITE_LOCKED: _WAIT,
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_READONLY: "let this user write to it and to its directory",
    sqlite3.SQLITE_CANTOPEN: "let this user write to it and to its directory",
}
"""By SQLite's primary result code. Of others, such as SQLITE_IOERR, the system's log tells more."""


def code(error: Exception) -> int:
    """Return SQLite's primary result code of the error, which is Django's or its own."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    extended: int = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    return extended & 0xFF


def is_damage(error: Exception) -> bool:
    """Whether SQLite says by the error that the file is damaged or is no database of ours."""
    return code(error) in _DAMAGES


class SQLiteEngine(Engine):
    """A file in the data directory. A transaction has all of it, so none locks segments."""

    can_set_aside = True
    json_rows = "json_each(%s)"

    @property
    def name(self) -> str:  # type: ignore[override]
        """The file's name."""
        return str(self._wrapper.path.name)

    def structure_fault(self, check: str) -> str | None:
        """Return the first fault that SQLite's check finds."""
        if self._is_empty():
            # Not opened: that would wait for those who opened it when it was an index.
            self._wrapper.close()
            return "file is empty"
        with self._wrapper.cursor() as cursor:
            cursor.execute(f"PRAGMA {check}(1)")
            found = cursor.fetchone()
        return None if found == ("ok",) else str(found[0] if found else "nothing")

    def _is_empty(self) -> bool:
        """Whether there is a file without bytes, which SQLite would take for a new database.

        By its name: to open and close the file would drop the locks that this process has on it.
        """
        with suppress(FileNotFoundError):
            return bool(self._wrapper.path.stat().st_size == 0)
        return False

    def is_damage(self, error: DatabaseError) -> bool:
        """Whether the file is damaged, is no database, or lacks our tables."""
        return is_damage(error)

    def remedy(self, error: DatabaseError) -> str:
        """Return what to do about SQLite's result code."""
        return _REMEDIES.get(code(error), "")

    @contextmanager
    def exclusive(self) -> Iterator[None]:
        """Lock the file's directory."""
        directory = os.open(self._wrapper.path.parent, os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)

    @contextmanager
    def durable(self) -> Iterator[None]:
        """Sync the log at each commit.

        In WAL mode SQLite would do so later (`synchronous=NORMAL`): after a power cut rows would
        come back, and their files would not.
        """
        if self._wrapper.in_atomic_block:
            yield
            return
        self._execute("PRAGMA synchronous=FULL")
        try:
            yield
        finally:
            self._execute("PRAGMA synchronous=NORMAL")

    def shrink(self) -> None:
        """Rewrite the file, and then empty its log."""
        self._execute("VACUUM")
        self._execute("PRAGMA wal_checkpoint(TRUNCATE)")

    def _execute(self, statement: str) -> None:
        with self._wrapper.cursor() as cursor:
            cursor.execute(statement)

    def set_aside(self) -> None:
        """Rename the file and its log to DAMAGED, in place of what was there."""
        self._wrapper.close()
        path: Path = self._wrapper.path
        if not path.exists():
            return
        aside = path.with_name(DAMAGED)
        for end in ("-wal", "-shm", ""):
            # Remove each old one first: the log of another index would be taken for this one's.
            Path(f"{aside}{end}").unlink(missing_ok=True)
            with suppress(FileNotFoundError):
                Path(f"{path}{end}").rename(f"{aside}{end}")
