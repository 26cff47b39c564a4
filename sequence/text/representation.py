"""A window of the sequence in a format, as bytes whose places are known before they exist."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple, Protocol

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


class Computed(Protocol):
    """A representation of something else than a window of the text; it is never stored."""

    @property
    def name(self) -> str:
        """The name of its format, for the metrics."""

    @property
    def media_type(self) -> str:
        """The media type of its format."""

    @property
    def file_name(self) -> str:
        """The name for a download, which no other representation has."""

    @property
    def key(self) -> tuple[object, ...]:
        """All facts that its bytes depend on, besides the layout's version."""

    @property
    def terms(self) -> Span:
        """The terms that it is about."""

    @property
    def length(self) -> int | None:
        """How many bytes it has; None if that is known only when they are computed."""

    @property
    def has_codings(self) -> bool:
        """Whether the content codings have codes for its characters."""

    @property
    def digit_count(self) -> int:
        """How many of its bytes are digits of values; asked for only if it has codings."""

    def chunks(self, span: Span) -> Iterator[bytes]:
        """Yield its bytes of the span."""


class Formatted:
    """What a representation has from its format."""

    format: Format

    @property
    def name(self) -> str:
        """The name of the format."""
        return self.format.name

    @property
    def media_type(self) -> str:
        """The media type of the format."""
        return self.format.media_type


@dataclass(frozen=True)
class Representation(Formatted):
    """The terms in the format, after the format's header if it is `headed`."""

    format: Format
    terms: Span
    headed: bool = True
    has_codings = True

    @property
    def key(self) -> tuple[object, ...]:
        """All facts that the bytes depend on, besides the layout's version."""
        return (self.terms.start, self.terms.stop, self.format.name)

    @property
    def digit_count(self) -> int:
        """How many digits the terms have together."""
        return layout.offset(self.terms.stop) - layout.offset(self.terms.start) - self.terms.length

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
        return file_name(self.terms, self.format.extension)

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


AnyRepresentation = Representation | Computed


def file_name(terms: Span, extension: str) -> str:
    """Return the name for a download of something about the terms."""
    first = f"-from-{terms.start}" if terms.start else ""
    return f"fibonacci-{terms.length}{first}.{extension}"
