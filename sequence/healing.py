"""Reads stored segments, each block checked, and recomputes and mends what is wrong."""

import logging
from collections.abc import Iterator
from functools import partial

from django.dispatch import Signal

from sequence import build, conf
from sequence.errors import BlockMismatch, IndexMismatch, SegmentShort
from sequence.models import Segment, Term
from sequence.store.checksum import blocks_around
from sequence.store.directory import CHUNK_BYTES
from sequence.text.compute import compute_bytes
from sequence.text.layout import offset, segment_name
from sequence.text.span import Span, cut

log = logging.getLogger(__name__)

healed = Signal()
"""Sent for each stretch of bytes that was recomputed, as what is stored of it is wrong."""

FAULTS = (BlockMismatch, SegmentShort, OSError)
"""What a file that was damaged, cut, or removed gives to its reader."""


def read(segment: Segment, span: Span) -> Iterator[bytes]:
    """The right bytes of the span of a segment, in chunks, whatever has become of its file.

    The file is mended meanwhile. Raises what `compute` does.
    """
    blocks = blocks_around(span, segment.length_bytes)
    return cut(_blocks(segment, blocks), blocks.start, span)


def _blocks(segment: Segment, blocks: Span) -> Iterator[bytes]:
    """The right bytes of the blocks, in chunks."""
    start = blocks.start
    while start < blocks.stop:
        for chunk in _chunks(segment, Span(start, blocks.stop)):
            yield chunk
            start += len(chunk)


def _chunks(segment: Segment, blocks: Span) -> Iterator[bytes]:
    """The chunks as they are stored, up to a wrong one, which is recomputed and is the last."""
    start = blocks.start
    try:
        for chunk in build.store().read_checked(segment.name, blocks, segment.block_checksums):
            yield chunk
            start += len(chunk)
    except FAULTS as fault:
        wrong = Span(start, min(start + CHUNK_BYTES, blocks.stop))
        log.error("%s It is recomputed, and mended.", fault)
        healed.send(segment)
        build.builders.soon(f"mend {segment.name}", partial(mend, segment.number))
        yield from compute_bytes(wrong.less(-segment.start_offset))


def mend(number: int) -> Segment:
    """The segment of that number with its file and its rows made again, where they are wrong."""
    with build.store().sole_builder(segment_name(number)):
        segment = build.stored(number)
        return segment if segment and intact(segment) else build.make(number)


def check_end(n: int) -> None:
    """Looks up where term n ends; where that is wrong, the rows of its segment are made again.

    The answer does not depend on it: lengths are known by arithmetic.
    """
    found, expected = Term.objects.stop_offset(n), offset(n + 1)
    if found not in (None, expected):
        mismatch = IndexMismatch(f"end of term {n:,}", found, expected)
        log.error("%s The rows of its segment are made again.", mismatch)
        number = conf.layout().segment_of(n)
        build.builders.soon(f"rows of {number}", partial(remake, number))


def remake(number: int) -> Segment:
    """The segment of that number with its file and its rows made again."""
    with build.store().sole_builder(segment_name(number)):
        return build.make(number)


def intact(segment: Segment) -> bool:
    """Whether all bytes that the row tells of are stored and are what its checksums say."""
    try:
        whole = Span(0, segment.length_bytes)
        for _ in build.store().read_checked(segment.name, whole, segment.block_checksums):
            pass
    except FAULTS:
        return False
    return True
