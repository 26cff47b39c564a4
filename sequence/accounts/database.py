"""The admin's accounts, rights and sessions: original data, which nothing can build again.

They have a database of their own, accounts.sqlite3, or share the PostgreSQL that has the index.
Nothing here replaces or repairs that file. The accounts of older versions lay in the index, which
may be deleted: they are moved out of it.
"""

import logging
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from django.apps import apps
from django.contrib.auth import get_permission_codename, get_user_model
from django.contrib.auth.models import Permission
from django.contrib.contenttypes.models import ContentType
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, DatabaseError, IntegrityError, connections, transaction
from django.db.models import Model

from sequence import conf
from sequence.index import engine
from sequence.index.health import DERIVED
from sequence.index.sqlite.engine import DAMAGED, code, is_damage

log = logging.getLogger(__name__)

_ALIAS = "accounts"

_HEADER = b"SQLite format 3\0\x10\x00\x02\x02\x00\x40\x20\x20"
"""How every index begins: pages of 4 KiB, WAL mode (SQLite's file format, section 1.3)."""


def alias() -> str:
    """Return the name of their database in DATABASES."""
    return _ALIAS if _ALIAS in connections else DEFAULT_DB_ALIAS


def failed(error: BaseException) -> bool:
    """Whether the error comes from a database of their own."""
    return getattr(error.__cause__, "database", DEFAULT_DB_ALIAS) == _ALIAS


def sentence(error: Exception) -> str:
    """Return what is wrong with their database, and the remedy."""
    return (
        f"The accounts cannot be used ({error}). The text is served without them. If "
        f"{_ALIAS}.sqlite3 is damaged, stop the service, put the backup in its place or move it "
        "away, and run manage.py createsuperuser to build it if there is no backup."
    )


def prepare() -> None:
    """Create tables and permissions that are missing; move accounts out of an older index.

    Raises OSError and DatabaseError, also if their database is damaged.
    """
    if alias() != _ALIAS:
        return  # they come with those of the index
    for path in conf.data_dir().glob("*.sqlite3*"):
        with suppress(OSError):
            path.chmod(0o600)
    try:
        if not _is_complete():
            call_command("migrate", database=_ALIAS, verbosity=0, interactive=False)
        _move_out_of_index()
    finally:
        connections[_ALIAS].close()


def on_index_set_aside(**_: object) -> None:
    """Take the accounts out of an index that is damaged and about to be replaced."""
    try:
        prepare()
    except DatabaseError as error:
        if not (failed(error) and is_damage(error)):
            raise


def _index_path() -> Path:
    return Path(connections[DEFAULT_DB_ALIAS].path)  # type: ignore[attr-defined]


def _models() -> list[type[Model]]:
    found = apps.get_models(include_auto_created=True)
    return [model for model in found if model._meta.app_label not in DERIVED]


def _is_complete() -> bool:
    """Whether all tables are there, and the permissions of all models."""
    try:
        with connections[_ALIAS].cursor() as cursor:
            for model in _models():
                cursor.execute(f"SELECT 1 FROM {model._meta.db_table} LIMIT 0")  # noqa: S608
        found = set(Permission.objects.values_list("content_type__app_label", "codename"))
    except DatabaseError as error:
        if code(error) == sqlite3.SQLITE_ERROR:  # no such table
            return False
        raise
    expected = {
        (model._meta.app_label, codename)
        for model in apps.get_models()
        for codename in (
            *(get_permission_codename(act, model._meta) for act in model._meta.default_permissions),
            *(codename for codename, _ in model._meta.permissions),
        )
    }
    return expected <= found


