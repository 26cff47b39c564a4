"""The index as a whole: made where it is missing or damaged, and done without where it fails.

It is a file of SQLite's (sequence/index/sqlite), or tables on a PostgreSQL that hosts share.
"""

import fcntl
import logging
import os
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress

from django.apps import apps
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection

from sequence import conf, models
from sequence.accounts import database
from sequence.accounts.database import DERIVED
from sequence.background import Background
from sequence.errors import FiboError
from sequence.index.ratelimit import acquire
from sequence.index.sqlite import file
from sequence.signals import index_recreated
from sequence.store.directory import SegmentDirectory

log = logging.getLogger(__name__)

NO_SUCH_TABLE = ("42P01", "42703")
"""PostgreSQL's errors for tables and columns that are missing (its manual, appendix A)."""

MIGRATING = -1
"""The key of the lock of those who make the tables; those of segments are their numbers."""

restorers = Background(1, "index")


@contextmanager
def dispensable(what: str, key: str = "") -> Iterator[None]:
    """Log and swallow disk and index errors: a response can be computed without either.

    `what` says in the log what the block was to do: in one line a minute for each `key`, by default
    for each `what`. The index is checked in the background.
    """
    try:
        yield
    except (FiboError, OSError) as error:
        if acquire(key or what):
            log.error("%s failed: %s", what, error)
    except DatabaseError as error:
        # Opened again, it may be another file.
        connection.close()
        # While PostgreSQL cannot be reached nobody asks it, and there is nothing new to tell.
        if not getattr(error.__cause__, "repeats", False):
            if acquire(key or what):
                log.error("%s failed: the index says: %s", what, said(error))
            restorers.soon("index", _restore_and_tell)
    finally:
        give_back()


def give_back() -> None:
    """Gives the connection back that was asked by, where there is a pool of them.

    For before what lasts: a stream as slow as its reader, or the making of a segment.
    """
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()


def said(error: DatabaseError) -> str:
    """What the error says, without the lines in which PostgreSQL goes into details."""
    return str(error).partition("\n")[0]


def name() -> str:
    """What the index is called, where something is wrong with it."""
    return file.path().name if _is_file() else "PostgreSQL"


def _is_file() -> bool:
    return connection.vendor == "sqlite"


def _restore_and_tell() -> None:
    if restore():
        index_recreated.send(None)


def fault(check: str = "quick_check") -> str | None:
    """What is wrong with the index as a whole, in its own words; None where nothing is.

    Looks at a file's structure and for the tables, and not at their rows; `integrity_check` takes
    longer and also compares each of SQLite's own indexes with its table. Raises DatabaseError
    where it cannot be looked at now.
    """
    try:
        if _is_file() and (found := file.fault(check)):
            return found
        with connection.cursor() as cursor:
            for model in (each for each in apps.get_models() if each._meta.app_label in DERIVED):
                cursor.execute(f"{model._default_manager.order_by().query} LIMIT 0")
        return None
    except DatabaseError as error:
        connection.close()
        if is_missing(error):
            return said(error)
        raise


def is_missing(error: DatabaseError) -> bool:
    """Whether the error says that tables are missing; or, of a file, that it is damaged."""
    if _is_file():
        return file.is_damage(error)
    return getattr(error.__cause__, "sqlstate", None) in NO_SUCH_TABLE


def remedy(error: DatabaseError) -> str:
    """Return what to do about the error, in a clause; empty if that depends."""
    if _is_file():
        return file.remedy(error)
    return file.MIGRATE if is_missing(error) else ""


def restore(check: str = "quick_check") -> str | None:
    """Makes the index, empty, where it is missing or damaged; returns what was wrong with it.

    A damaged file is set aside, after the accounts were copied that an old one may have. Raises
    OSError and DatabaseError where it cannot be made.
    """
    found = fault(check)
    if found is None:
        return None
    if not _is_file():
        _migrate()
        return found
    with SegmentDirectory(conf.segments_dir()).sole_builder("index"):
        found = fault(check)
        if found is None:  # another process was faster
            return None
        with suppress(DatabaseError):
            _migrate()
        if fault(check):
            try:
                database.prepare()
            except DatabaseError as error:
                if not database.damaged(error):
                    raise
            log.error("The index is damaged (%s); it is set aside and made anew.", found)
            file.set_aside()
            _migrate()
        return found


def _migrate() -> None:
    call_command("migrate", database=DEFAULT_DB_ALIAS, verbosity=0, interactive=False)
    models.cache.forget()


@contextmanager
def sole_migrator() -> Iterator[None]:
    """Makes the caller the only one of all hosts that changes the tables; waits for another one.

    On PostgreSQL by a connection of its own: the migrations begin and end transactions on theirs.
    """
    if _is_file():
        directory = os.open(conf.data_dir(), os.O_RDONLY)
        try:
            fcntl.flock(directory, fcntl.LOCK_EX)
            yield
        finally:
            os.close(directory)
        return
    with closing(connection.copy()) as other, connection.cursor() as patient:
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
