"""Makes a segment from its number alone, once on a host, however many ask for it."""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import cache, partial
from pathlib import Path

from sequence import conf
from sequence.background import Background
from sequence.conf import ObjectStore
from sequence.errors import LayoutMismatch, StoreUnreachable
from sequence.index import rows
from sequence.index.engine import release_connection
from sequence.index.failures import dispensable
from sequence.index.ratelimit import acquire
from sequence.models import Segment
from sequence.segments import budget, pace
from sequence.store.checksum import BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.store.store import LABEL, Segments, Store
from sequence.text import adder
from sequence.text.compute import compute, compute_bytes
from sequence.text.layout import Layout, Planned, segment_name, segment_number
from sequence.text.span import Piece, Span

log = logging.getLogger(__name__)

BUILDERS = 4
"""How many segments a process builds at once: twice two cores, as half of them await the disk."""


def store() -> Store:
    """Return the store that the settings name.

    Raises LayoutMismatch if it is cut in another way, and NotStoreDirectory if there is something
    else in its place.
    """
    return _opened(conf.segments_dir(), conf.object_store(), conf.layout())


@cache
def _opened(path: Path, place: ObjectStore | None, layout: Layout) -> Store:
    directory = SegmentDirectory(path, layout.is_name)
    directory.assert_usable()
    opened: Store = directory
    if place:
        # Here, as both load boto3, which one host alone need not have installed.
        from django.core.files.storage import storages

        from sequence.store.bucket import SegmentBucket
        from sequence.store.tiered import TieredStore

        client = storages["segments"].connection.meta.client  # type: ignore[attr-defined]
        bucket = SegmentBucket(client, place.bucket, place.prefix, path.parent, layout.is_name)
        opened = TieredStore(directory, bucket, budget.is_copied)
    with suppress(StoreUnreachable):  # compared again before anything is stored
        _readable_label(opened, layout)
    return opened


# The connections of a client are no child's.
os.register_at_fork(after_in_child=_opened.cache_clear)


def _readable_label(opened: Store, layout: Layout) -> str | None:
    """Return the label of the store; raises LayoutMismatch if it is cut by another layout.

    A label can be damaged, so what is stored decides: names and lengths follow from the layout.
    """
    label = opened.label()
    if label != layout.label:
        right, wrong = _fitting(opened.near, layout)
        if wrong >= right and (label or wrong):
            found = label or "segments of other lengths"
            raise LayoutMismatch(str(opened), found, layout.label)
    return label


def _fitting(segments: Segments, layout: Layout) -> tuple[int, int]:
    """Count the plain segments that have the length they must have, and those that have another."""
    numbers = (segment_number(name) for name in segments.names())
    ends = [
        found == layout.stored(number, found).length_bytes
        for number in numbers
        if number is not None and (found := segments.length(segment_name(number))) is not None
    ]
    return ends.count(True), ends.count(False)


def set_label() -> None:
    """Label the store if it is new or its label is damaged; raises LayoutMismatch and OSError."""
    opened, layout = store(), conf.layout()
    label = _readable_label(opened, layout)
    if label != layout.label:
        found = opened.set_label(layout.label, instead_of=label)
        if found != layout.label:  # another process was faster, with other settings
            raise LayoutMismatch(str(opened), found, layout.label)
        if label or opened.names():
            log.warning("%s in %s was damaged and is written again.", LABEL, opened)


def label_fault() -> str | None:
    """Say what is wrong with the label of a store that is not empty; None if nothing is."""
    opened, expected = store(), conf.layout().label
    found = opened.label()
    if found == expected or not opened.names():
        return None
    return f"It says {found or 'nothing readable'}; it must say {expected}."


def build(number: int) -> Segment:
    """The segment of that number, made and stored first where it is missing.

    One thread of all processes on the host makes it; the others wait, and find it stored. Raises
    OSError where it cannot be written; then nothing of it is left.
    """
    with store().sole_builder(segment_name(number)):
        return _copied(_with_file(number) or make(number))


