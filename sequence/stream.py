"""Streams a representation from stored segments, building those that are missing."""

import logging
from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from itertools import tee
from typing import TypeVar

from sequence import build, coded, conf
from sequence.coding import Coding, joined_crc32
from sequence.errors import IndexMismatch
from sequence.models import CodedSegment, Term
from sequence.text.layout import offset, term_at
from sequence.text.representation import Representation
from sequence.text.span import Span

log = logging.getLogger(__name__)

LOOKAHEAD = build.BUILDERS - 1
"""How many segments are looked up, and built, beyond the one that is sent."""

Made = TypeVar("Made")


def check_index(n: int) -> None:
    """Raises IndexMismatch where the index has the end of term n elsewhere than arithmetic."""
    stored = Term.objects.stop_offset(n)
    if stored not in (None, offset(n + 1)):
        raise IndexMismatch(f"end of term {n:,}", stored, offset(n + 1))


def primed(chunks: Iterator[bytes]) -> Generator[bytes]:
    """The chunks, the first of them taken at once: what can fail fails before a response begins."""
    ready = [next(chunks, b"")]

    def all_chunks() -> Generator[bytes]:
        # Taken out of the list: a slow reader's stream would keep it to its end.
        yield ready.pop()
        yield from chunks

    return all_chunks()


def stream(representation: Representation, body: Iterable[bytes | Span]) -> Iterator[bytes]:
    """The literal bytes and the spans of the representation, one after another, in chunks.

    Exactly as many bytes as were asked for: raises IndexMismatch, OSError and the errors of
    `build.build` and of the store's `read` rather than end early.
    """
    for part in body:
        if isinstance(part, Span):
            yield from _excerpt(representation, part)
        else:
            yield part


def stream_coded(representation: Representation, coding: Coding) -> Iterator[bytes]:
    """The whole representation in the coding, in chunks.

    Whole segments are kept in coded form, and made where they are missing; what lies before and
    after them is coded as it is sent. Raises what `stream` raises.
    """
    return filter(None, _sewn(coding.head, _coded_pieces(representation, coding)))


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


def _coded_pieces(representation: Representation, coding: Coding) -> Iterator[Iterable[bytes]]:
    """The pieces of the coded form after its head, each to be read to its end before the next."""
    crc = position = 0
    for part, kept in _coded_parts(representation, coding):
        coder = coded.CheckedCoder(coding)
        if kept:
            yield build.store().read(kept.name, Span(0, kept.length_bytes))
        else:
            yield coder.code(_excerpt(representation, part))
        crc = joined_crc32(crc, kept.crc32 if kept else coder.crc32, part.length)
        position = part.stop
    yield [coding.tail(crc, position)]


def _excerpt(representation: Representation, span: Span) -> Iterator[bytes]:
    excerpt = representation.excerpt(span)
    left = span.length
    for chunk in excerpt.render(_text(excerpt.text)):
        left -= len(chunk)
        yield chunk
    # A body that merely ended early would be taken for a whole one on a connection that lives on.
    if left:
        raise IndexMismatch(
            f"end of bytes {span.start:,} to {span.stop:,}", span.stop - left, span.stop
        )


def _text(span: Span) -> Iterator[bytes]:
    if not span.length:
        return
    position = span.start
    terms = Span(term_at(span.start), term_at(span.stop - 1) + 1)
    for segment in _ahead(build.soon(number) for number in conf.layout().numbers(terms)):
        part = span.within(segment.span)
        if part.start != position:
            raise IndexMismatch(f"start of {segment}", part.start, position)
        yield from build.store().read(segment.name, part.less(segment.start_offset))
        position = part.stop
    if position != span.stop:
        raise IndexMismatch(f"end of {segment}", position, span.stop)


def _ahead(futures: Iterable[Future[Made]]) -> Iterator[Made]:
    """The results in order, the next ones in the making meanwhile."""
    under_way: deque[Future[Made]] = deque()
    for future in futures:
        under_way.append(future)
        if len(under_way) > LOOKAHEAD:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()


def _coded_parts(
    representation: Representation, coding: Coding
) -> Iterator[tuple[Span, CodedSegment | None]]:
    """The parts of the representation in order: kept, or None for one to be coded as it is sent."""
    plan, terms = conf.layout(), representation.terms
    segments = ((n, plan.terms(n)) for n in plan.numbers(terms))
    wholes, again = tee((n, whole) for n, whole in segments if whole.within(terms) == whole)
    kept_ones = _ahead(coded.soon(n, representation.format, coding) for n, _ in wholes)
    position = 0
    for (_, whole), kept in zip(again, kept_ones, strict=True):
        start, stop = (representation.position(n) for n in whole)
        if kept and position < start:
            yield Span(position, start), None
        yield (Span(start, stop), kept) if kept else (Span(position, stop), None)
        position = stop
    if position < representation.length:
        yield Span(position, representation.length), None
