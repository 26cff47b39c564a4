"""A connection to PostgreSQL with a timeout for each statement, on the client's side."""

from collections.abc import Generator
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

LOOK_UP_S = 5
"""How long one statement may take: look-ups take a millisecond, the counts that `verify` makes over
ten million terms take seconds. Only a server that hangs takes longer, or a host that is gone."""

TRANSACTION_S = 90
"""The same within a transaction: what writes waits for others, for up to a minute."""

CHECK_S = 1
"""The same for the question whether the server answers at all."""


class Connection(psycopg.Connection[Any]):  # type: ignore[misc]
    """psycopg's connection, which closes itself if its server does not answer in time."""

    patience_s = LOOK_UP_S

    def check(self) -> None:
        """Raise OperationalError if the server does not answer."""
        self.patience_s = CHECK_S
        try:
            # Else the question would begin a transaction.
            self.autocommit = True
            self.execute("")
        finally:
            self.patience_s = LOOK_UP_S

    def wait(
        self, gen: Generator[Any, Any, Any], interval: float = 0.1, timeout: float | None = None
    ) -> Any:
        """Return what psycopg gets from the server; raise OperationalError if it takes too long."""
        if timeout is None:
            idle = self.pgconn.transaction_status == TransactionStatus.IDLE
            timeout = self.patience_s if idle else TRANSACTION_S
        try:
            return super().wait(gen, interval, timeout)
        except psycopg.errors._WaitTimeout as error:
            # A late answer would be taken for that to the next question.
            self.close()
            raise psycopg.OperationalError(
                f"the server has not answered within {timeout:.0f} s"
            ) from error
