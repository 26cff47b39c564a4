"""The SHA-256 of each term's digits, a line a term, as `sha256sum` prints those of files."""

from bisect import bisect_right
from collections.abc import Iterator
from hashlib import sha256

from sequence.text.compute import compute
from sequence.text.format import _numerals_bytes
from sequence.text.layout import digit_count
from sequence.text.span import Span, cut

LINE = b"%b  F(%d)\n"
"""The digest in lower-case hexadecimal, and n."""

_BESIDE_BYTES = len(LINE % (b"0" * 64, 0)) - 1
"""What a line takes without its n."""


def offset(n: int) -> int:
    """How many bytes the lines of all terms before n take."""
    return n * _BESIDE_BYTES + _numerals_bytes(n)


def render(terms: Span) -> Iterator[bytes]:
    """The lines of the terms, those of a piece of the text at once; raises SumMismatch.

    The lock is not held while a term of more than 2 KB is hashed.
    """
    n = terms.start
    for piece in compute(terms):
        lines, start = [], 0
        while start < len(piece):
            stop = start + digit_count(n)
            lines.append(LINE % (sha256(piece[start:stop]).hexdigest().encode(), n))
            start, n = stop + 1, n + 1
        if lines:
            yield b"".join(lines)


def excerpt(terms: Span, span: Span) -> Iterator[bytes]:
    """Those bytes of the lines of the terms; computes no other terms than they need."""
    origin = offset(terms.start)
    first, last = (_term_at(origin + byte) for byte in (span.start, span.stop - 1))
    if span.length:
        lines = render(Span(first, last + 1))
        yield from cut(lines, offset(first) - origin, span)


def _term_at(byte: int) -> int:
    """The term whose line has the byte."""
    return bisect_right(range(byte // _BESIDE_BYTES + 1), byte, key=offset) - 1
