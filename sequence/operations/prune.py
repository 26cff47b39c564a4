"""Deletes what is surplus in the store, so that it keeps to its budget."""

from collections.abc import Generator
from typing import NamedTuple, cast

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
    is_evicted: bool = False
    """Whether only the cache of the store loses it."""


def surplus() -> list[Surplus]:
    """Return what is to be deleted: the segments beyond the budget, or those in the cache."""
    lengths = storage.store().on_disk()
    rows = (segment_name(number) for number in inventory.numbers() if not budget.keeps(number))
    return [
        Surplus(name, lengths.get(name) or 0, is_evicted=budget.keeps(_number(name)))
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
                        (store.evict if each.is_evicted else store.remove)(each.name)
                    yield each
            store.sync()
    if found:
        with failures.about("What the index needs no more"):
            engine.current().shrink()
    failures.raise_if_any()


def _delete_rows(batch: list[Surplus]) -> None:
    # By number alone: in a damaged row the name may be another one.
    numbers = [_number(each.name) for each in batch if not each.is_evicted]
    rows.forget(Segment.objects.filter(number__in=numbers))


def _number(name: str) -> int:
    """Return the number in the name of a segment of the store's own."""
    return cast("int", segment_number(name))
