"""Makes a segment from its number alone, once on a host, however many ask for it."""

import logging
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from functools import cache, partial
from pathlib import Path
from typing import TypeVar

from sequence import conf, models
from sequence.background import Background, at_once
from sequence.errors import LayoutMismatch
from sequence.models import Segment
from sequence.store.checksum import BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.text import adder
from sequence.text.compute import compute
from sequence.text.layout import Layout, offset, segment_name

log = logging.getLogger(__name__)

Piece = TypeVar("Piece", bytes, memoryview)

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
    """The segment of that number, where it is stored."""
    return Segment.objects.filter(number=number).first()


def build(number: int) -> Segment:
    """The segment of that number, made and stored first where it is missing.

    One thread of all processes on the host makes it; the others wait, and find it stored. Raises
    OSError where it cannot be written; then nothing of it is left.
    """
    directory, layout, name = store(), conf.layout(), segment_name(number)
    with directory.sole_builder(name):
        if found := stored(number):
            return found
        _compare(directory, directory.set_label(layout.label), layout)
        terms = layout.terms(number)
        checksums = BlockChecksums()
        directory.publish(name, summed(compute(terms), checksums))
        start_offset = offset(terms.start)
        segment = Segment(
            number=number,
            name=name,
            first_term=terms.start,
            term_count=terms.length,
            start_offset=start_offset,
            length_bytes=offset(terms.stop) - start_offset,
            block_checksums=checksums.digest(),
        )
        models.insert(segment, adder.positions(terms))
        log.info("Built %s: %s bytes.", segment, f"{segment.length_bytes:,}")
        return segment


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
