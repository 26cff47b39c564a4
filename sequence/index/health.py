"""The index as a whole: whether it is usable, and how it is recreated if it is not."""

import logging
from contextlib import suppress

from django.apps import apps
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection

from sequence import conf, signals
from sequence.background import Background
from sequence.index import engine, rows
from sequence.store.directory import SegmentDirectory

log = logging.getLogger(__name__)

DERIVED = ("sequence", "procrastinate")
"""The apps whose tables are the index; those of the second are there if it is installed."""

index_thread = Background(1, "index")
"""For what concerns the whole index: to recreate it, and to reconcile it with the files."""


def fault(check: str = "quick_check") -> str | None:
    """Return what is wrong with the index as a whole, in its own words; None if nothing is.

    Looks at a file's structure and for the tables, and not at their rows; `integrity_check` takes
    longer and also compares each of SQLite's own indexes with its table. Raises DatabaseError if
    the index cannot be looked at now.
    """
    try:
        if found := engine.current().structure_fault(check):
            return found
        with connection.cursor() as cursor:
            for model in apps.get_models():
                if model._meta.app_label in DERIVED:
                    cursor.execute(f"{model._default_manager.order_by().query} LIMIT 0")
        return None
    except DatabaseError as error:
        connection.close()
        if engine.current().is_damage(error):
            return engine.said(error)
        raise


def recreate(check: str = "quick_check") -> str | None:
    """Recreate the index, empty, if it is missing or damaged; return what was wrong with it.

    Raises OSError and DatabaseError if that fails.
    """
    found = fault(check)
    if found is None:
        return None
    if not engine.current().can_set_aside:
        _migrate()
        return found
    with suppress(DatabaseError):
        _migrate()
    if fault(check):
        with SegmentDirectory(conf.segments_dir()).sole_builder("index"):
            if again := fault(check):  # else another process was faster
                signals.index_set_aside.send(None)
                log.error("The index is damaged (%s); it is set aside and recreated.", again)
                engine.current().set_aside()
                _migrate()
    return found


def submit_check() -> None:
    """Recreate the index in the background if it is missing or damaged."""
    index_thread.submit("index", _recreate_and_tell)


def _recreate_and_tell() -> None:
    if recreate():
        signals.index_recreated.send(None)


def _migrate() -> None:
    call_command("migrate", database=DEFAULT_DB_ALIAS, verbosity=0, interactive=False)
    rows.cache.clear()
