"""Django's SQLite, which says of each damage that it is an error of the database."""

from functools import cached_property
from types import TracebackType

from django.db import DatabaseError
from django.db.backends.sqlite3 import base
from django.db.utils import DatabaseErrorWrapper


class _Errors(DatabaseErrorWrapper):
    """Tells errors of the database, also where Python cannot decode their message.

    It quotes the damaged schema.
    """

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if isinstance(exc_value, UnicodeDecodeError):
            message = bytes(exc_value.object).decode(errors="backslashreplace")
            raise DatabaseError(message) from exc_value
        super().__exit__(exc_type, exc_value, traceback)


class DatabaseWrapper(base.DatabaseWrapper):
    """A connection to the index."""

    @cached_property
    def wrap_database_errors(self) -> DatabaseErrorWrapper:
        """What all that may fail in the database runs within."""
        return _Errors(self)
