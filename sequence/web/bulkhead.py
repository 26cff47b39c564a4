"""A *bulkhead*: long computations never hold more than a few of a process's threads."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock

from sequence.errors import Busy

MAX_ENTERED = 8
"""How many may run or wait: half of a worker's threads."""

_places, _turn = BoundedSemaphore(MAX_ENTERED), Lock()


@contextmanager
def entered() -> Iterator[None]:
    """Wait for the others of this process that have entered, and run alone.

    Raises Busy at once if too many run or wait.
    """
    if not _places.acquire(blocking=False):
        raise Busy(MAX_ENTERED)
    try:
        with _turn:
            yield
    finally:
        _places.release()
