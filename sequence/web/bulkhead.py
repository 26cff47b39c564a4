"""*Bulkheads*: long computations never hold more than a few of a process's threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from sequence.errors import Busy

MAX_ENTERED = 6
"""How many may run or wait in one: both together leave a quarter of a worker's threads."""


class Bulkhead:
    """Lets one computation run, a few wait, and no more in."""

    def __init__(self) -> None:
        self._places, self._turn = BoundedSemaphore(MAX_ENTERED), Lock()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Wait for the others of this process that have entered, and run alone.

        Raises Busy at once if too many run or wait.
        """
        if not self._places.acquire(blocking=False):
            raise Busy(MAX_ENTERED)
        try:
            with self._turn:
                yield
        finally:
            self._places.release()


terms, searches = Bulkhead(), Bulkhead()
