"""The addition of decimal texts: each term is written directly after the last.

The terms already in the buffer are the operands, so no number is stored elsewhere. The two
functions are in adder.ll (docs/decisions/0001-llvm-assembly.md). A host that cannot run them has
the same sums from `decimal`.
"""

import sys
from array import array
from ctypes import CFUNCTYPE, c_char_p, c_int64, c_void_p, memmove, string_at
from decimal import Decimal
from itertools import accumulate

from sequence.text.compiler import Functions
from sequence.text.doubling import EXACT
from sequence.text.layout import LOG10_PHI, LOG10_SQRT5, SCALE_BITS, digit_count
from sequence.text.span import Span

READ_BEFORE_BYTES = 64
"""How many bytes before its operands `append` may read: the buffer must have them."""

_adder = Functions(
    __package__,
    "adder.ll",
    without="The text is computed by decimal, which is slower",
    positions=CFUNCTYPE(None, c_void_p, c_int64, c_char_p, c_char_p),
    append=CFUNCTYPE(None, c_void_p, c_void_p, c_int64, c_int64),
)

_FIXED_POINT_BYTES = (64 + SCALE_BITS) // 8


def positions(terms: Span) -> "array[int]":
    """Return where each term starts, in bytes from the start of the first; then where all end.

    One entry more than there are terms, in signed 64-bit integers. Exact where
    `layout.digit_count` is.
    """
    compiled = _functions()
    if not compiled:
        lengths = (digit_count(n) + 1 for n in range(terms.start, terms.stop))
        return array("q", accumulate(lengths, initial=0))
    result = array("q", bytes(8 * (terms.length + 1)))
    first_x = terms.start * LOG10_PHI - LOG10_SQRT5
    compiled.positions(
        result.buffer_info()[0], terms.length, _fixed_point(first_x), _fixed_point(LOG10_PHI)
    )
    return result


def append(text_address: int, positions: "array[int]", terms: Span) -> None:
    """Write the terms, each with its space, directly after the two before them.

    Both spans count from the first of `positions`: term k of them lies at text_address +
    positions[k], and terms.start is at least 2. Nothing is checked here.
    """
    compiled = _functions()
    if compiled:
        compiled.append(text_address, positions.buffer_info()[0], terms.start, terms.stop)
        return

    def text(k: int) -> str:
        return string_at(text_address + positions[k], positions[k + 1] - positions[k] - 1).decode()

    before, value = Decimal(text(terms.start - 2)), Decimal(text(terms.start - 1))
    for k in range(terms.start, terms.stop):
        before, value = value, EXACT.add(before, value)
        memmove(
            text_address + positions[k],
            b"%b " % str(value).encode(),
            positions[k + 1] - positions[k],
        )


def _fixed_point(value: int) -> bytes:
    return value.to_bytes(_FIXED_POINT_BYTES, sys.byteorder, signed=True)


def _functions() -> Functions | None:
    """Return the functions of adder.ll, or None if this host cannot run them."""
    return _adder if _adder.available else None
