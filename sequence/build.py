"""Makes a segment from its number alone, once on a host, however many ask for it."""

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from functools import cache, partial
from pathlib import Path

from sequence import budget, conf, models
from sequence.background import Background
from sequence.errors import LayoutMismatch
from sequence.index import dispensable, give_back
from sequence.models import Segment
from sequence.store.checksum import BLOCK_BYTES, CHECKSUM_BYTES, BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.text import adder
from sequence.text.compute import compute
from sequence.text.layout import Layout, Planned, segment_name
from sequence.text.span import Piece

log = logging.getLogger(__name__)

BUILDERS = 4
"""How many segments a process builds at once: twice two cores, as half of them await the disk."""


def store() -> SegmentDirectory:
    """The store that the settings name; raises LayoutMismatch where it is cut in another way."""
    return _opened(conf.segments_dir(), conf.layout())


@cache
def _opened(path: Path, layout: Layout) -> SegmentDirectory:
    directory = SegmentDirectory(path)
    _compare(directory, directory.label() or layout.label, layout)
    return directory


def _compare(directory: SegmentDirectory, label: str, layout: Layout) -> None:
    if label != layout.label:
        raise LayoutMismatch(str(directory.path), label, layout.label)


def stored(number: int) -> Segment | None:
    """The segment of that number, where it is stored and its row says of it what is so."""
    planned = conf.layout().planned(number)
    checksums = models.stored_checksums(planned)
    blocks = -(-planned.length_bytes // BLOCK_BYTES)
    if checksums is not None and len(checksums) == blocks * CHECKSUM_BYTES:
        return Segment(**planned._asdict(), block_checksums=checksums)
    if Segment.objects.filter(number=number).exists():
        log.error("The index is wrong about segment %s, which is made again.", number)
    return None


def build(number: int) -> Segment:
    """The segment of that number, made and stored first where it is missing.

    One thread of all processes on the host makes it; the others wait, and find it stored. Raises
    OSError where it cannot be written; then nothing of it is left.
    """
    with store().sole_builder(segment_name(number)):
        return stored(number) or make(number)


def mend(number: int) -> Segment:
    """The segment of that number, its file and its rows made right; raises what `build` does."""
    with store().sole_builder(segment_name(number)):
        return make(number)


def make(number: int) -> Segment:
    """The segment of that number with all of its rows written anew; for its sole builder.

    A file that is right already stays; any other is removed, before the new one takes room. Raises
    OSError and DatabaseError where they cannot be written; then nothing that was made is left.
    """
    give_back()
    directory, layout = store(), conf.layout()
    _compare(directory, directory.set_label(layout.label), layout)
    planned = layout.planned(number)
    published = False
    checksums = _checksums_of_right_file(planned)
    if checksums is None:
        directory.remove(planned.name)
        summing = BlockChecksums()
        directory.publish(planned.name, summed(compute(planned.terms), summing))
        published, checksums = True, summing.digest()
    segment = Segment(**planned._asdict(), block_checksums=checksums)
    try:
        models.insert(segment, adder.positions(planned.terms))
    except BaseException:
        if published:
            directory.remove(planned.name)
        raise
    done = "Built" if published else "Took in"
    log.info("%s %s: %s bytes.", done, segment, f"{segment.length_bytes:,}")
    return segment


def _checksums_of_right_file(planned: Planned) -> bytes | None:
    """What the checksums must be, where there is a file that they are right for."""
    if store().length(planned.name) != planned.length_bytes:
        return None
    summing = BlockChecksums()
    for piece in compute(planned.terms):
        summing.update(piece)
    checksums = summing.digest()
    return checksums if store().intact(planned.name, planned.length_bytes, checksums) else None


def summed(pieces: Iterable[Piece], checksums: BlockChecksums) -> Iterator[Piece]:
    """The pieces, each of them given to the checksums."""
    for piece in pieces:
        checksums.update(piece)
        yield piece


builders = Background(BUILDERS, "build")


def found(number: int) -> Segment | None:
    """`stored`, or None where the index fails: the bytes can be had without."""
    with dispensable(f"Looking up segment {number}"):
        return stored(number)
    return None


def soon(number: int) -> Future[Segment | None]:
    """The segment of that number, when it has been built; None where the store cannot take it."""
    return builders.soon(segment_name(number), partial(attempt, build, number))


def mend_soon(number: int) -> None:
    """Has the segment mended in the background, where there is room for it."""
    # None for one that was pruned while it was read.
    if budget.keeps(number):
        builders.soon(f"mend {number}", partial(attempt, mend, number))


def attempt(make: Callable[[int], Segment], number: int) -> Segment | None:
    """What is made of the number, or None where that fails: answers can do without."""
    with dispensable(f"Storing segment {number}"):
        return make(number)
    return None
