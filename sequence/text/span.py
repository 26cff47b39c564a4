"""Half-open spans, of bytes and of terms."""

from typing import NamedTuple


class Span(NamedTuple):
    """Everything from `start` up to, and without, `stop`."""

    start: int
    stop: int

    @property
    def length(self) -> int:
        """How many bytes or terms it holds; 0 where it is empty."""
        return max(self.stop - self.start, 0)

    def within(self, other: "Span") -> "Span":
        """What it shares with the other one."""
        return Span(max(self.start, other.start), min(self.stop, other.stop))

    def less(self, origin: int) -> "Span":
        """The same span counted from the origin instead of from 0."""
        return Span(self.start - origin, self.stop - origin)
