"""The index as SQLite's file: what is wrong with it as one, and how another one takes its place."""

import sqlite3
from contextlib import suppress
from pathlib import Path

from django.db import DatabaseError, connection

DAMAGED = "damaged.sqlite3"
"""The name that a damaged index is kept under, until there is another one."""

_DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file that is damaged, none of its own, or without our tables. A full disk,
say, or another process that writes, is something else."""

MIGRATE = "manage.py migrate makes it"
_REPAIR = "manage.py verify --repair makes it again"
_WAIT = "another process is writing to it: try again when it is done"
_REMEDIES = {
    sqlite3.SQLITE_ERROR: MIGRATE,
    sqlite3.SQLITE_CORRUPT: _REPAIR,
    sqlite3.SQLITE_NOTADB: _REPAIR,
    sqlite3.SQLITE_BUSY: _WAIT,
    sqlite3.SQLITE_LOCKED: _WAIT,
    sqlite3.SQLITE_FULL: "make room on its disk",
    sqlite3.SQLITE_READONLY: "let this user write to it and to its directory",
    sqlite3.SQLITE_CANTOPEN: "let this user write to it and to its directory",
}
"""By SQLite's primary result code. Of others, such as SQLITE_IOERR, the system's log tells more."""


def path() -> Path:
    """Where the index is."""
    return Path(connection.path)  # type: ignore[attr-defined]


def fault(check: str) -> str | None:
    """What SQLite's `check`, such as quick_check, finds wrong with it; None where nothing is.

    Raises DatabaseError where it cannot be looked at: `is_damage` tells what that means.
    """
    if _is_empty():
        # Not opened: that would wait for those who opened it when it was an index.
        connection.close()
        return "file is empty"
    with connection.cursor() as cursor:
        cursor.execute(f"PRAGMA {check}(1)")
        found = cursor.fetchone()
    return None if found == ("ok",) else str(found[0] if found else "nothing")


def is_damage(error: Exception) -> bool:
    """Whether SQLite says by the error that the file is damaged, or none of its own."""
    return kind(error) in _DAMAGES


def kind(error: Exception) -> int:
    """Return SQLite's primary result code of the error, which is Django's or its own."""
    cause = error.__cause__ if isinstance(error, DatabaseError) else error
    code: int = getattr(cause, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
    # The lower byte is the kind, the rest tells more of it.
    return code & 0xFF


def remedy(error: DatabaseError) -> str:
    """Return what to do about the error, in a clause; empty if that depends."""
    return _REMEDIES.get(kind(error), "")


def _is_empty() -> bool:
    """Return whether there is a file, which has no bytes; SQLite would call it an index.

    Asked of its name: to open and close it would drop the locks that the process has on it.
    """
    with suppress(FileNotFoundError):
        return path().stat().st_size == 0
    return False


def set_aside() -> Path:
    """Renames the index with its log of changes; returns where it is then."""
    connection.close()
    index = path()
    aside = index.with_name(DAMAGED)
    if not index.exists():
        return aside
    for suffix in ("-wal", "-shm", ""):
        # Each of them anew: the log of another index would be taken for this one's.
        aside.with_name(aside.name + suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            index.with_name(index.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside
