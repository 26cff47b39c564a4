"""Numbers that gunicorn's processes add up, in memory that they have shared since the fork.

Each process adds in a place of its own; the number is the sum. Anonymous memory has no file:
nothing is left behind, and no file system can be full, on which a process that writes to a mapped
file is killed (SIGBUS).
"""

from mmap import PAGESIZE, mmap
from threading import Lock
from typing import Any

MAX_PLACES = 2048
"""More workers than there are at once, even while they are reloaded; any more would share one."""

_used = memoryview(mmap(-1, PAGESIZE)).cast("q")
_used[0] = 1
_place = 0
_gauges: list["SharedValue"] = []


class SharedValue:
    """A number with the interface of prometheus_client's values. Create it before the fork."""

    _multiprocess = False

    def __init__(self, kind: str, *_: Any, **__: Any) -> None:
        self._places = memoryview(mmap(-1, 8 * MAX_PLACES)).cast("d")
        self._adding = Lock()
        if kind == "gauge":
            _gauges.append(self)

    def inc(self, amount: float) -> None:
        """Add to the number."""
        with self._adding:
            self._places[_place] += amount

    def set(self, value: float, timestamp: float | None = None) -> None:  # noqa: ARG002
        """Set what this process adds to the number."""
        self._places[_place] = value

    def get(self) -> float:
        """Return the number, over all processes."""
        return sum(self._places[: _used[0]])

    def set_exemplar(self, exemplar: object) -> None:
        """Do nothing: exemplars are not used here."""

    def get_exemplar(self) -> None:
        """Return None: exemplars are not used here."""


def free_place(taken: set[int]) -> int:
    """Return the first place that no process has. Call it in the parent, before the fork."""
    place = next(n for n in range(1, MAX_PLACES) if n not in taken or n == MAX_PLACES - 1)
    _used[0] = max(_used[0], place + 1)
    return place


def take_place(place: int) -> None:
    """Count in this place from now on, as the successor of the process that had it."""
    global _place  # noqa: PLW0603
    _place = place
    leave_place(place)


def leave_place(place: int) -> None:
    """Forget what the process that had the place was doing; what it had counted stays."""
    for gauge in _gauges:
        gauge._places[place] = 0
