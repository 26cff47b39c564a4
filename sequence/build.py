"""Makes a segment from its number alone, once on a host, however many ask for it."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import cache, lru_cache, partial
from pathlib import Path

from sequence import conf, models
from sequence.background import Background, at_once
from sequence.errors import LayoutMismatch
from sequence.models import Segment
from sequence.store.checksum import BLOCK_BYTES, CHECKSUM_BYTES, BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.text import adder
from sequence.text.compute import compute
from sequence.text.layout import Layout, offset, segment_name
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


@lru_cache(maxsize=4096)
def planned(layout: Layout, number: int) -> dict[str, int | str]:
    """What arithmetic says of the segment of that number, by the names of its row's columns."""
    terms = layout.terms(number)
    start_offset = offset(terms.start)
    return {
        "number": number,
        "name": segment_name(number),
        "first_term": terms.start,
        "term_count": terms.length,
        "start_offset": start_offset,
        "length_bytes": offset(terms.stop) - start_offset,
    }


def stored(number: int) -> Segment | None:
    """The segment of that number, where it is stored and its row says of it what is so."""
    found = Segment.objects.filter(number=number).first()
    if found and not describes(found, planned(conf.layout(), number)):
        log.error("The index is wrong about segment %s, which is made again.", number)
        return None
    return found


def describes(segment: Segment, facts: dict[str, int | str]) -> bool:
    """Whether the row says all the facts, and has as many checksums as there are blocks."""
    blocks = -(-segment.length_bytes // BLOCK_BYTES)
    return len(segment.block_checksums) == blocks * CHECKSUM_BYTES and all(
        getattr(segment, name) == fact for name, fact in facts.items()
    )


def build(number: int) -> Segment:
    """The segment of that number, made and stored first where it is missing.

    One thread of all processes on the host makes it; the others wait, and find it stored. Raises
    OSError where it cannot be written; then nothing of it is left.
    """
    with store().sole_builder(segment_name(number)):
        return stored(number) or make(number)


def make(number: int) -> Segment:
    """The segment of that number, made and stored in place of any other; for its sole builder.

    Raises OSError where it cannot be written; then nothing of it is left.
    """
    directory, layout = store(), conf.layout()
    _compare(directory, directory.set_label(layout.label), layout)
    terms, checksums = layout.terms(number), BlockChecksums()
    directory.publish(segment_name(number), summed(compute(terms), checksums))
    segment = Segment(**planned(layout, number), block_checksums=checksums.digest())
    row = models.insert(segment, adder.positions(terms))
    log.info("Built %s: %s bytes.", row, f"{row.length_bytes:,}")
    return row


def summed(pieces: Iterable[Piece], checksums: BlockChecksums) -> Iterator[Piece]:
    """The pieces, each of them given to the checksums."""
    for piece in pieces:
        checksums.update(piece)
        yield piece


builders = Background(BUILDERS, "build")


def soon(number: int) -> Future[Segment]:
    """The segment of that number: at once where it is stored, or else when it has been built."""
    if found := stored(number):
        return at_once(found)
    return builders.soon(segment_name(number), partial(build, number))
