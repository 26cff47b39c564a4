"""Django's PostgreSQL behind a circuit breaker: after a failure nobody waits for the server."""

from functools import cached_property
from time import monotonic
from types import TracebackType
from typing import Any, Self

from django.db.backends.postgresql import base
from django.db.utils import DatabaseErrorWrapper
from psycopg import OperationalError
from psycopg_pool import PoolTimeout

from sequence.index.postgresql.engine import PostgreSQLEngine
from sequence.index.postgresql.patience import LOOK_UP_S
from sequence.store.breaker import CircuitBreaker

UNREACHABLE = ("08", "53", "57", "55P03")
"""How the SQLSTATE of errors begins that are no fault of the question (PostgreSQL's appendix A):
no connection, too many of them or no room, a server that ends, a lock that is not had in time."""

# What writes may wait for longer, which look-ups need not pay for.
_breaker = CircuitBreaker(max_cost_s=LOOK_UP_S)
"""One for all threads of the process."""


class Refused(OperationalError):  # type: ignore[misc]
    """Nothing was asked, as the circuit breaker is open."""

    already_logged = True


class _Errors(DatabaseErrorWrapper):
    """Opens the circuit breaker for errors by which the server cannot be reached."""

    def __enter__(self) -> Self:  # type: ignore[override]
        self._began = monotonic()
        super().__enter__()
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, OperationalError) and not isinstance(exc_value, Refused):
            state = exc_value.sqlstate
            if state is None or state.startswith(UNREACHABLE):
                _breaker.open(monotonic() - self._began)
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the index, out of the process's pool."""

    @cached_property
    def engine(self) -> PostgreSQLEngine:
        """What the index may ask of PostgreSQL."""
        return PostgreSQLEngine(self)

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """Return what all that may fail in the database runs within."""
        return _Errors(self)

    def get_new_connection(self, conn_params: dict[str, Any]) -> Any:
        """Return a connection that works; raise OperationalError at once if the breaker is open."""
        if self.pool is None:
            return super().get_new_connection(conn_params)

        def probe() -> None:
            # The pool would only wait, and not say why.
            self.Database.connect(**conn_params).close()

        if not _breaker.admit_or_probe(probe):
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
                probe()
                connection = super().get_new_connection(conn_params)
        except PoolTimeout:
            probe()
            raise
        return connection
