"""Loops over many things of which some may fail: the rest is done, and the failures are told."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

from sequence.errors import FiboError, SomeFailed
from sequence.index.health import said

FAILURES = (FiboError, OSError, DatabaseError)
"""What one of many may fail by: the disk, the index, or what is stored. All else is a bug."""


def sentence(error: Exception) -> str:
    """Return what the error says, as a sentence."""
    if isinstance(error, DatabaseError):
        return f"The index fails ({said(error)})."
    return f"{str(error).rstrip('.')}."


class Failures:
    """The failures of a loop over many.

    `done` is the participle of what is done to each of them; `tell` is given each sentence at once.
    """

    def __init__(self, done: str, tell: Callable[[str], object] = lambda _: None) -> None:
        self._done, self._tell = done, tell
        self.sentences: list[str] = []

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        """Note how the block fails that does it to the one of that name, and go on after it."""
        try:
            yield
        except FAILURES as error:
            if isinstance(error, DatabaseError):
                # Opened again, it may be another file.
                connection.close()
            self.sentences.append(f"{name} cannot be {self._done}: {sentence(error)}")
            self._tell(self.sentences[-1])

    def raise_if_any(self) -> None:
        """Raise SomeFailed if some have failed."""
        if self.sentences:
            raise SomeFailed(self._done, self.sentences)
