"""Streams a representation from stored segments, building those that are missing."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from sequence import build, conf, healing
from sequence.errors import BodyShort, IndexMismatch
from sequence.text.layout import term_at
from sequence.text.representation import Representation
from sequence.text.span import Span

LOOKAHEAD = build.BUILDERS - 1
"""How many segments are looked up, and built, beyond the one that is sent."""

Made = TypeVar("Made")


def primed(chunks: Iterator[bytes]) -> Generator[bytes]:
    """The chunks, the first of them taken at once, so that its faults come before a response."""
    ready = [next(chunks, b"")]

    def all_chunks() -> Generator[bytes]:
        # Taken out of the list: a slow reader's stream would keep it to its end.
        yield ready.pop()
        yield from chunks

    return all_chunks()


def stream(representation: Representation, body: Iterable[bytes | Span]) -> Iterator[bytes]:
    """The literal bytes and the spans of the representation, one after another, in chunks.

    Exactly as many bytes as were asked for: raises IndexMismatch, BodyShort, OSError and the
    errors of `build.build` and of the store's `read` rather than end early.
    """
    for part in body:
        if isinstance(part, Span):
            yield from _excerpt(representation, part)
        else:
            yield part


def _excerpt(representation: Representation, span: Span) -> Iterator[bytes]:
    excerpt = representation.excerpt(span)
    left = span.length
    for chunk in excerpt.render(_text(excerpt.text)):
        left -= len(chunk)
        yield chunk
    # A body that merely ended early would be taken for a whole one on a connection that lives on.
    if left:
        raise BodyShort(span.length, span.length - left)


def _text(span: Span) -> Iterator[bytes]:
    if not span.length:
        return
    reached = span.start
    terms = Span(term_at(span.start), term_at(span.stop - 1) + 1)
    for segment in ahead(build.soon(number) for number in conf.layout().numbers(terms)):
        part = span.within(segment.span)
        if part.start != reached:
            raise IndexMismatch(f"start of {segment}", part.start, reached)
        yield from healing.read(segment, part.less(segment.start_offset))
        reached = part.stop
    if reached != span.stop:
        raise IndexMismatch(f"end of {segment}", reached, span.stop)


def ahead(futures: Iterable[Future[Made]]) -> Iterator[Made]:
    """The results in order, the next ones in the making meanwhile."""
    under_way: deque[Future[Made]] = deque()
    for future in futures:
        under_way.append(future)
        if len(under_way) > LOOKAHEAD:
            yield under_way.popleft().result()
    while under_way:
        yield under_way.popleft().result()
