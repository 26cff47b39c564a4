"""What is done if the disk or the index fails: go on without, and log it; or go on with the rest.

The disk fails by FiboError and OSError, the index by DatabaseError. All else is a bug.
"""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from django.db import DatabaseError, connection

from sequence.errors import FiboError, SomeFailed
from sequence.index import health
from sequence.index.engine import release_connection, said
from sequence.index.ratelimit import acquire

log = logging.getLogger(__name__)


@contextmanager
def dispensable(what: str, key: str = "") -> Iterator[None]:
    """Log and swallow disk and index errors: a response can be computed without either.

    `what` says in the log what the block was to do: in one line a minute for each `key`, by default
    for each `what`. The index is checked in the background.
    """
    try:
        yield
    except (FiboError, OSError) as error:
        if acquire(key or what):
            log.error("%s failed: %s", what, error)
    except DatabaseError as error:
        # Opened again, it may be another file.
        connection.close()
        if not getattr(error.__cause__, "already_logged", False):
            if acquire(key or what):
                log.error("%s failed: the index says: %s", what, said(error))
            health.submit_check()
    finally:
        release_connection()


def sentence(error: Exception) -> str:
    """Return what the error says, as a sentence."""
    if isinstance(error, DatabaseError):
        return f"The index fails ({said(error)})."
    return f"{str(error).rstrip('.')}."


class Failures:
    """The failures of a loop over many things, of which the others are done.

    `done` is the participle of what is done to each of them; `tell` is given each sentence at once.
    """

    def __init__(self, done: str, tell: Callable[[str], object] = lambda _: None) -> None:
        self._done, self._tell = done, tell
        self.sentences: list[str] = []

    @contextmanager
    def about(self, name: str) -> Iterator[None]:
        """Note the failure of the block, which is about the thing of that name, and go on."""
        try:
            yield
        except (FiboError, OSError, DatabaseError) as error:
            if isinstance(error, DatabaseError):
                # Opened again, it may be another file.
                connection.close()
            self.sentences.append(f"{name} cannot be {self._done}: {sentence(error)}")
            self._tell(self.sentences[-1])

    def raise_if_any(self) -> None:
        """Raise SomeFailed if some have failed."""
        if self.sentences:
            raise SomeFailed(self._done, self.sentences)
