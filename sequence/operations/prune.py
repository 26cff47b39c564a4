"""Deletes what is surplus in the store, so that it keeps to its budget."""

from collections.abc import Generator, Iterator
from typing import NamedTuple

from sequence.index import engine, rows
from sequence.index.failures import Failures
from sequence.models import Segment
from sequence.segments import budget, build, inventory
from sequence.store.store import Segments
from sequence.text.layout import segment_name, segment_number

BATCH = 500
"""For how many files the rows are deleted at once: a durable commit takes milliseconds."""


class Surplus(NamedTuple):
    """A file, or a row, beyond the store's budget."""

    name: str
    length_bytes: int
    is_copy: bool = False
    """Whether it only spares this host the way to another place, where it stays."""


def surplus() -> list[Surplus]:
    """Return what is to be deleted: the segments beyond the budget."""
    store = build.store()
    return list(_beyond() if store.near is store else _copies(store.near))


def _beyond() -> Iterator[Surplus]:
    for name in sorted({*build.store().names(), *map(segment_name, inventory.numbers())}):
        number = segment_number(name)
        if number is not None and not budget.keeps(number):
            yield Surplus(name, build.store().length(name) or 0)


def _copies(near: Segments) -> Iterator[Surplus]:
    for name in sorted(near.names()):
        if not budget.is_copied(name):
            yield Surplus(name, near.length(name) or 0, is_copy=True)


def delete(found: list[Surplus]) -> Generator[Surplus]:
    """Delete the surplus, and yield each when it is gone; then shrink the index.

    A stream that reads one of them at that time reads it to its end. Raises SomeFailed at the end
    if some could not be deleted.
    """
    failures, store = Failures("deleted"), build.store()
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
                        (store.near if each.is_copy else store).remove(each.name)
                    yield each
            store.sync()
    if found:
        with failures.about("What the index needs no more"):
            engine.current().shrink()
    failures.raise_if_any()


def _delete_rows(batch: list[Surplus]) -> None:
    # By number alone: in a damaged row the name may be another one.
    numbers = (segment_number(each.name) for each in batch if not each.is_copy)
    known = [number for number in numbers if number is not None]
    rows.forget(Segment.objects.filter(number__in=known))
