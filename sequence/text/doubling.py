"""F(n) and F(n+1) as decimal text from n alone, by fast doubling."""

from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal, Inexact
from functools import lru_cache

# The standard library's decimal is linear to print and fast to multiply; int is neither.
EXACT = Context(prec=MAX_PREC, Emax=MAX_EMAX, Emin=MIN_EMIN, traps=[Inexact])
"""Arithmetic that is exact, at any length, or raises."""


@lru_cache(maxsize=4)
def pair(n: int) -> tuple[bytes, bytes]:
    """Return the digits of F(n) and F(n+1) in ASCII, for n >= 0.

    From F(k-1) and F(k), two squares give the same at 2k, and at 2k+1 if the next bit of n is
    set: F(2k+1) = 4F(k)² - F(k-1)² + 2(-1)^k, F(2k-1) = F(k)² + F(k-1)², and
    F(2k) = F(2k+1) - F(2k-1) (Knuth, The Art of Computer Programming, volume 1, section 1.2.8).

    The last few are cached: the next segment begins where one ends.
    """
    before, value, sign = Decimal(1), Decimal(0), 1  # F(-1), F(0), (-1)^0
    for bit in f"{n:b}":
        square_before = EXACT.multiply(before, before)
        square = EXACT.multiply(value, value)
        odd_before = EXACT.add(square, square_before)
        odd_after = EXACT.add(EXACT.subtract(EXACT.multiply(4, square), square_before), 2 * sign)
        even = EXACT.subtract(odd_after, odd_before)
        before, value = (even, odd_after) if bit == "1" else (odd_before, even)
        sign = -1 if bit == "1" else 1
    return str(value).encode(), str(EXACT.add(before, value)).encode()
