"""The base of the commands: errors are sentences, and work goes on without its output.

The reader of the output may go away (`| head -1`), and the disk that takes it may be full. Neither
is a reason to leave a store half repaired. So a stream that fails once writes to /dev/null from
then on.
"""

import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any, TextIO

from django.core.management.base import BaseCommand, CommandError
from django.db import DatabaseError

from sequence.accounts import database
from sequence.errors import FiboError, ParameterError
from sequence.index.engine import current, said
from sequence.protocol import query
from sequence.segments import build, storage

if TYPE_CHECKING:
    from tqdm import tqdm


MAX_WORKERS = 1024


class Output:
    """A stream of text that drops what cannot be written."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream
        self.lost: OSError | None = None
        """Why something was dropped, unless its reader only went away."""

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> int:
        """Write the text, or drop it."""
        with self._dropping():
            # Python keeps the bytes of a name that is not UTF-8, and no stream takes them.
            encoding = self._stream.encoding or "utf-8"
            self._stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        return len(text)

    def flush(self) -> None:
        """Write what is still buffered, or drop it."""
        with self._dropping():
            self._stream.flush()

    @contextmanager
    def _dropping(self) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                self.lost = error
            # Below all buffers: what is in them is dropped too, now and when the process ends.
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, self._stream.fileno())
            os.close(nowhere)


class NoBar:
    """Stands for the progress bar if there is no terminal to show it on."""

    disable = True

    def update(self, n: float = 1) -> None:
        """Show nothing."""

    def clear(self) -> None:
        """Clear nothing."""


class StoreCommand(BaseCommand):
    """A command that works on the store, or reports on it."""

    # The layout is checked when the store is opened; the other checks would only delay the start.
    requires_system_checks = ()
    is_report = False
    """Whether the output is its only purpose: then losing it is a failure."""

    def __init__(self, **options: Any) -> None:
        self._out, self._errors = Output(sys.stdout), Output(sys.stderr)
        super().__init__(**{"stdout": self._out, "stderr": self._errors} | options)

    def run_from_argv(self, argv: list[str]) -> None:
        """Run the command; exit with status 1 if its report could not be written."""
        try:
            super().run_from_argv(argv)
        finally:
            # Otherwise Python does at its end, and reports a closed pipe.
            self._out.flush()
            if self._out.lost:
                self.stderr.write(f"The output cannot be written: {self._out.lost.strerror}.")
            self._errors.flush()
        if self._out.lost and self.is_report:
            sys.exit(1)

    def execute(self, *arguments: Any, **options: Any) -> str | None:
        """Open the store, which may be refused, and execute the command."""
        with errors_as_sentences():
            storage.store()
            return super().execute(*arguments, **options)

    def add_workers(self, parser: ArgumentParser, what: str) -> None:
        """Add --workers, how many at once."""
        parser.add_argument(
            "--workers",
            type=whole_number("--workers", MAX_WORKERS, least=1),
            default=build.BUILDERS,
            metavar="K",
            help=f"how many {what} at once (default: %(default)s)",
        )

    def bar(
        self, total: int, unit: str, **options: Any
    ) -> "AbstractContextManager[tqdm[Any] | NoBar]":
        """Return a progress bar, which shows on a terminal only."""
        if not self._errors.isatty():
            return nullcontext(NoBar())
        # Here, so that a script that starts the command need not wait until it is loaded.
        from tqdm import tqdm

        return tqdm(total=total, unit=unit, file=self._errors, dynamic_ncols=True, **options)


def whole_number(option: str, most: int, least: int = 0) -> Callable[[str], int]:
    """Return the argparse type of a whole number from `least` to `most`."""

    def parsed(text: str) -> int:
        try:
            return query.whole_number(option, text, most, least)
        except ParameterError as error:
            raise ArgumentTypeError(str(error)) from error

    return parsed


@contextmanager
def errors_as_sentences() -> Iterator[None]:
    """Turn the errors of the store and of the index into CommandError."""
    try:
        yield
    except (FiboError, OSError) as error:
        raise CommandError(str(error)) from error
    except DatabaseError as error:
        if database.failed(error):
            raise CommandError(database.sentence(error)) from error
        advice = f"; {found}" if (found := current().remedy(error)) else ""
        raise CommandError(f"The index fails ({said(error)}){advice}.") from error
