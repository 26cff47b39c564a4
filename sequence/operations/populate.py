"""Fills the store ahead of time."""

from collections.abc import Generator
from concurrent.futures import Future
from functools import partial
from itertools import takewhile

from sequence import conf
from sequence.background import Background, each
from sequence.index.failures import Failures
from sequence.models import Segment
from sequence.segments import budget, build, inventory, storage
from sequence.text.layout import segment_name
from sequence.text.span import Span


def missing(upto: int) -> list[int]:
    """Return the numbers of the segments that the first `upto` terms need and that are not stored.

    A row that is wrong, or without its file, stores nothing. Those for which there is no room are
    left out.
    """
    # The rows first: what is stored in between has its file by then.
    rows = {row.number: row for row in inventory.rows()}
    files = storage.store().lengths()
    needed = takewhile(budget.keeps, conf.layout().numbers(Span(0, upto)))
    return [
        number
        for number in needed
        if number not in rows or inventory.faults(rows[number], files.get(segment_name(number)))
    ]


populating = Background(1, "populate")


def soon(upto: int) -> Future[list[Segment] | None]:
    """The segments that are then built for the first `upto` terms, apart from those clients await.

    Goes on until all of them are stored, or the process ends.
    """
    return populating.soon(f"populate {upto}", partial(_all, upto))


def _all(upto: int) -> list[Segment]:
    unstopped = takewhile(lambda _: not populating.stopped, populate(missing(upto), build.BUILDERS))
    return list(unstopped)


def populate(numbers: list[int], workers: int) -> Generator[Segment]:
    """Build the segments, `workers` at once, and yield each when it is stored.

    Can be stopped at any time; what is stored by then stays. Raises SomeFailed at the end if some
    could not be stored.
    """
    failures = Failures("stored")
    for number, building in each(build.segment, numbers, workers):
        with failures.about(f"Segment {number}"):
            yield building.result()
    failures.raise_if_any()
