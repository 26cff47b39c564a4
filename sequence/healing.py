"""Reads stored segments, each block checked, and recomputes and mends what is wrong."""

import logging
from collections.abc import Iterator

from django.dispatch import Signal

from sequence import build, conf, models, pace, usage
from sequence.errors import IndexMismatch, StoreUnreachable
from sequence.index import dispensable
from sequence.models import Segment
from sequence.ratelimit import acquire
from sequence.store.checksum import BLOCK_BYTES, blocks_around
from sequence.store.store import CHUNK_BYTES, FAULTS
from sequence.text.compute import compute_bytes
from sequence.text.layout import offset
from sequence.text.span import Span, cut

log = logging.getLogger(__name__)

healed = Signal()
"""Sent for each stretch of bytes that was recomputed, as what is stored of it is wrong."""


def read(segment: Segment, span: Span) -> Iterator[bytes]:
    """The right bytes of the span of a segment, in chunks, whatever has become of its file.

    The file is mended meanwhile. What lies beyond this host is computed where that is faster.
    Raises what `compute` does.
    """
    store = build.store()
    if not store.is_far(segment.name):
        return _stored(segment, span)
    if store.lacks_copy(segment.name):
        build.soon(segment.number)
    if pace.is_fetched(segment.number):
        return pace.fetching.timed(_stored(segment, span))
    in_text = span.less(-segment.start_offset)
    return pace.computing(segment.number).timed(compute_bytes(in_text, CHUNK_BYTES))


def _stored(segment: Segment, span: Span) -> Iterator[bytes]:
    blocks = blocks_around(span, segment.length_bytes)
    usage.note(segment.number, checked_blocks=-(-blocks.length // BLOCK_BYTES))
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
    except StoreUnreachable as outage:
        # All that is left: to ask for the next chunk would fail as well.
        if acquire(str(outage)):
            log.warning("%s What lies there is computed.", outage)
        yield from compute_bytes(Span(start, blocks.stop).less(-segment.start_offset))
    except FAULTS as fault:
        wrong = Span(start, min(start + CHUNK_BYTES, blocks.stop))
        healed.send(segment)
        usage.note(segment.number, repaired=1)
        build.mend_soon(segment.number, fault)
        yield from compute_bytes(wrong.less(-segment.start_offset))


def found(number: int, last: int) -> Segment | None:
    """The segment that is stored, as its row says; None if it is not, or if the index fails.

    If its row is not in the cache, the row of term `last` is compared as well.
    """
    planned, rows = conf.layout().planned(number), models.cache.rows()
    if planned not in rows:
        with dispensable(f"Looking up segment {number}"):
            if segment := build.stored(number):
                rows[planned] = segment
                check_end(last)
    return rows.get(planned)


def check_end(n: int) -> None:
    """Look up where term n ends; if that is wrong, the segment is repaired.

    The answer does not depend on it: lengths are known by arithmetic.
    """
    with dispensable(f"Looking up the end of term {n}"):
        found, expected = models.stored_stop_offset(n), offset(n + 1)
        if found not in (None, expected):
            mismatch = IndexMismatch(f"end of term {n:,}", found, expected)
            build.mend_soon(conf.layout().segment_of(n), mismatch)
