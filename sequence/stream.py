"""Streams spans of the text from stored segments, building those that are missing."""

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future

from sequence import build, conf
from sequence.errors import IndexMismatch
from sequence.models import Segment, Term
from sequence.text.layout import offset, term_at
from sequence.text.span import Span

LOOKAHEAD = build.BUILDERS - 1
"""How many segments are looked up, and built, beyond the one that is sent."""


def stop_offset(sn: int) -> int:
    """The length of the first `sn` terms in bytes.

    As the index has it where the last term is stored, or else by arithmetic. Raises IndexMismatch
    where the two disagree.
    """
    expected = offset(sn)
    stored = Term.objects.stop_offset(sn - 1) if sn else None
    if stored not in (None, expected):
        raise IndexMismatch(f"end of term {sn - 1:,}", stored, expected)
    return expected


def stream(span: Span) -> Generator[bytes]:
    """The bytes of the span of the text, in chunks, exactly as many as it has.

    The first chunk is read before this returns, so that what can fail fails before a response
    begins. Raises OSError and the errors of `build.build` and of the store's `read`.
    """
    chunks = _chunks(span)
    ready = [next(chunks, b"")]

    def all_chunks() -> Generator[bytes]:
        # Taken out of the list: a slow reader's stream would keep it to its end.
        yield ready.pop()
        yield from chunks

    return all_chunks()


def _chunks(span: Span) -> Iterator[bytes]:
    if not span.length:
        return
    position = span.start
    for segment in _segments(Span(term_at(span.start), term_at(span.stop - 1) + 1)):
        part = span.within(segment.span)
        if part.start != position:
            raise IndexMismatch(f"start of {segment}", part.start, position)
        yield from build.store().read(segment.name, part.less(segment.start_offset))
        position = part.stop
    # A body that merely ended early would be taken for a whole one on a connection that lives on.
    if position != span.stop:
        raise IndexMismatch(f"end of {segment}", position, span.stop)


def _segments(terms: Span) -> Iterator[Segment]:
    """The segments that hold the terms, in order, the next ones in the making meanwhile."""
    ahead: deque[Future[Segment]] = deque()
    for number in conf.layout().numbers(terms):
        ahead.append(build.soon(number))
        if len(ahead) > LOOKAHEAD:
            yield ahead.popleft().result()
    while ahead:
        yield ahead.popleft().result()
