"""Deletes what is surplus in the store, so that it keeps to its budget."""

from collections.abc import Generator, Iterator
from typing import NamedTuple

from django.db import connection

from sequence import budget, build, inventory, models
from sequence.models import CodedSegment, Segment
from sequence.store.store import Segments
from sequence.text.layout import segment_name, segment_number


class Surplus(NamedTuple):
    """A file, or a row, for which the store has no room."""

    name: str
    length_bytes: int
    is_copy: bool = False
    """Whether it only spares this host the way to another place, where it stays."""


def surplus() -> list[Surplus]:
    """What is to be deleted: segments beyond the budget with their coded forms, and of the other
    coded ones those of the highest segments, as many as are too many."""
    store = build.store()
    beyond = _beyond() if store.near is store else _copies(store.near)
    return [*beyond, *_too_many_coded()]


def _beyond() -> Iterator[Surplus]:
    for name in sorted({*build.store().names(), *map(segment_name, inventory.numbers())}):
        number = segment_number(name)
        if number is not None and not budget.keeps(number):
            yield Surplus(name, build.store().length(name) or 0)


def _copies(near: Segments) -> Iterator[Surplus]:
    for name in sorted(near.names()):
        if not budget.is_copied(name):
            yield Surplus(name, near.length(name) or 0, is_copy=True)


def _too_many_coded() -> Iterator[Surplus]:
    limit = budget.encoded_bytes()
    if limit is None:
        return
    rows = CodedSegment.objects.order_by("segment", "name").values_list(
        "segment", "name", "length_bytes"
    )
    for number, name, length_bytes in rows.iterator():
        if budget.keeps(number):
            limit -= length_bytes
            if limit < 0:
                yield Surplus(name, length_bytes)


def prune(found: list[Surplus]) -> Generator[Surplus]:
    """Deletes them, and yields each when it is gone; then the index gives up what it needs no more.

    Who reads one of them meanwhile reads on to its end. Raises OSError and DatabaseError.
    """
    for each in found:
        with build.store().sole_builder(each.name):
            if each.is_copy:
                build.store().near.remove(each.name)
            else:
                # The rows first: they mean that the bytes are there.
                models.remove(Segment.objects.filter(name=each.name))
                CodedSegment.objects.filter(name=each.name).delete()
                build.store().remove(each.name)
        yield each
    if found and connection.vendor == "sqlite":
        with connection.cursor() as cursor:
            cursor.execute("VACUUM")
            cursor.execute("PRAGMA wal_checkpoint(TRUNCATE)")