def _with_file(number: int) -> Segment | None:
    """Return the stored segment, or None if its file is missing or has another length.

    `rows.find` does not ask: those who read the file notice.
    """
    segment = rows.find(number)
    with suppress(StoreUnreachable):  # a copy of it can be made without
        if segment and store().length(segment.name) != segment.length_bytes:
            return None
    return segment


def _copied(segment: Segment) -> Segment:
    """The segment, of which there is then a copy on this host, if there is to be one."""
    if store().lacks_copy(segment.name):
        store().near.set_label(conf.layout().label)
        store().near.publish(segment.name, _bytes_of_copy(segment))
    return segment


def _bytes_of_copy(segment: Segment) -> Iterator[bytes]:
    if pace.copy_is_fetched(segment.number):
        whole = Span(0, segment.length_bytes)
        checksums = segment.block_checksums
        return pace.fetching.timed(store().read_checked(segment.name, whole, checksums))
    return pace.computing(segment.number).timed(compute_bytes(segment.span))


def mend(number: int) -> Segment:
    """The segment of that number, its file and its rows made right; raises what `build` does."""
    with store().sole_builder(segment_name(number)):
        return _copied(make(number))


def make(number: int) -> Segment:
    """The segment of that number with all of its rows written anew; for its sole builder.

    A file that is right already stays; any other is replaced. Raises OSError and DatabaseError
    where they cannot be written; then nothing that was made is left.
    """
    release_connection()
    set_label()
    opened = store()
    planned = conf.layout().stored(number, opened.length(segment_name(number)))
    published = False
    checksums = _checksums_of_right_file(planned)
    if checksums is None:
        planned = conf.layout().planned(number)
        summing = BlockChecksums()
        opened.publish(planned.name, summed(compute(planned.terms), summing))
        published, checksums = True, summing.digest()
    segment = Segment(**planned._asdict(), block_checksums=checksums)
    try:
        rows.record(segment, adder.positions(planned.terms))
    except BaseException:
        if published:
            opened.remove(planned.name)
        raise
    done = "Built" if published else "Took in"
    log.info("%s %s: %s bytes.", done, segment, f"{segment.length_bytes:,}")
    return segment


def _checksums_of_right_file(planned: Planned) -> bytes | None:
    """Return what the checksums must be if there is a file that they are right for, else None.

    Other objects and copies are removed. A directory's only file is left to be replaced, at once
    and by one that is durable: its row must never tell of a missing file.
    """
    opened = store()
    if opened.length(planned.name) is None:
        return None
    summing = BlockChecksums()
    for piece in compute(planned.terms):
        summing.update(piece)
    checksums = summing.digest()
    copies = opened.copies(planned.name)
    wrong = [c for c in copies if not c.is_right(planned.name, planned.length_bytes, checksums)]
    for copy in wrong:
        if copy is not opened:
            copy.remove(planned.name)
    # The first one is the original.
    return None if copies[0] in wrong else checksums


def summed(pieces: Iterable[Piece], checksums: BlockChecksums) -> Iterator[Piece]:
    """The pieces, each of them given to the checksums."""
    for piece in pieces:
        checksums.update(piece)
        yield piece


builders = Background(BUILDERS, "build")


def soon(number: int) -> Future[Segment | None]:
    """The segment of that number, when it has been built; None where the store cannot take it."""
    return builders.submit(segment_name(number), partial(attempt, build, number))


def mend_soon(number: int, fault: Exception) -> None:
    """Repair the segment in the background, if there is room for it, as it has such a fault."""
    # None for one that was pruned while it was read.
    if budget.keeps(number):
        builders.submit(f"mend {number}", partial(_attempt_mend, number, fault))


def _attempt_mend(number: int, fault: Exception) -> None:
    """Repair the segment; log the fault with what came of it, in one line a minute: of a disk that
    cannot be written, each chunk that is read has it again."""
    found, key = f"{str(fault).rstrip('.')}.", f"mend {number}"
    with dispensable(f"{found} Repairing segment {number}", key):
        mend(number)
        if acquire(key):
            log.error("%s Segment %s is repaired.", found, number)


def attempt(make: Callable[[int], Segment], number: int) -> Segment | None:
    """What is made of the number, or None where that fails: answers can do without."""
    with dispensable(f"Storing segment {number}"):
        return make(number)
    return None
