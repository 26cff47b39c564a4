"""Fills the store ahead of time."""

from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from itertools import takewhile

from sequence import budget, conf
from sequence.background import Background, each
from sequence.build import BUILDERS, build
from sequence.failures import Failures
from sequence.models import Segment
from sequence.text.span import Span


def missing(upto: int) -> list[int]:
    """The numbers of the segments that the first `upto` terms need and that are not stored.

    Without those for which there is no room.
    """
    plan, rows = conf.layout(), Segment.objects.values_list("number", "length_bytes")
    # One that ends where FIBO_MAX_SN was before it grew is too short.
    stored = {n for n, length in rows if plan.stored(n, length).length_bytes == length}
    needed = takewhile(budget.keeps, plan.numbers(Span(0, upto)))
    return [number for number in needed if number not in stored]


populating = Background(1, "populate")


def soon(upto: int) -> Future[list[Segment]]:
    """The segments that are then built for the first `upto` terms, apart from those clients await.

    Goes on until all of them are stored, or the process ends.
    """
    return populating.soon(f"populate {upto}", partial(_all, upto))


def _all(upto: int) -> list[Segment]:
    unstopped = takewhile(lambda _: not populating.stopped, populate(missing(upto), BUILDERS))
    return list(unstopped)


def populate(numbers: list[int], workers: int) -> Generator[Segment]:
    """Build the segments, `workers` at once, and yield each when it is stored.

    Can be stopped at any time; what is stored by then stays. Raises SomeFailed at the end if some
    could not be stored.
    """
    failures = Failures("stored")
    for number, building in each(build, numbers, workers):
        with failures.about(f"Segment {number}"):
            yield building.result()
    failures.raise_if_any()
