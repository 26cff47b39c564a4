"""Django's SQLite, for files that may be damaged, and disks that may fail for a moment."""

import os
import sqlite3
from contextlib import closing, nullcontext, suppress
from datetime import UTC
from functools import cached_property
from pathlib import Path
from threading import Event, Lock
from time import monotonic
from types import TracebackType
from typing import Any
from urllib.parse import unquote, urlsplit
from weakref import WeakSet

from django.db import DatabaseError
from django.db.backends.sqlite3 import base, operations
from django.db.utils import DatabaseErrorWrapper

from sequence.index.sqlite.engine import SQLiteEngine, code
from sequence.store.lock import exclusive


class _Errors(DatabaseErrorWrapper):
    """Notes on each error which database it is of: `database`, an attribute of its cause.

    Also turns the error of a message that Python cannot decode, as it quotes a damaged schema,
    into one of the database.
    """

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if exc_value is not None:
            exc_value.database = self.wrapper.alias  # type: ignore[attr-defined]
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
        if code(error) == sqlite3.SQLITE_READONLY:
            _only_reading.set()
        # Another one that is writing is no fault.
        if code(error) != sqlite3.SQLITE_BUSY:
            raise
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")


def _text(value: bytes) -> str:
    """The text, its bytes that are not UTF-8 as escapes."""
    return value.decode(errors="backslashreplace")


class DatabaseOperations(operations.DatabaseOperations):
    """Django's, which read any value that a damaged row may hold."""

    def convert_datetimefield_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the time; or the value itself if it is none."""
        try:
            time = super().convert_datetimefield_value(value, expression, connection)
            if time is not None:
                time.astimezone(UTC)  # some have no such time, as year 9999 west of UTC
            return time
        except (AttributeError, OverflowError, TypeError, ValueError):
            return value


LOOK_EVERY_S = 1.0
"""How often a process looks whether a name still leads to the files that are open."""

_ENDS = ("", "-wal", "-shm")
"""Of the names of a database's files: SQLite's log, and the memory that its connections share."""

_creating = Lock()
_files: dict[Path, "_File"] = {}


class _File:
    """A database's file, and which one its name leads to: it may be deleted or replaced."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._connections: WeakSet[DatabaseWrapper] = WeakSet()
        self._noting = Lock()
        self._look_at = 0.0
        self._found: tuple[int, ...] = ()

    def create(self) -> None:
        """Create it, if it is missing, for its owner only, whatever the umask.

        SQLite gives its log the same mode, and syncs the directory with the first commit. If it
        cannot be created, SQLite says so.
        """
        # One at a time: to close a descriptor drops the locks that the process has on its file.
        with _creating, suppress(OSError):
            if self._path.exists():
                return
            with exclusive(Path(f"{self._path}.lock")):
                if not self._path.exists():
                    self._remove_leftovers()
                    self._make()

    def _remove_leftovers(self) -> None:
        """Remove what a deleted file has left beside its name.

        Connections to that file still use them. Those to the new one would take part in it: two
        databases in one log, and in shared memory that the first of them cuts to nothing, at which
        the kernel kills a process that reads it just then (SIGBUS).
        """
        for end in _ENDS[1:]:
            Path(f"{self._path}{end}").unlink(missing_ok=True)

    def _make(self) -> None:
        """Make the file, which has a log when it has its name.

        Else the first connections would wait for one another until it has one, each with a file
        open that may have lost its name when they open the log by name.
        """
        part = Path(f"{self._path}.part")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(part)) as made:
            made.execute("PRAGMA journal_mode = WAL")
        part.rename(self._path)

    def assert_filled(self) -> None:
        """Raise DatabaseError if the file was emptied: SQLite would take it for a new one."""
        with suppress(OSError):
            if not self._path.stat().st_size:
                raise sqlite3.DatabaseError("file is empty")

    def opening(self, wrapper: "DatabaseWrapper") -> tuple[int, int]:
        """Note that the connection opens the file that has the name now; return which one it is.

        Raises OperationalError as long as this process has another file open that shares its
        memory (`-shm`), as the one that had its name before can: to close either would drop the
        locks that the process has on that memory (POSIX). SQLite would take it for nobody's then,
        and cut it, and who has it mapped would die of SIGBUS.
        """
        with self._noting:
            now, memory = _which(str(self._path)), _which(f"{self._path}-shm")
            self._connections.add(wrapper)
            if not any(each.may_share(memory, now) for each in self._connections):
                wrapper.opened, wrapper.identity = now, ()
                return now
        self._look()
        raise sqlite3.OperationalError("the file that had its name before is still open")

    def opened(self, which: tuple[int, int]) -> tuple[int, ...]:
        """Return what tells the files that were opened from all others.

        Return nothing, which no files are, if the one that had the name before has it no more.
        """
        found = self._look()
        return found if found[:2] == which else ()

    def current(self) -> tuple[int, ...]:
        """Return the same of those that have its name, a second ago at most."""
        return self._found if monotonic() < self._look_at else self._look()

    def _look(self) -> tuple[int, ...]:
        self._look_at = monotonic() + LOOK_EVERY_S
        found = tuple(part for end in _ENDS for part in _which(f"{self._path}{end}"))
        if found != self._found:
            self._found = found
            with self._noting:
                connections = list(self._connections)
            for each in connections:
                each.close_if_idle(but=found)
        return found


