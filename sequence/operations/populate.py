"""Fills the store ahead of time."""

from collections.abc import Generator
from itertools import takewhile
from time import monotonic

from django.contrib.messages.constants import SUCCESS, WARNING

from sequence import conf
from sequence.background import each
from sequence.index.failures import Failures
from sequence.models import Segment
from sequence.operations.jobs import Outcome, Run
from sequence.segments import budget, build, inventory, storage
from sequence.text.layout import segment_name
from sequence.text.span import Span


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


def as_job(upto: int, run: Run) -> Outcome:
    """Build the segments of the first `upto` terms; return what came of it."""
    numbers, started = missing(upto), monotonic()
    count = length_bytes = 0
    for segment in run.counted(segments(numbers, build.BUILDERS), len(numbers)):
        count += 1
        length_bytes += segment.length_bytes
    built = f"built {count:,} segments, {length_bytes:,} bytes, in {monotonic() - started:.1f} s."
    if run.is_stopped:
        left = f"{len(numbers) - count:,} segments are still to be built"
        return Outcome(WARNING, f"Stopped: {built} What is stored stays; {left}.")
    stored = budget.max_terms(upto)
    if stored < upto:
        room = f"There is no room for the other {upto - stored:,}."
        return Outcome(WARNING, f"The first {stored:,} terms are stored: {built} {room}")
    return Outcome(SUCCESS, f"The first {stored:,} terms are stored: {built}")
