"""Reads stored segments, each block checked, and recomputes and mends what is wrong."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import partial

from sequence import conf, models
from sequence.errors import IndexMismatch, StoreUnreachable
from sequence.index import counters
from sequence.index.health import dispensable
from sequence.index.ratelimit import acquire
from sequence.models import Segment
from sequence.segments import build, pace
from sequence.signals import segment_repaired
from sequence.store.checksum import BLOCK_BYTES, blocks_around
from sequence.store.opened import SegmentFile
from sequence.store.pieces import FileSpan, Piece, piece_bytes
from sequence.store.store import CHUNK_BYTES, FAULTS
from sequence.text.compute import compute_bytes
from sequence.text.layout import offset
from sequence.text.span import Span, cut

log = logging.getLogger(__name__)

MIN_SPAN_BYTES = 64 * 1024
"""Shorter ones are sooner copied."""

MAX_SPAN_BYTES = 4 * 1024 * 1024
"""After which a stream looks for the file again, as it may have been repaired."""


class StoredSpan(FileSpan):
    """A span of a segment's file, of which each byte is checked just before it is sent."""

    __slots__ = ("_segment",)
    file: SegmentFile

    def __init__(self, segment: Segment, file: SegmentFile, span: Span) -> None:
        super().__init__(file, span.start, span.stop)
        self._segment = segment

    def is_right(self, count: int) -> bool:
        """Whether the next bytes are right now, and nobody has written to the file."""
        try:
            span = Span(self.start, self.start + count)
            checked_blocks = self.file.check(span, self._segment.block_checksums)
            _note_checked(self._segment, checked_blocks)
            return self.file.is_unchanged()
        except FAULTS:
            return False

    def instead(self, start: int, stop: int) -> Iterator[bytes]:
        """The right bytes of the segment, which is repaired if it is wrong."""
        return read(self._segment, Span(start, stop))

    def chunks(self) -> Iterator[bytes]:
        """The right bytes: read, each is compared after no one can write to it any more."""
        return self.instead(self.start, self.stop)


def pieces(segment: Segment, span: Span, before: int = 0) -> Iterator[Piece]:
    """The right bytes of the span of a segment, as `read` gives them; or as spans of its file."""
    for part in _parts(span):
        file = None if part.length < MIN_SPAN_BYTES else _settled_file(segment)
        yield from [StoredSpan(segment, file, part)] if file else read(segment, part, before)
        before += part.length


def _parts(span: Span) -> Iterator[Span]:
    for start in range(span.start, span.stop, MAX_SPAN_BYTES):
        yield Span(start, min(start + MAX_SPAN_BYTES, span.stop))


def _settled_file(segment: Segment) -> SegmentFile | None:
    """Return the file, if each change of it will show; None if not, or if it cannot be opened."""
    store = build.store()
    with suppress(OSError):
        if not store.is_far(segment.name):
            file = store.file(segment.name, segment.length_bytes)
            return file if file.is_settled() else None
    return None


def read(segment: Segment, span: Span, before: int = 0) -> Iterator[bytes]:
    """The right bytes of the span of a segment, in chunks, whatever has become of its file.

    The file is mended meanwhile. What lies beyond this host is computed where that is faster.
    `before` is how many bytes the client has taken: chunks grow with it. Raises what `compute`
    does.
    """
    store = build.store()
    if not store.is_far(segment.name):
        return _right(segment, span, partial(_near, segment, before=before))
    if store.lacks_copy(segment.name):
        build.soon(segment.number)
    if pace.is_fetched(segment.number):
        return pace.fetching.timed(_right(segment, span, partial(_far, segment)))
    in_text = span.less(-segment.start_offset)
    return pace.computing(segment.number).timed(compute_bytes(in_text, CHUNK_BYTES))


def _near(segment: Segment, span: Span, before: int) -> Iterator[bytes]:
    """The chunks as they are in the file, up to a wrong one, whose fault is raised."""
    start = span.start
    while start < span.stop:
        file = build.store().file(segment.name, segment.length_bytes)
        # Of a new file each block is read again for each piece of it.
        length = piece_bytes(before) if file.is_settled() else CHUNK_BYTES
        # So that long pieces end with blocks.
        stop = min((start + length) // length * length, span.stop)
        chunk, checked_blocks = file.read(Span(start, stop), segment.block_checksums)
        _note_checked(segment, checked_blocks)
        start, before = stop, before + len(chunk)
        yield chunk


def _far(segment: Segment, span: Span) -> Iterator[bytes]:
    """The same of what lies beyond this host: the blocks around the span are fetched at once."""
    blocks = blocks_around(span, segment.length_bytes)
    _note_checked(segment, -(-blocks.length // BLOCK_BYTES))
    chunks = build.store().read_checked(segment.name, blocks, segment.block_checksums)
    return cut(chunks, blocks.start, span)


def _note_checked(segment: Segment, count: int) -> None:
    if count:
        counters.note(segment.number, checked_blocks=count)


def _right(
    segment: Segment, span: Span, source: Callable[[Span], Iterator[bytes]]
) -> Iterator[bytes]:
    """The bytes of the source; what is wrong there is recomputed, and the segment repaired."""
    start = span.start
    while start < span.stop:
        try:
            for chunk in source(Span(start, span.stop)):
                start += len(chunk)
                yield chunk
        except StoreUnreachable as outage:
            # All that is left: to ask for the next chunk would fail as well.
            if acquire(str(outage)):
                log.warning("%s What lies there is computed.", outage)
            yield from compute_bytes(Span(start, span.stop).less(-segment.start_offset))
            return
        except FAULTS as fault:
            wrong = Span(start, min(start + CHUNK_BYTES, span.stop))
            start = wrong.stop
            segment_repaired.send(segment.number)
            counters.note(segment.number, repaired=1)
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
