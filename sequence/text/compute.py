"""The text of any span of terms, computed piece by piece."""

from bisect import bisect_right
from collections.abc import Iterator
from ctypes import addressof, c_char

from sequence.errors import SumMismatch
from sequence.text import adder, doubling
from sequence.text.layout import digit_count, offset, term_at
from sequence.text.span import Span, cut

PIECE_BYTES = 2 * 1024 * 1024
"""About the length of a piece: it stays in the cache until it is used, and threads that compute
meet at the interpreter's lock once a piece (benchmarks/topics/making_text.py compares lengths)."""

MAX_TERMS = 4096
"""The maximum in a piece, so that the positions of its terms stay in the cache too."""


def compute_terms(terms: Span, piece_bytes: int = 0) -> Iterator[memoryview]:
    """Yield the text of the terms in pieces; each is valid only until the next one is asked for.

    Memory: one piece and a few terms, however many terms there are. The pair before the span comes
    from fast doubling, all that follows from addition. The last pair must be what fast doubling
    gives for it: if it is not, raises SumMismatch instead of yielding the last piece. One or two
    terms alone come from fast doubling.
    """
    if not terms.length:
        return
    # From the pair before the span: doubling.pair has cached it as the end of the segment before.
    lead = Span(max(terms.start - 2, 0), terms.stop) if terms.length > 2 else terms
    window_bytes = (piece_bytes or PIECE_BYTES) + 3 * (digit_count(terms.stop) + 1)
    buffer = bytearray(adder.READ_BEFORE_BYTES + window_bytes)
    window = memoryview(buffer)[adder.READ_BEFORE_BYTES :]
    address = addressof(c_char.from_buffer(buffer)) + adder.READ_BEFORE_BYTES

    # The window begins with the pair of terms that the next ones are added from.
    pair = Span(lead.start, min(lead.start + 2, lead.stop))
    text = _text_of_pair(pair.start)[: offset(pair.stop) - offset(pair.start)]
    window[: len(text)] = text
    yield window[offset(max(terms.start, pair.start)) - offset(pair.start) : len(text)]

    while pair.stop < lead.stop:
        # No later term is shorter than the next one.
        most = min(window_bytes // (digit_count(pair.stop) + 1), MAX_TERMS)
        positions = adder.positions(Span(pair.start, min(pair.stop + most, lead.stop)))
        count = bisect_right(positions, window_bytes) - 1
        adder.append(address, positions, Span(2, count))
        piece = window[positions[2] : positions[count]]
        last_pair = Span(positions[count - 2], positions[count])
        pair = Span(pair.start + count - 2, pair.start + count)
        if pair.stop == lead.stop and window[slice(*last_pair)] != _text_of_pair(pair.start):
            raise SumMismatch(pair.start)
        yield piece
        window[: last_pair.length] = window[slice(*last_pair)]


def _text_of_pair(n: int) -> bytes:
    return b"%b %b " % doubling.pair(n)


def compute_bytes(span: Span, piece_bytes: int = 0) -> Iterator[bytes]:
    """Yield the bytes of a span of the text, computed, in pieces; raises SumMismatch."""
    if not span.length:
        return
    terms = Span(term_at(span.start), term_at(span.stop - 1) + 1)
    for piece in cut(compute_terms(terms, piece_bytes), offset(terms.start), span):
        yield bytes(piece)
