"""A window of the sequence in a format, as bytes whose places are known before they exist."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from sequence.text import layout
from sequence.text.format import Format
from sequence.text.span import Span


class Excerpt(NamedTuple):
    """Bytes of a representation, by the text that they are made of."""

    format: Format
    text: Span
    """The bytes of the text that are needed."""
    terms: Span
    """The terms that they belong to."""
    lead: bytes
    """What stands before those."""
    skip_bytes: int
    """How many bytes of lead and text stand before the span that was asked for."""
    length: int

    def render(self, chunks: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the bytes, made of chunks of the text; fewer only if the text is cut short."""
        skip, left = self.skip_bytes, self.length
        lead = self.lead
        for rendered in self.format.render(chunks, self.terms.start):
            whole = lead + rendered if lead else rendered
            wanted = whole[skip : skip + left] if skip or len(whole) > left else whole
            skip, lead = max(skip - len(whole), 0), b""
            left -= len(wanted)
            if wanted:
                yield wanted
        if lead:
            yield lead[skip : skip + left]


@dataclass(frozen=True)
class Representation:
    """The terms in the format, after the format's header if it is `headed`."""

    format: Format
    terms: Span
    headed: bool = True

    @cached_property
    def header(self) -> bytes:
        """What stands before the first term."""
        return self.format.header if self.headed else b""

    @cached_property
    def length(self) -> int:
        """How many bytes it has."""
        return self.offset(self.terms.stop)

    @property
    def file_name(self) -> str:
        """The name for a download. No other representation has it, so that a client never resumes
        a download with the bytes of another one.
        """
        first = f"-from-{self.terms.start}" if self.terms.start else ""
        return f"fibonacci-{self.terms.length}{first}.{self.format.extension}"

    def offset(self, n: int) -> int:
        """Return how many bytes of it stand before term n of its terms, or before its end."""
        return len(self.header) + self.format.offset(n) - self._origin

    def excerpt(self, span: Span) -> Excerpt:
        """Return its bytes of the span, which lies within it."""
        first, skip_bytes = self._locate(span.start)
        lead = self.format.lead(first)
        digits_start = min(max(skip_bytes - len(lead), 0), layout.digit_count(first))
        start = layout.offset(first) + digits_start
        skip_bytes -= digits_start
        if span.start < len(self.header):
            lead, skip_bytes = self.header + lead, span.start
        stop_term, stop = self._stop(span.stop)
        return Excerpt(
            self.format,
            Span(start, stop),
            Span(first, stop_term),
            lead,
            skip_bytes,
            span.length,
        )

    def _stop(self, byte: int) -> tuple[int, int]:
        """Return the end of the terms and of the text that the bytes before this one need."""
        if byte == self.length:
            return self.terms.stop, layout.offset(self.terms.stop)
        last, inside = self._locate(byte)
        digits = min(max(inside - len(self.format.lead(last)), 0), layout.digit_count(last) + 1)
        return last + (digits > 0), layout.offset(last) + digits

    def _locate(self, byte: int) -> tuple[int, int]:
        """Return the term that a byte belongs to, and how many bytes of that stand before it."""
        if byte <= len(self.header):
            return self.terms.start, 0
        terms = range(self.terms.start, self.terms.stop)
        n = terms[bisect_right(terms, byte, key=self.offset) - 1]
        return n, byte - self.offset(n)

    @cached_property
    def _origin(self) -> int:
        return self.format.offset(self.terms.start)
