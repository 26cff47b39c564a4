"""The text of any span of terms, computed piece by piece."""

from bisect import bisect_right
from collections.abc import Iterator
from ctypes import addressof, c_char

from sequence.errors import SumMismatch
from sequence.text import adder, doubling
from sequence.text.layout import offset, term_at
from sequence.text.span import Span, cut

PIECE_BYTES = 2 * 1024 * 1024
"""About the length of a piece: it stays in the cache until it is used, and threads that compute
meet at the interpreter's lock once a piece (benchmarks/making_text.py compares lengths)."""


def compute(terms: Span) -> Iterator[memoryview]:
    """The text of the terms in pieces; each is valid only until the next one is asked for.

    Takes memory for a piece and a few terms, and 8 bytes a term. The pair before the span comes
    from fast doubling, all that follows from addition. The last pair must be what fast doubling
    gives for it: where it is not, raises SumMismatch instead of yielding the last piece.
    """
    lead = Span(max(terms.start - 2, 0), terms.stop)
    if not terms.length:
        return
    positions = adder.positions(lead)
    longest = positions[-1] - positions[-2]
    window_bytes = PIECE_BYTES + 3 * longest
    buffer = bytearray(adder.READ_BEFORE_BYTES + window_bytes)
    window = memoryview(buffer)[adder.READ_BEFORE_BYTES :]
    address = addressof(c_char.from_buffer(buffer)) + adder.READ_BEFORE_BYTES

    done = min(2, lead.length)
    window[: positions[done]] = _text_of_pair(lead.start)[: positions[done]]
    yield window[positions[terms.start - lead.start] : positions[done]]

    origin = 0  # the position that the window begins at
    while done < lead.length:
        operands = Span(positions[done - 2], positions[done]).less(origin)
        window[: operands.length] = window[operands.start : operands.stop]
        origin = positions[done - 2]
        fitting = Span(done, bisect_right(positions, origin + window_bytes) - 1)
        adder.append(address - origin, positions, fitting)
        piece = Span(positions[done], positions[fitting.stop]).less(origin)
        done = fitting.stop
        if done == lead.length:
            last_pair = bytes(window[positions[done - 2] - origin : piece.stop])
            if last_pair != _text_of_pair(terms.stop - 2):
                raise SumMismatch(terms.stop - 2)
        yield window[piece.start : piece.stop]


def _text_of_pair(n: int) -> bytes:
    return b"%b %b " % doubling.pair(n)


def compute_bytes(span: Span) -> Iterator[bytes]:
    """The bytes of a span of the text, computed, in pieces; raises SumMismatch."""
    if not span.length:
        return
    terms = Span(term_at(span.start), term_at(span.stop - 1) + 1)
    for piece in cut(compute(terms), offset(terms.start), span):
        yield bytes(piece)
