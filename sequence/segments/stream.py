"""Streams a representation from stored segments, computing what is missing."""

from collections.abc import Callable, Generator, Iterable, Iterator
from concurrent.futures import Future
from threading import BoundedSemaphore
from typing import TypeVar

from sequence import conf
from sequence.coding.coding import Coding
from sequence.errors import BodyShort
from sequence.index import counters
from sequence.models import Segment
from sequence.segments import budget, build, read, storage
from sequence.store.pieces import Piece
from sequence.store.store import CHUNK_BYTES
from sequence.text.compute import compute_bytes
from sequence.text.representation import AnyRepresentation, Representation
from sequence.text.span import Span

Given = TypeVar("Given", bytes, Piece)
Read = Callable[[Segment, Span, int], Iterator[Given]]
"""Yields the bytes of a segment's span, after so many of its stream: `read.chunks`, say."""

MAX_STORING = 8
"""How many segments of a stream may be on their way to the disk: more would still be written when
its client is long gone."""

MAX_WAITING = 4
"""How many streams of a process may wait for the disk at once: each holds one of few threads."""

_waiting = BoundedSemaphore(MAX_WAITING)


def pieces(representation: AnyRepresentation, body: Iterable[bytes | Span]) -> Generator[Piece]:
    """Return the literal bytes and the spans of the representation, one after another, in pieces.

    Exactly as many bytes as were asked for: raises BodyShort or SumMismatch rather than end early.
    The first piece is made at once, so that its faults come before a response.
    """
    return _primed(_body(representation, body, read.pieces))


def chunks(representation: AnyRepresentation, body: Iterable[bytes | Span]) -> Iterator[bytes]:
    """Yield the same in bytes."""
    return _body(representation, body, read.chunks)


def _body(
    representation: AnyRepresentation,
    body: Iterable[bytes | Span],
    source: Read[Given],
) -> Iterator[Given | bytes]:
    for part in body:
        if isinstance(part, Span):
            yield from _excerpt(representation, part, source)
        else:
            yield part


def encoded(representation: AnyRepresentation, coding: Coding) -> Generator[bytes]:
    """Return the whole representation in the coding, in chunks, encoded as they are taken.

    The first chunk is made at once. Raises what `chunks` raises.
    """
    return _primed(_packed(representation, coding))


def _packed(representation: AnyRepresentation, coding: Coding) -> Iterator[bytes]:
    coder = coding.coder(representation)
    whole = Span(0, representation.length or 0)
    yield from filter(None, map(coder.pack, chunks(representation, [whole])))
    yield coder.finish()


def _primed(pieces: Iterator[Given]) -> Generator[Given | bytes]:
    ready: list[Given | bytes] = [next(pieces, b"")]

    def all_pieces() -> Generator[Given | bytes]:
        # Taken out of the list: a slow reader's stream would keep it to its end.
        yield ready.pop()
        yield from pieces

    return all_pieces()


def _excerpt(
    representation: AnyRepresentation, span: Span, source: Read[Given]
) -> Iterator[Given | bytes]:
    left = span.length
    for piece in _rendered(representation, span, source):
        left -= len(piece)
        yield piece
    # A body that merely ended early would be taken for a whole one on a connection that lives on.
    if left and representation.length is not None:
        raise BodyShort(span.length, span.length - left)


def _rendered(
    representation: AnyRepresentation, span: Span, source: Read[Given]
) -> Iterator[Given | bytes]:
    if not isinstance(representation, Representation):
        return representation.chunks(span)
    excerpt = representation.excerpt(span)
    if excerpt.format.is_text:
        return _text(excerpt.text, excerpt.terms, source)
    return excerpt.render(_text(excerpt.text, excerpt.terms, read.chunks))


def _text(span: Span, terms: Span, source: Read[Given]) -> Iterator[Given | bytes]:
    """Yield the bytes of the text, of these terms: stored ones from `source`, others computed.

    What is computed and can be stored is stored at the same time.
    """
    if not span.length:
        return
    plan = conf.layout()
    storing: list[Future[Segment | None]] = []
    for number in plan.numbers(terms):
        planned = plan.planned(number)
        part = span.within(planned.span)
        if not budget.keeps(number):
            # In one go, as no first pair of terms must then be computed again.
            yield from compute_bytes(Span(part.start, span.stop), CHUNK_BYTES)
            return
        if segment := read.find_or_repair(number, last=min(terms.stop, planned.terms.stop) - 1):
            counters.note(number, served=1)
            yield from source(segment, part.less(segment.start_offset), part.start - span.start)
        else:
            _store(number, storing)
            yield from compute_bytes(part, CHUNK_BYTES)


def _store(number: int, storing: list[Future[Segment | None]]) -> None:
    """Have the segment stored, with *backpressure*: wait for the disk if it falls behind.

    Left out if that takes long and too many are being stored already.
    """
    while storing and storing[0].done():
        storing.pop(0)
    if len(storing) == MAX_STORING:
        if not storage.store().has_backpressure or not _waiting.acquire(blocking=False):
            return
        try:
            storing.pop(0).result()
        finally:
            _waiting.release()
    storing.append(build.submit(number))