def _which(path: str) -> tuple[int, int]:
    """Return what tells a file from all others; zeros if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that can be written to, and that leaves a file which was deleted or replaced.

    SQLite would go on with the deleted file for good. Who uses a connection finds out within a
    second, and after its transaction opens the file that has its name now. Who finds out also
    closes what threads without a request have kept open.

    A value in SQLite has a type of its own, whatever its column's, and in a damaged file it may be
    any. So reading never raises for a value: it gives what is there, and those who need another
    type look at it (`Segment.faults`).
    """

    ops_class = DatabaseOperations

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._file: _File | None = None
        self.identity: tuple[int, ...] = ()
        # Which file it has open, or is opening.
        self.opened: tuple[int, int] | None = None
        # Whether its thread has said that it needs it no more for now.
        self._idle = False
        self._idling = Lock()

    @cached_property
    def engine(self) -> SQLiteEngine:
        """What the index may ask of SQLite."""
        return SQLiteEngine(self)

    @property
    def path(self) -> Path:
        """Where the file is; without what a data directory that is read-only adds to its name."""
        name = str(self.settings_dict["NAME"])
        return Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)

    def ensure_connection(self) -> None:
        """Connect if there is no connection, or only one to files that have lost their name."""
        with self._idling:
            self._idle = False
        if self._file and self.identity != self._file.current() and not self.in_atomic_block:
            self.close()
        super().ensure_connection()

    def get_autocommit(self) -> bool:
        """Return whether it commits at once; Django asks before and after each request.

        Without connecting anew, as Django's own does: a request that needs no database must not
        fail as one cannot be opened.
        """
        return bool(self.autocommit if self.connection else super().get_autocommit())

    def close_if_unusable_or_obsolete(self) -> None:
        """Do as Django does, before and after each request: its thread does not use it then."""
        super().close_if_unusable_or_obsolete()
        self._idle = not self.in_atomic_block

    def close_if_idle(self, but: tuple[int, ...]) -> None:
        """Close it for its thread, unless that uses it or these are the files that it opened."""
        with self._idling:
            if self._idle and self.identity != but:
                self.inc_thread_sharing()
                try:
                    self.close()
                finally:
                    self.dec_thread_sharing()

    def may_share(self, memory: tuple[int, int], file: tuple[int, int]) -> bool:
        """Return whether it has another file open, with this memory or it is unknown which."""
        return self.opened not in (None, file) and self.identity[4:] in ((), memory)

    def _close(self) -> None:
        super()._close()  # type: ignore[misc]
        self.opened = None

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's, without the conversion by a column's declared type, which may raise.

        The conversion by Django's field remains.
        """
        params: dict[str, Any] = super().get_connection_params()
        return params | {"detect_types": 0}

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """Connect; raise OperationalError if it could only read.

        A file that cannot be opened to write is opened by SQLite to read; and the memory that its
        connections share (`-shm`) stays so for the whole process, as long as any of them is open.
        After a fault of a moment nothing would be stored any more.
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
            # Of a file that is said to be immutable nobody expects that it can be written to.
            writable = "immutable=1" not in str(conn_params["database"])
            file = _files.setdefault(self.path, _File(self.path))
            if writable:
                file.create()
                file.assert_filled()
            which = file.opening(self)
            connection: sqlite3.Connection = super().get_new_connection(
                conn_params | {"factory": noted}
            )
            connection.text_factory = _text
            if writable:
                _assert_writable(connection)
            self._file, self.identity = file, file.opened(which)
        except BaseException:
            # At once, and not when the error is forgotten, which refers to it.
            for each in opened:
                each.close()
            self.opened = None
            raise
        return connection

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """What all that may fail in the database runs within."""
        return _Errors(self)
