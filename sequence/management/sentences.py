"""What goes wrong in a command, told in one sentence and without a traceback."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.core.management.base import CommandError
from django.db import DatabaseError

from sequence import accounts
from sequence.errors import FiboError
from sequence.index import remedy, said


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turns the errors of the store and of the index into CommandError."""
    try:
        yield
    except (FiboError, OSError) as error:
        raise CommandError(str(error)) from error
    except DatabaseError as error:
        if accounts.failed(error):
            raise CommandError(accounts.sentence(error)) from error
        advice = f"; {found}" if (found := remedy(error)) else ""
        raise CommandError(f"The index fails ({said(error)}){advice}.") from error
