"""Django's SQLite, for files that may be damaged, deleted or replaced while they are open."""

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
    """Notes the alias of the database on each error, as `database`, an attribute of its cause.

    A message that quotes a damaged schema may be no UTF-8: then Python raises UnicodeDecodeError,
    which becomes a DatabaseError.
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
_read_only = Event()
"""Set after a connection that could only read, until one can write."""


def _assert_writable(connection: sqlite3.Connection) -> None:
    (patience_ms,) = connection.execute("PRAGMA busy_timeout").fetchone()
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        connection.execute("BEGIN IMMEDIATE")
        # A read-only file lets a transaction begin, and refuses only what writes.
        (version,) = connection.execute("PRAGMA user_version").fetchone()
        connection.execute(f"PRAGMA user_version = {version}")
        connection.execute("ROLLBACK")
        _read_only.clear()
    except sqlite3.OperationalError as error:
        if code(error) == sqlite3.SQLITE_READONLY:
            _read_only.set()
        # Another process that is writing is no fault.
        if code(error) != sqlite3.SQLITE_BUSY:
            raise
    connection.execute(f"PRAGMA busy_timeout = {patience_ms}")


def _text(value: bytes) -> str:
    """Return the text, with bytes that are not UTF-8 as escapes."""
    return value.decode(errors="backslashreplace")


class DatabaseOperations(operations.DatabaseOperations):
    """Django's, but that they read any value that a damaged row may hold."""

    def convert_datetimefield_value(self, value: Any, expression: Any, connection: Any) -> Any:
        """Return the time, or the value itself if it is none."""
        try:
            time = super().convert_datetimefield_value(value, expression, connection)
            if time is not None:
                time.astimezone(UTC)  # fails for year 9999 west of UTC
            return time
        except (AttributeError, OverflowError, TypeError, ValueError):
            return value


LOOK_EVERY_S = 1.0
"""How often a process looks whether a name still leads to the files that it has open."""

_ENDS = ("", "-wal", "-shm")
"""The ends of the names of a database's files: SQLite's log, and its connections' shared memory."""

_creating = Lock()
_files: dict[Path, "_File"] = {}