def _move_out_of_index() -> None:
    """Copy the accounts that an index of an older version has, and then remove them there.

    After a power cut in between they are copied again, as long as there is no account.
    """
    path = _index_path()
    if not path.exists() or not path.stat().st_size:
        return
    tables = {model._meta.db_table for model in _models()}
    index = connections[DEFAULT_DB_ALIAS]
    try:
        left = tables & set(index.introspection.table_names())
    except DatabaseError as error:
        # SQLite also says READONLY if the header is damaged.
        if not (is_damage(error) or code(error) == sqlite3.SQLITE_READONLY):
            raise
        left = tables  # any of them may be there
    finally:
        index.close()
    if left and not get_user_model().objects.exists():
        lost = _copy_from_index()
        # For the permissions that models have got since.
        call_command("migrate", database=_ALIAS, verbosity=0, interactive=False)
        if lost:
            engine.current().set_aside()
            return
    with suppress(DatabaseError), index.cursor() as cursor:
        # Deleted rows are overwritten: no password's hash stays in the index.
        cursor.execute("PRAGMA secure_delete = ON")
        cursor.execute("PRAGMA foreign_keys = OFF")
        for table in left:
            cursor.execute(f"DROP TABLE IF EXISTS {table}")
        if left:
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    index.close()


def _copy_from_index() -> dict[str, str]:
    """Copy all that can be read, in one transaction; log and return what cannot be, and why."""
    lost: dict[str, str] = {}
    with (
        connections[DEFAULT_DB_ALIAS].wrap_database_errors,
        _legible_index() as path,
        closing(sqlite3.connect(path)) as old,
        transaction.atomic(_ALIAS),
        connections[_ALIAS].cursor() as cursor,
    ):
        # So that a damaged entry of the schema does not keep other tables from being read.
        old.execute("PRAGMA writable_schema = ON")
        names = {name for (name,) in _rows(old, "sqlite_master", ["name"], lost)}
        models = [model for model in _models() if model._meta.db_table in names]
        for model in models:
            table = model._meta.db_table
            columns = [str(field.column) for field in model._meta.local_concrete_fields]
            values = ", ".join(["%s"] * len(columns))
            cursor.execute(f"DELETE FROM {table}")  # noqa: S608
            for row in _rows(old, table, columns, lost):
                try:
                    cursor.execute(
                        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({values})",  # noqa: S608
                        row,
                    )
                except IntegrityError as error:
                    lost[table] = str(error)
        cursor.execute("PRAGMA foreign_key_check")
        for table, row_id, *_ in cursor.fetchall():
            cursor.execute(f"DELETE FROM {table} WHERE rowid = %s", [row_id])  # noqa: S608
            lost.setdefault(table, "rows that belong to what was lost")
    ContentType.objects.clear_cache()
    if models:
        log.info("The accounts have moved from %s into %s.sqlite3.", path.name, _ALIAS)
    for table, why in lost.items():
        log.error(
            "Of %s in the damaged index not all could be read (%s); it is kept as %s.",
            *(table, why, DAMAGED),
        )
    return lost


def _rows(
    old: sqlite3.Connection, table: str, columns: list[str], lost: dict[str, str]
) -> list[tuple[Any, ...]]:
    """Return the rows of the table, from both ends up to a damage, which is noted in `lost`."""
    rows: dict[int, tuple[Any, ...]] = {}
    for order in ("ASC", "DESC"):
        query = f"SELECT rowid, {', '.join(columns)} FROM {table} ORDER BY rowid {order}"  # noqa: S608
        try:
            for row_id, *row in old.execute(query):
                rows[row_id] = tuple(row)
            break
        except sqlite3.DatabaseError as error:
            if not is_damage(error):
                raise
            lost[table] = str(error)
    return list(rows.values())


@contextmanager
def _legible_index() -> Iterator[Path]:
    """Give the path of the index, or of a copy with the header that it must have."""
    path = _index_path()
    with path.open("rb") as opened:
        if opened.read(len(_HEADER)) == _HEADER:
            yield path
            return
    with TemporaryDirectory(dir=path.parent) as directory:
        copy = Path(directory, path.name)
        for end in ("", "-wal"):
            with suppress(FileNotFoundError):
                shutil.copyfile(f"{path}{end}", f"{copy}{end}")
        with copy.open("r+b") as opened:
            opened.write(_HEADER)
        yield copy
