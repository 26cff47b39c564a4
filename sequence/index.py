"""The index as a file: made where it is missing, and made anew where it is damaged."""

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from urllib.parse import unquote, urlsplit

from django.apps import apps
from django.contrib.auth import get_user_model
from django.core.management import call_command
from django.db import DatabaseError, connection
from django.dispatch import Signal

from sequence import conf
from sequence.background import Background
from sequence.errors import FiboError
from sequence.store.directory import SegmentDirectory

log = logging.getLogger(__name__)

DAMAGED = "damaged.sqlite3"
"""The name that a damaged index is kept under, until there is another one."""

_DAMAGES = (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR)
"""What SQLite says of a file that is damaged, none of its own, or without our tables. A full disk,
say, or another process that writes, is something else."""

_MAGIC = b"SQLite format 3\0"
"""SQLite's file format, section 1.3.1."""

restored = Signal()
"""Sent when an index that failed has been made anew, empty."""

restorers = Background(1, "index")


@contextmanager
def dispensable(what: str) -> Iterator[None]:
    """Lets its block fail, for want of the disk or of the index: answers can do without both.

    `what` says in the log what the block was to do. The index is looked at meanwhile.
    """
    try:
        yield
    except (FiboError, OSError) as error:
        log.error("%s failed: %s", what, error)
    except DatabaseError as error:
        log.error("%s failed: the index says: %s", what, error)
        # Opened again, it may be another file.
        connection.close()
        restorers.soon("index", _restore_and_tell)


def _restore_and_tell() -> None:
    if restore():
        restored.send(None)


def fault(check: str = "quick_check") -> str | None:
    """What is wrong with the index as a whole, in SQLite's words; None where nothing is.

    Looks at its structure and for its tables, and not at their rows; `integrity_check` takes
    longer and also compares each of SQLite's own indexes with its table. Raises DatabaseError
    where it cannot be looked at now.
    """
    if _is_something_else():
        # Not opened: that would wait for those who opened it when it was an index.
        connection.close()
        return "file is not a database"
    try:
        with connection.cursor() as cursor:
            cursor.execute(f"PRAGMA {check}(1)")
            found = cursor.fetchone()
            for model in apps.get_app_config("sequence").get_models():
                cursor.execute(f"{model._default_manager.order_by().query} LIMIT 0")
        return None if found == ("ok",) else str(found[0] if found else "nothing")
    except DatabaseError as error:
        connection.close()
        code = getattr(error.__cause__, "sqlite_errorcode", sqlite3.SQLITE_ERROR)
        # The lower byte is the kind, the rest tells more of it.
        if code & 0xFF in _DAMAGES:
            return str(error)
        raise


def _is_something_else() -> bool:
    """Whether there is a file that does not begin as SQLite's do, such as an empty one."""
    if connection.vendor != "sqlite":
        return False
    try:
        with _path().open("rb") as file:
            return file.read(len(_MAGIC)) != _MAGIC
    except FileNotFoundError:
        return False


def _path() -> Path:
    """Where the index is; without what a data directory that is read-only adds to its name."""
    name = str(connection.settings_dict["NAME"])
    return Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)


def restore(check: str = "quick_check") -> str | None:
    """Makes the index, empty, where it is missing or damaged; returns what was wrong with it.

    The damaged one is set aside. The admin's accounts, which nothing else knows, are carried over
    where they can be read. Raises OSError and DatabaseError where it cannot be made.
    """
    if fault(check) is None:
        return None
    with SegmentDirectory(conf.segments_dir()).sole_builder("index"):
        found = fault(check)
        if found is None:  # another process was faster
            return None
        with suppress(DatabaseError):
            call_command("migrate", verbosity=0, interactive=False)
        if fault(check):
            log.error("The index is damaged (%s); it is set aside and made anew.", found)
            aside = _set_aside()
            call_command("migrate", verbosity=0, interactive=False)
            _carry_over_accounts(aside)
        return found


def _set_aside() -> Path:
    """Renames the index with its log of changes; returns where it is then."""
    connection.close()
    path = _path()
    aside = path.with_name(DAMAGED)
    for suffix in ("-wal", "-shm", ""):
        # Each of them anew: the log of another index would be taken for this one's.
        aside.with_name(aside.name + suffix).unlink(missing_ok=True)
        with suppress(FileNotFoundError):
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside


def _carry_over_accounts(aside: Path) -> None:
    accounts = get_user_model()._meta.db_table
    with connection.cursor() as cursor:
        try:
            cursor.execute("ATTACH %s AS damaged", [str(aside)])
            cursor.execute(f"INSERT INTO {accounts} SELECT * FROM damaged.{accounts}")  # noqa: S608
        except DatabaseError as error:
            log.error("The accounts could not be read from %s (%s).", aside, error)
        finally:
            connection.close()
