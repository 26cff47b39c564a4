"""The SHA-256 of each term's digits, a line a term, as `sha256sum` prints those of files."""

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import sha256

from sequence.text.compute import compute_terms
from sequence.text.format import PLAIN, numerals_bytes
from sequence.text.layout import digit_count
from sequence.text.representation import file_name
from sequence.text.span import Span, cut

NAME = "sha256"
"""Of the format."""

LINE = b"%b  F(%d)\n"
"""The digest in lower-case hexadecimal, and n."""

PIECE_BYTES = 256 * 1024
"""How much text is hashed at once: a reader that stalls holds as much."""

_FRAME_BYTES = len(LINE % (b"0" * 64, 0)) - 1
"""What a line takes without its n."""


@dataclass(frozen=True)
class Digests:
    """The lines of the terms."""

    terms: Span
    name = NAME
    media_type = PLAIN
    has_codings = False
    digit_count = 0

    @property
    def file_name(self) -> str:
        """The name for a download, which no other representation has."""
        return file_name(self.terms, NAME)

    @property
    def key(self) -> tuple[object, ...]:
        """All facts that the bytes depend on."""
        return (self.terms.start, self.terms.stop, NAME)

    @property
    def length(self) -> int:
        """How many bytes the lines take, in closed form."""
        return offset(self.terms.stop) - offset(self.terms.start)

    def chunks(self, span: Span) -> Iterator[bytes]:
        """Yield the bytes of the span; computes no other terms than they need."""
        if span.length:
            origin = offset(self.terms.start)
            first, last = (_term_at(origin + byte) for byte in (span.start, span.stop - 1))
            yield from cut(_lines(Span(first, last + 1)), offset(first) - origin, span)


def offset(n: int) -> int:
    """Return how many bytes the lines of all terms before n take."""
    return n * _FRAME_BYTES + numerals_bytes(n)


def _lines(terms: Span) -> Iterator[bytes]:
    """Yield the lines of a piece of the text at once; raises SumMismatch.

    The lock is not held while a term of more than 2 KB is hashed.
    """
    n = terms.start
    for piece in compute_terms(terms, PIECE_BYTES):
        lines, start = [], 0
        while start < len(piece):
            stop = start + digit_count(n)
            lines.append(LINE % (sha256(piece[start:stop]).hexdigest().encode(), n))
            start, n = stop + 1, n + 1
        if lines:
            yield b"".join(lines)


def _term_at(byte: int) -> int:
    """Return the term whose line has the byte."""
    return bisect_right(range(byte // _FRAME_BYTES + 1), byte, key=offset) - 1
