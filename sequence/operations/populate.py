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

populating = Background(1, "populate")


def missing(upto: int) -> list[int]:
    """Return the numbers of the segments that the first `upto` terms need and that are not stored.

    A row that is wrong, or without its file, stores nothing. Segments beyond the budget are left
    out.
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


def segments(numbers: list[int], workers: int) -> Generator[Segment]:
    """Build the segments, `workers` at once, and yield each when it is stored.

    Can be stopped at any time; what is stored by then stays. Raises SomeFailed at the end if some
    could not be stored.
    """
    failures = Failures("stored")
    for number, building in each(build.segment, numbers, workers):
        with failures.about(f"Segment {number}"):
            yield building.result()
    failures.raise_if_any()


def submit(upto: int) -> Future[list[Segment] | None]:
    """Have the segments of the first `upto` terms built in the background; return what is built.

    Goes on until all of them are stored, or the process ends. Clients' segments have other threads.
    """
    return populating.submit(f"populate {upto}", partial(_until_stopped, upto))


def _until_stopped(upto: int) -> list[Segment]:
    built = segments(missing(upto), build.BUILDERS)
    return list(takewhile(lambda _: not populating.stopped, built))
