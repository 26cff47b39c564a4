"""Deletes what is surplus in the store, so that it keeps to its budget."""

from collections.abc import Generator
from typing import NamedTuple

from sequence.index import engine, rows
from sequence.index.failures import Failures
from sequence.models import Segment
from sequence.segments import budget, inventory, storage
from sequence.text.layout import segment_name, segment_number

BATCH = 500
"""For how many files the rows are deleted at once: a durable commit takes milliseconds."""


class Surplus(NamedTuple):
    """A file, or a row, for which this host has no room."""

    name: str
    length_bytes: int


def surplus() -> list[Surplus]:
    """Return what is to be deleted: the segments beyond the budget, or those in the cache."""
    lengths = storage.store().on_disk()
    rows = (segment_name(number) for number in inventory.numbers() if not budget.keeps(number))
    return [
        Surplus(name, lengths.get(name) or 0)
        for name in sorted({*lengths, *rows})
        if not budget.is_on_disk(name)
    ]


def delete(found: list[Surplus]) -> Generator[Surplus]:
    """Delete the surplus, and yield each when it is gone; then shrink the index.

    A stream that reads one of them at that time reads it to its end. Raises SomeFailed at the end
    if some could not be deleted.
    """
    failures, store = Failures("deleted"), storage.store()
    for start in range(0, len(found), BATCH):
        batch = found[start : start + BATCH]
        with failures.about(f"What begins with {batch[0].name}"):
            # The rows first, as they mean that the bytes are there.
            _delete_rows(batch)
            for each in batch:
                with failures.about(each.name):
                    with store.sole_builder(each.name):
                        # Again, as it may have been built since.
                        _delete_rows([each])
                        store.evict(each.name)
                    yield each
            store.sync()
    if found:
        with failures.about("What the index needs no more"):
            engine.current().shrink()
    failures.raise_if_any()


def _delete_rows(batch: list[Surplus]) -> None:
    """Delete the rows of what is not only evicted from a cache."""
    # By number alone: in a damaged row the name may be another one.
    numbers = [number for each in batch if (number := segment_number(each.name)) is not None]
    gone = [number for number in numbers if not budget.keeps(number)]
    rows.forget(Segment.objects.filter(number__in=gone))
