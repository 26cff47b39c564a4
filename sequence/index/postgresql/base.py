"""Django's PostgreSQL, which for a moment refuses at once after it could not be reached."""

from collections.abc import Callable
from contextlib import suppress
from functools import cached_property
from threading import Lock, Thread
from time import monotonic
from types import TracebackType
from typing import Any

from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from psycopg import OperationalError
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
        self._test_at: float | None = None

    def begin(self) -> None:
        """Has nobody ask until a test says that it is over."""
        with self._lock:
            self._test_at = monotonic() + PAUSE_S

    def lasts(self, test: Callable[[], None]) -> bool:
        """Whether it does. After each pause it is tested beside, and nobody waits for that.

        `test` raises OperationalError where it goes on.
        """
        with self._lock:
            if self._test_at is not None and monotonic() >= self._test_at:
                self._test_at = monotonic() + PAUSE_S
                Thread(target=self._end_after, args=(test,), name="outage", daemon=True).start()
            return self._test_at is not None

    def _end_after(self, test: Callable[[], None]) -> None:
        with suppress(OperationalError):
            test()
            self._test_at = None


_outage = _Outage()


class _Errors(DatabaseErrorWrapper):
    """Notes which errors mean that the server cannot be reached."""

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, OperationalError) and not isinstance(exc_value, Refused):
            state = exc_value.sqlstate
            if state is None or state.startswith(UNREACHABLE):
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

        def test() -> None:
            # The pool would only wait, and not say why.
            self.Database.connect(**conn_params).close()

        if _outage.lasts(test):
            raise Refused("it could not be reached just now")
        try:
            connection = super().get_new_connection(conn_params)
            try:
                connection.check()
            except OperationalError:
                # After a restart no other one works either. The pool's own check would find them
                # out one by one, and sleep between.
                self.pool.putconn(connection)
                self.pool.drain()
                test()
                connection = super().get_new_connection(conn_params)
        except PoolTimeout:
            test()
            raise
        return connection
