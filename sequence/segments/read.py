"""Read repair: reads stored segments, each block checked; computes and repairs what is wrong."""

import logging
from collections.abc import Callable, Iterator
from contextlib import suppress

from sequence import conf
from sequence.errors import CacheMiss, IndexMismatch, StoreUnreachable
from sequence.index import counters, rows
from sequence.index.failures import dispensable
from sequence.index.ratelimit import acquire
from sequence.models import Segment
from sequence.segments import budget, build, storage
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

Source = Callable[[Segment, Span, int], Iterator[bytes]]


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
            _note_checked(self._segment, self.file.check(span, self._segment.block_checksums))
        except FAULTS:
            return False
        return True

    def instead(self, start: int, stop: int) -> Iterator[bytes]:
        """Return the right bytes of the segment, which is repaired if it is wrong."""
        return chunks(self._segment, Span(start, stop))

    def chunks(self) -> Iterator[bytes]:
        """Return the right bytes: read, each is compared after no one can write to it any more."""
        return self.instead(self.start, self.stop)


def pieces(segment: Segment, span: Span, before: int = 0) -> Iterator[Piece]:
    """Yield the right bytes of the span of a segment: as `chunks`, or as spans of its file."""
    for start in range(span.start, span.stop, MAX_SPAN_BYTES):
        part = Span(start, min(start + MAX_SPAN_BYTES, span.stop))
        file = None if part.length < MIN_SPAN_BYTES else _settled_file(segment)
        yield from [StoredSpan(segment, file, part)] if file else chunks(segment, part, before)
        before += part.length


def _settled_file(segment: Segment) -> SegmentFile | None:
    """Return the file, if each change of it will show; None if not, or if it cannot be opened."""
    with suppress(OSError):
        file = storage.store().file(segment.name, segment.length_bytes)
        return file if file.is_settled() else None
    return None


def chunks(segment: Segment, span: Span, before: int = 0) -> Iterator[bytes]:
    """Yield the right bytes of the span of a segment, in chunks, whatever has become of its file.

    What is wrong is computed, and the segment is repaired in the background. `before` is how many
    bytes the client has taken: chunks grow with it. Raises what `compute` does.
    """
    start = span.start
    source: Source = _read
    while start < span.stop:
        try:
            for chunk in source(segment, Span(start, span.stop), before + start - span.start):
                start += len(chunk)
                yield chunk
        except CacheMiss:
            if budget.is_on_disk(segment.name):
                build.submit(segment.number)
            source = _fetch if budget.is_fetched(segment.number) else _compute
        except StoreUnreachable as outage:
            if acquire(str(outage)):
                log.warning("%s What lies there is computed.", outage)
            source = _compute  # all that is left: to ask for the next chunk would fail as well
        except FAULTS as fault:
            wrong = Span(start, min(start + CHUNK_BYTES, span.stop))
            start = wrong.stop
            counters.note(segment.number, repaired=1)
            build.submit_repair(segment.number, fault)
            yield from _compute(segment, wrong)


def _read(segment: Segment, span: Span, before: int) -> Iterator[bytes]:
    """Yield the chunks as they are in the file, up to a wrong one, whose fault is raised."""
    start = span.start
    while start < span.stop:
        file = storage.store().file(segment.name, segment.length_bytes)
        # Of a new file each block is read again for each piece of it.
        length = piece_bytes(before) if file.is_settled() else CHUNK_BYTES
        # So that long pieces end with blocks.
        stop = min((start + length) // length * length, span.stop)
        chunk, checked_blocks = file.read(Span(start, stop), segment.block_checksums)
        _note_checked(segment, checked_blocks)
        start, before = stop, before + len(chunk)
        yield chunk


def _fetch(segment: Segment, span: Span, _: int) -> Iterator[bytes]:
    """Yield the same from beyond this host: the blocks around the span, all in one request."""
    blocks = blocks_around(span, segment.length_bytes)
    _note_checked(segment, -(-blocks.length // BLOCK_BYTES))
    checked = storage.store().read_checked(
        segment.name, blocks, segment.block_checksums, patient=False
    )
    return cut(checked, blocks.start, span)


def _compute(segment: Segment, span: Span, _: int = 0) -> Iterator[bytes]:
    return compute_bytes(span.less(-segment.start_offset), CHUNK_BYTES)


def _note_checked(segment: Segment, count: int) -> None:
    if count:
        counters.note(segment.number, checked_blocks=count)


def find_or_repair(number: int, last: int) -> Segment | None:
    """Return the segment that is stored, as its row says; None if it is not, or the index fails.

    If its row is not in the cache, the row of term `last` is compared as well, and the segment is
    repaired if that is wrong.
    """
    planned, cached = conf.layout().planned(number), rows.cache.rows()
    if planned not in cached:
        with dispensable(f"Looking up segment {number}"):
            if segment := rows.find(number):
                cached[planned] = segment
                repair_if_ends_elsewhere(last)
    return cached.get(planned)


def repair_if_ends_elsewhere(n: int) -> None:
    """Look up where term n ends; if that is wrong, have its segment repaired in the background.

    The answer does not depend on it: lengths are known by arithmetic.
    """
    with dispensable(f"Looking up the end of term {n}"):
        found, expected = rows.find_stop_offset(n), offset(n + 1)
        if found not in (None, expected):
            mismatch = IndexMismatch(f"end of term {n:,}", found, expected)
            build.submit_repair(conf.layout().segment_of(n), mismatch)
