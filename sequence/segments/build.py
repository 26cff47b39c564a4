"""Builds a segment from its number alone: single flight, once on a host however many ask for it."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial

from sequence import conf
from sequence.background import Background
from sequence.errors import StoreUnreachable
from sequence.index import rows
from sequence.index.engine import release_connection
from sequence.index.failures import dispensable
from sequence.index.ratelimit import acquire
from sequence.models import Segment
from sequence.segments import budget, storage
from sequence.store.checksum import BlockChecksums
from sequence.text import adder
from sequence.text.compute import compute_bytes, compute_terms
from sequence.text.layout import Planned, segment_name
from sequence.text.span import Piece, Span

log = logging.getLogger(__name__)

BUILDERS = 4
"""How many segments a process builds at once: twice two cores, as half of them await the disk."""


def segment(number: int) -> Segment:
    """Return the segment of that number; build and store it first if it is missing.

    One thread of all processes on the host builds it; the others wait, and find it stored. Raises
    OSError if it cannot be written; then nothing of it is left.
    """
    with storage.store().sole_builder(segment_name(number)):
        return _in_cache(_with_file(number) or build_or_reconcile(number))


def repair(number: int) -> Segment:
    """Put the file and the rows of the segment right; raises what `segment` does."""
    with storage.store().sole_builder(segment_name(number)):
        return _in_cache(build_or_reconcile(number))


def _with_file(number: int) -> Segment | None:
    """Return the stored segment, or None if its file is missing or has another length.

    `rows.find` does not ask: those who read the file notice.
    """
    found = rows.find(number)
    with suppress(StoreUnreachable):  # a cache can be filled without
        if found and storage.store().length(found.name) != found.length_bytes:
            return None
    return found


def _in_cache(segment: Segment) -> Segment:
    """Return the segment, and fill the cache of the store with it: fetched or computed."""

    def pieces() -> Iterator[bytes]:
        if budget.is_fetched(segment.number):
            whole = Span(0, segment.length_bytes)
            return storage.store().read_checked(segment.name, whole, segment.block_checksums)
        return compute_bytes(segment.span)

    storage.store().fill(segment.name, conf.layout().label, pieces)
    return segment


def build_or_reconcile(number: int) -> Segment:
    """Write a right file, if there is none, and all rows of the segment; for its sole builder.

    A file that is right already stays; any other is replaced. Raises OSError and DatabaseError if
    they cannot be written; then nothing that was written is left.
    """
    release_connection()
    storage.set_label()
    store = storage.store()
    planned = conf.layout().stored(number, store.length(segment_name(number)))
    checksums = _checksums_of_right_file(planned)
    built = checksums is None
    if checksums is None:
        planned = conf.layout().planned(number)
        summing = BlockChecksums()
        store.publish(planned.name, summed(compute_terms(planned.terms), summing))
        checksums = summing.digest()
    row = Segment(**planned._asdict(), block_checksums=checksums)
    try:
        rows.record(row, adder.positions(planned.terms))
    except BaseException:
        if built:
            # An object stays: another host may have its row, and nobody reads it without one.
            store.evict(planned.name)
        raise
    done = "Built" if built else "Reconciled"
    log.info("%s %s: %s bytes.", done, row, f"{row.length_bytes:,}")
    return row


def _checksums_of_right_file(planned: Planned) -> bytes | None:
    """Return what the checksums must be if there is a file that they are right for, else None.

    Replicas that are wrong are removed.
    """
    store = storage.store()
    if store.length(planned.name) is None:
        return None
    summing = BlockChecksums()
    for piece in compute_terms(planned.terms):
        summing.update(piece)
    checksums = summing.digest()
    right = store.verify_or_remove(planned.name, planned.length_bytes, checksums)
    return checksums if right else None


def summed(pieces: Iterable[Piece], checksums: BlockChecksums) -> Iterator[Piece]:
    """Yield the pieces, each of them given to the checksums."""
    for piece in pieces:
        checksums.update(piece)
        yield piece


builders = Background(BUILDERS, "build")


def submit(number: int) -> Future[Segment | None]:
    """Have the segment built in the background; the future has None if it cannot be stored."""
    return builders.submit(segment_name(number), partial(attempt, number))


def submit_repair(number: int, fault: Exception) -> None:
    """Have the segment repaired in the background, for such a fault, if it is to be stored."""
    # It is not if it was pruned while it was read.
    if budget.keeps(number):
        builders.submit(f"repair {number}", partial(_attempt_repair, number, fault))


def attempt(number: int) -> Segment | None:
    """Return the segment, built if it is missing; None if that fails: answers can do without."""
    with dispensable(f"Storing segment {number}"):
        return segment(number)
    return None


def _attempt_repair(number: int, fault: Exception) -> None:
    """Repair the segment; log the fault with what came of it, in one line a minute: of a disk that
    cannot be written, each chunk that is read has it again."""
    found, key = f"{str(fault).rstrip('.')}.", f"repair {number}"
    with dispensable(f"{found} Repairing segment {number}", key):
        repair(number)
        if acquire(key):
            log.error("%s Segment %s is repaired.", found, number)
