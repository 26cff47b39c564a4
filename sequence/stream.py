"""Streams a representation from stored segments, building or computing those that are missing."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator
from concurrent.futures import Future
from typing import TypeVar

from sequence import budget, build, conf, healing, usage
from sequence.background import at_once
from sequence.errors import BodyShort
from sequence.models import Segment
from sequence.store.directory import CHUNK_BYTES
from sequence.text.compute import compute_bytes
from sequence.text.layout import term_at
from sequence.text.representation import Representation
from sequence.text.span import Span

LOOKAHEAD = build.BUILDERS - 1
"""How many segments are looked up, and built, beyond the one that is sent."""

Key = TypeVar("Key")
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

    Exactly as many bytes as were asked for: raises BodyShort, SumMismatch or LayoutMismatch
    rather than end early.
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
    """The bytes of the text: stored ones as they are stored, all others computed."""
    for part, segment in ahead(_parts(span)):
        if segment:
            usage.note(segment.number, served=1)
            yield from healing.read(segment, part.less(segment.start_offset))
        else:
            yield from compute_bytes(part, CHUNK_BYTES)


def _parts(span: Span) -> Iterator[tuple[Span, Future[Segment | None]]]:
    """The span by segments, as far as the store has room for those, and what lies beyond."""
    if not span.length:
        return
    plan, terms = conf.layout(), Span(term_at(span.start), term_at(span.stop - 1) + 1)
    for number in plan.numbers(terms):
        part = span.within(plan.planned(number).span)
        if not budget.keeps(number):
            # In one go, as no pair of terms must then be found anew.
            yield Span(part.start, span.stop), at_once(None)
            return
        yield part, build.soon(number)


def ahead(futures: Iterable[tuple[Key, Future[Made]]]) -> Iterator[tuple[Key, Made]]:
    """The results in order, each with its key, the next ones in the making meanwhile."""
    under_way: deque[tuple[Key, Future[Made]]] = deque()
    for each in futures:
        under_way.append(each)
        if len(under_way) > LOOKAHEAD:
            key, future = under_way.popleft()
            yield key, future.result()
    for key, future in under_way:
        yield key, future.result()