class _File:
    """The name of a database, and which files it leads to now: they may be deleted or replaced."""

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
        """Remove the log and the shared memory of a deleted file.

        Connections to that file still use them. If those to the new one did too, two databases
        would write to one log, and one of them would cut the memory that the other has mapped: the
        kernel kills a process that reads there (SIGBUS).
        """
        for end in _ENDS[1:]:
            Path(f"{self._path}{end}").unlink(missing_ok=True)

    def _make(self) -> None:
        """Make the file, in WAL mode before it has its name.

        Otherwise the first connections would wait for one another to set that mode, each with a
        file open that may have lost its name by the time they open the log by name.
        """
        part = Path(f"{self._path}.part")
        part.unlink(missing_ok=True)
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        with closing(sqlite3.connect(part)) as new:
            new.execute("PRAGMA journal_mode = WAL")
        part.rename(self._path)

    def assert_filled(self) -> None:
        """Raise DatabaseError if the file was emptied: SQLite would take it for a new one."""
        with suppress(OSError):
            if not self._path.stat().st_size:
                raise sqlite3.DatabaseError("file is empty")

    def opening(self, wrapper: "DatabaseWrapper") -> tuple[int, int]:
        """Note that the connection opens the file that has the name now; return which one it is.

        Raises OperationalError as long as this process has an earlier file of that name open with
        the same shared memory (`-shm`): closing either of them would drop the process's locks on
        that memory (POSIX), SQLite would take it for unused and cut it, and a process that has it
        mapped would be killed (SIGBUS).
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
        """Return the identity of the files that were opened; empty if the name leads elsewhere now.

        No files have an empty identity, so the connection is left at its next use.
        """
        found = self._look()
        return found if found[:2] == which else ()

    def current(self) -> tuple[int, ...]:
        """Return the identity of the files that have the name, from LOOK_EVERY_S ago at most."""
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
    """Return the identity of a file, its device and inode; zeros if there is none."""
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return 0, 0
    return status.st_dev, status.st_ino


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection that can write, and that leaves a file which was deleted or replaced.

    SQLite would go on with the deleted file for good. A thread that uses its connection finds out
    within a second, and opens the file that has the name now, after its transaction. It also closes
    the connections that idle threads have kept open.

    In SQLite each value has a type of its own, whatever its column's, and in a damaged file it may
    be any. So reading never raises for a value: it gives what is there, and those who need a type
    check it (`Segment.faults`).
    """

    ops_class = DatabaseOperations

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._file: _File | None = None
        self.identity: tuple[int, ...] = ()
        # The file that it has open or is opening.
        self.opened: tuple[int, int] | None = None
        # Whether its thread has said that it does not need it for now.
        self._idle = False
        self._idling = Lock()

    @cached_property
    def engine(self) -> SQLiteEngine:
        """What the index may ask of SQLite."""
        return SQLiteEngine(self)

    @property
    def path(self) -> Path:
        """Where the file is; in a read-only data directory, without the URI around it."""
        name = str(self.settings_dict["NAME"])
        return Path(unquote(urlsplit(name).path) if name.startswith("file:") else name)

    def ensure_connection(self) -> None:
        """Connect if there is no connection, or one to files that have lost their name."""
        with self._idling:
            self._idle = False
        if self._file and self.identity != self._file.current() and not self.in_atomic_block:
            self.close()
        super().ensure_connection()

    def get_autocommit(self) -> bool:
        """Return whether it commits at once; Django asks before and after each request.

        Unlike Django's own it does not reconnect: a request that needs no database must not fail
        because none can be opened.
        """
        return bool(self.autocommit if self.connection else super().get_autocommit())

    def close_if_unusable_or_obsolete(self) -> None:
        """Do as Django does, before and after each request; then its thread is idle."""
        super().close_if_unusable_or_obsolete()
        self._idle = not self.in_atomic_block

    def close_if_idle(self, but: tuple[int, ...]) -> None:
        """Close it for its thread, unless that uses it or it has these files open."""
        with self._idling:
            if self._idle and self.identity != but:
                self.inc_thread_sharing()
                try:
                    self.close()
                finally:
                    self.dec_thread_sharing()

    def may_share(self, memory: tuple[int, int], file: tuple[int, int]) -> bool:
        """Whether it has another file open, with this shared memory or one not known yet."""
        return self.opened not in (None, file) and self.identity[4:] in ((), memory)

    def _close(self) -> None:
        super()._close()  # type: ignore[misc]
        self.opened = None

    def get_connection_params(self) -> dict[str, Any]:
        """Return Django's, without sqlite3's conversion by a column's declared type: it may raise.

        Django's conversion by field remains.
        """
        params: dict[str, Any] = super().get_connection_params()
        return params | {"detect_types": 0}

    def get_new_connection(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        """Connect; raise OperationalError if the connection could only read.

        SQLite opens a file read-only if it cannot open it to write, and the shared memory (`-shm`)
        then stays so for the process, as long as any connection is open. After a fault of a moment
        nothing would be stored any more.
        """
        # Until one can write: of many that are opened at once one would always hold that memory.
        with _one_by_one if _read_only.is_set() else nullcontext():
            return self._opened(conn_params)

    def _opened(self, conn_params: dict[str, Any]) -> sqlite3.Connection:
        opened: list[sqlite3.Connection] = []

        def noted(*arguments: Any, **named: Any) -> sqlite3.Connection:
            opened.append(sqlite3.Connection(*arguments, **named))
            return opened[-1]

        try:
            # A read-only data directory is served with immutable files.
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
            # Now, and not when the error, which refers to it, is collected.
            for each in opened:
                each.close()
            self.opened = None
            raise
        return connection

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Return what all that may fail in the database runs within."""
        return _Errors(self)
