"""Django's PostgreSQL, which for a moment refuses at once after it could not be reached."""

from functools import cached_property
from threading import Lock
from time import monotonic
from types import TracebackType
from typing import Any

from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from psycopg import Error, OperationalError
from psycopg_pool import PoolTimeout

PAUSE_S = 2
"""For how long nobody asks what has just failed: answers go on without, and must not wait for it
segment after segment."""

UNREACHABLE = ("08", "53", "57", "55P03")
"""How the SQLSTATE of errors begins that are no fault of the question (PostgreSQL's appendix A):
no connection, too many of them or no room, a server that ends, a lock that is not had in time."""


class Refused(OperationalError):  # type: ignore[misc]
    """Nothing was asked, as it has failed just now."""

    repeats = True
    """That nothing new is to be told of it."""


class _Outage:
    """Whether the server failed when it was last asked, for all threads of the process."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._ask_at: float | None = None

    def begin(self) -> None:
        """Has nobody ask for a while."""
        with self._lock:
            self._ask_at = monotonic() + PAUSE_S

    @property
    def lasts(self) -> bool:
        """Whether it has begun, and nobody has seen its end."""
        return self._ask_at is not None

    def is_to_be_tested(self) -> bool:
        """Whether the caller is to see if it is over: the first one of many, after each pause."""
        with self._lock:
            now = monotonic()
            if self._ask_at is not None and now < self._ask_at:
                return False
            # The others need not wait with this one.
            self._ask_at = now + PAUSE_S
            return True

    def end(self) -> None:
        """Has everybody ask again."""
        self._ask_at = None


_outage = _Outage()


class _Errors(DatabaseErrorWrapper):
    """Notes which errors mean that the server cannot be reached, and which that it can."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, Error) and not isinstance(exc_value, Refused):
            state = exc_value.sqlstate
            if state and not state.startswith(UNREACHABLE):
                _outage.end()
            elif isinstance(exc_value, OperationalError):
                _outage.begin()
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the index, out of the process's pool."""

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """What all that may fail in the database runs within."""
        return _Errors(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """A connection that works; raises OperationalError, and at once during an outage."""
        if self.pool is None:
            return super().get_new_connection(conn_params)
        if _outage.lasts:
            if not _outage.is_to_be_tested():
                raise Refused("it could not be reached just now")
            self._test(conn_params)
        try:
            connection = super().get_new_connection(conn_params)
            try:
                self.pool.check_connection(connection)
            except OperationalError:
                # After a restart no other one works either. The pool's own check would find them
                # out one by one, and sleep between.
                self.pool.putconn(connection)
                self.pool.drain()
                self._test(conn_params)
                connection = super().get_new_connection(conn_params)
        except PoolTimeout:
            self._test(conn_params)
            raise
        return connection

    def _test(self, conn_params: dict[str, Any]) -> None:
        """Raises what is wrong with the server: the pool would only wait, and not say why."""
        self.Database.connect(**conn_params).close()

    def _close(self) -> None:
        # Not before: a server may accept connections and answer nothing.
        if self.connection is not None and not self.errors_occurred:
            _outage.end()
        super()._close()  # type: ignore[misc]
