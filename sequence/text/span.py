"""Half-open spans, of bytes and of terms."""

from collections.abc import Iterable, Iterator
from typing import NamedTuple, TypeVar

Piece = TypeVar("Piece", bytes, memoryview)


class Span(NamedTuple):
    """Everything from `start` up to, and without, `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes or terms it holds; 0 if it is empty."""
        return max(self.stop - self.start, 0)

    def within(self, other: "Span") -> "Span":
        """Return its intersection with the other one."""
        return Span(max(self.start, other.start), min(self.stop, other.stop))

    def less(self, origin: int) -> "Span":
        """Return the same span counted from the origin instead of from 0."""
        return Span(self.start - origin, self.stop - origin)


def cut(pieces: Iterable[Piece], start: int, span: Span) -> Iterator[Piece]:
    """Yield what of the pieces, which begin at `start`, lies in the span; whole ones uncopied."""
    for piece in pieces:
        wanted = span.less(start).within(Span(0, len(piece)))
        start += len(piece)
        if wanted.length:
            yield piece[wanted.start : wanted.stop]
        if start >= span.stop:
            return
