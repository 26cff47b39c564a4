"""Streams a representation in a content coding, from the segments that are kept in it."""

import logging
from collections import deque
from collections.abc import Iterable, Iterator
from concurrent.futures import Future
from sys import maxsize

from sequence import coded, conf, healing, usage
from sequence.coding import Coding, joined_crc32
from sequence.index import dispensable
from sequence.models import CodedSegment
from sequence.store.store import FAULTS
from sequence.stream import stream
from sequence.text.representation import Representation
from sequence.text.span import Span, cut

log = logging.getLogger(__name__)

LOOKAHEAD = coded.CODERS + 1
"""How many segments are looked up, and coded, beyond the one that is sent."""

Coded = tuple[Span, CodedSegment | None]


def stream_coded(representation: Representation, coding: Coding) -> Iterator[bytes]:
    """The whole representation in the coding, in chunks (docs/text-format.md, section 6).

    Whole segments are read as they are kept, and made where they are missing; what lies before
    and after them, and what finds no room, is coded as it is sent, to the same bytes. Raises what
    `stream` raises.
    """
    return filter(None, _sewn(coding.head, _pieces(representation, coding)))


def _sewn(carried: bytes, pieces: Iterable[Iterable[bytes]]) -> Iterator[bytes]:
    """The chunks of the pieces, the last byte of each with the first ones of the next.

    httpx takes an answer for damaged where a zstd frame ends with what it has received so far.
    """
    for piece in pieces:
        held = carried
        for number, chunk in enumerate(piece):
            if number:
                yield held
                held = chunk
            else:
                held += chunk
        yield held[:-1]
        carried = held[-1:]
    yield carried


def _pieces(representation: Representation, coding: Coding) -> Iterator[Iterable[bytes]]:
    """The pieces of the coded form after its head, each to be read to its end before the next."""
    crc = 0
    for part, kept in _parts(representation, coding):
        coder = coded.CheckedCoder(coding)
        anew = coder.code(stream(representation, [part]))
        yield _read(kept, anew) if kept else anew
        crc = joined_crc32(crc, kept.crc32 if kept else coder.crc32, part.length)
    yield [coding.tail(crc, representation.length)]


def _read(kept: CodedSegment, anew: Iterator[bytes]) -> Iterator[bytes]:
    """The piece as it is kept, and from where that is wrong on as it is coded anew."""
    sent_bytes = 0
    usage.note(kept.segment_id, served=1)
    try:
        for chunk in coded.read(kept):
            yield chunk
            sent_bytes += len(chunk)
    except FAULTS as fault:
        log.error("%s It is coded anew, and removed.", fault)
        healing.healed.send(kept)
        usage.note(kept.segment_id, healed=1)
        with dispensable(f"Removing {kept}"):
            coded.forget(kept.name)
        yield from cut(anew, 0, Span(sent_bytes, maxsize))


def _parts(representation: Representation, coding: Coding) -> Iterator[Coded]:
    """The spans that the pieces are of, and what is kept of each.

    They are the same wherever and whenever: the ETag is of the bytes that they make.
    """
    plan, terms = conf.layout(), representation.terms
    segments = ((n, plan.terms(n)) for n in plan.numbers(terms))
    wholes = (
        (whole, coded.soon(n, representation.format, coding))
        for n, whole in segments
        if whole.within(terms) == whole
    )
    stop = 0
    for whole, kept in _ahead(wholes):
        part = Span(*(representation.offset(n) for n in whole))
        if stop < part.start:
            yield Span(stop, part.start), None
        yield part, kept
        stop = part.stop
    if stop < representation.length:
        yield Span(stop, representation.length), None


def _ahead(futures: Iterable[tuple[Span, Future[CodedSegment | None]]]) -> Iterator[Coded]:
    """The results in order, each with its span, the next ones in the making meanwhile."""
    under_way: deque[tuple[Span, Future[CodedSegment | None]]] = deque()
    for each in futures:
        under_way.append(each)
        if len(under_way) > LOOKAHEAD:
            span, future = under_way.popleft()
            yield span, future.result()
    for span, future in under_way:
        yield span, future.result()
