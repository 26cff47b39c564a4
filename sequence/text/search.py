"""The first term that contains some digits, by a search of the computed text."""

from collections.abc import Callable
from ctypes import CFUNCTYPE, addressof, c_char, c_char_p, c_int64, c_void_p
from typing import NamedTuple

from sequence.errors import SearchCancelled
from sequence.text.compiler import Functions
from sequence.text.compute import compute_terms
from sequence.text.layout import offset, term_at
from sequence.text.span import Span

MIN_DIGITS, MAX_DIGITS = 4, 40
"""Any three are in the first 262 terms. Forty that are not copied from a term are in no text that
can be searched: it would have to have 10^40 bytes."""

AROUND_DIGITS = 20
"""How many digits before and after are told of."""


def compiled(processor: str = "") -> Functions:
    """Return the function of search.ll, for this processor or for one that LLVM knows by name."""
    return Functions(
        __package__,
        "search.ll",
        without="Digits are searched by bytes.find, which is slower",
        processor=processor,
        find=CFUNCTYPE(c_int64, c_void_p, c_int64, c_char_p, c_int64),
    )


_compiled = compiled()


class Place(NamedTuple):
    """A place of digits in a term."""

    n: int
    position: int
    """How many digits of F(n) are before them."""
    before: str
    """The last AROUND_DIGITS of those, or all."""
    after: str
    """The next AROUND_DIGITS of F(n), or all."""


def never() -> bool:
    """Whether a search that nothing cancels is cancelled."""
    return False


def first_place(
    digits: str, count: int, is_cancelled: Callable[[], bool] = never, piece_bytes: int = 0
) -> Place | None:
    """Return the first place of the digits, 4 to 40, in the first `count` terms; None without one.

    Computes the text piece by piece and keeps none. Asks before each piece, a few times in a
    millisecond, whether it is cancelled, and if so raises SearchCancelled. Raises SumMismatch
    as `compute_terms` does. The other threads of the process run in between.
    """
    wanted, start = digits.encode("ascii"), 0
    # A piece is of whole terms, each with its space: no place is cut by the end of one.
    for piece in compute_terms(Span(0, count), piece_bytes):
        if is_cancelled():
            raise SearchCancelled
        found = _find(piece, wanted)
        if found >= 0:
            return _place(piece, start, found, len(wanted))
        start += len(piece)
    return None


def _place(piece: memoryview, start: int, found: int, length: int) -> Place:
    n = term_at(start + found)
    term = offset(n) - start
    stop = offset(n + 1) - 1 - start
    end = found + length
    before = bytes(piece[max(found - AROUND_DIGITS, term) : found])
    after = bytes(piece[end : min(end + AROUND_DIGITS, stop)])
    return Place(n, found - term, before.decode(), after.decode())


def _find(piece: memoryview, wanted: bytes) -> int:
    """Return the first position of the bytes, at least two, in the piece; -1 without one."""
    if not _compiled.available:
        return bytes(piece).find(wanted)
    found: int = _compiled.find(
        addressof(c_char.from_buffer(piece)), len(piece), wanted, len(wanted)
    )
    return found
