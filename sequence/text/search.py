"""The first term that contains some digits, by a search of the computed text."""

from collections.abc import Callable
from ctypes import CFUNCTYPE, addressof, c_char, c_char_p, c_int64, c_void_p
from typing import NamedTuple

from sequence.text.compiler import Functions
from sequence.text.compute import compute
from sequence.text.layout import offset, term_at
from sequence.text.span import Span

MIN_DIGITS, MAX_DIGITS = 4, 40
"""Any three stand in the first 262 terms. Forty that are not taken from a term are in no text that
can be searched: it would have to have 10^40 bytes."""

AROUND_DIGITS = 20
"""How many digits before and after are told of."""


def compiled(processor: str = "") -> Functions:
    """The function of search.ll, for this processor or for one that LLVM knows by name."""
    return Functions(
        __package__,
        "search.ll",
        without="Digits are searched by bytes.find, which is slower",
        processor=processor,
        find=CFUNCTYPE(c_int64, c_void_p, c_int64, c_char_p, c_int64),
    )


_compiled = compiled()


class SearchCancelled(Exception):
    """Nobody waits for what is searched any more."""


class Place(NamedTuple):
    """Where digits are found."""

    n: int
    position: int
    """How many digits of F(n) stand before them."""
    before: str
    """The last of those, up to AROUND_DIGITS."""
    after: str
    """The next digits of F(n), up to as many."""


def never() -> bool:
    """What is not to be cancelled."""
    return False


def first_place(
    digits: str, count: int, is_cancelled: Callable[[], bool] = never, piece_bytes: int = 0
) -> Place | None:
    """The first place of the digits, 4 to 40, in the first `count` terms; None if it has none.

    Computes the text piece by piece and drops it. Asks before each piece, some times in a
    millisecond, whether it is cancelled, and then raises SearchCancelled. May raise SumMismatch,
    as `compute` does. The other threads of the process run in between.
    """
    wanted, start = digits.encode("ascii"), 0
    # A piece is of whole terms, each with its space: no place is cut by the end of one.
    for piece in compute(Span(0, count), piece_bytes):
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
    """Where the bytes, at least two, stand first in the piece, or -1."""
    if not _compiled.available:
        return bytes(piece).find(wanted)
    found: int = _compiled.find(
        addressof(c_char.from_buffer(piece)), len(piece), wanted, len(wanted)
    )
    return found
