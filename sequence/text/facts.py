"""Facts about F(n), as far as layout.MAX_N, where F(n) itself is out of reach."""

from bisect import bisect_left
from collections.abc import Callable, Iterator
from decimal import MAX_EMAX, ROUND_CEILING, ROUND_DOWN, ROUND_FLOOR, Context, Decimal
from typing import TypeVar

from sequence.text import doubling
from sequence.text.layout import digit_count

# Every doubling of n doubles the relative error, so at n = 10^18 the last 20 digits or so of a
# bound are wrong. With 20 right ones beyond those asked for it is hardly ever computed again.
_GUARD_DIGITS = 40

MAX_DIGITS = 10_000
"""The most first or last digits to ask for; a hundred take a thousandth of the time that these do
(benchmarks/topics/check_values.py)."""

_Number = TypeVar("_Number", int, Decimal)


def first_digits(n: int, count: int = 20) -> str:
    """Return the first digits of F(n), all of them if it has no more than `count` >= 1.

    Exact for 0 <= n <= MAX_N.
    """
    cut = Context(prec=count, rounding=ROUND_DOWN, Emax=MAX_EMAX)
    first = _agreed(
        (cut.plus(_bound(n, down)), cut.plus(_bound(n, up))) for down, up in _roundings(count)
    )
    return "".join(map(str, first.as_tuple().digits))


def last_digits(n: int, count: int = 20) -> str:
    """Return the last digits of F(n), zeros included, all if it has no more than `count` >= 1.

    Exact for 0 <= n <= MAX_N.
    """
    last = Decimal(residue(n, 10**count))  # prints numbers of any length, unlike int
    return str(last).zfill(min(count, digit_count(n)))


def bit_length(n: int) -> int:
    """Return how many binary digits F(n) has, none for n = 0.

    Exact for 0 <= n <= MAX_N.
    """
    return _agreed(_bit_lengths(n, down, up) for down, up in _roundings(len(str(n))))


def residue(n: int, modulus: int) -> int:
    """Return F(n) modulo any number >= 1, for n >= 0, by a few multiplications per bit of n."""
    return _term(n, int, lambda a, b: (a + b) % modulus, lambda a, b: a * b % modulus)


def terms_of(digits: str) -> list[int]:
    """Return every n of which these are the digits of F(n): two for "1", else at most one."""
    # The last digits refute in microseconds nearly all that would else take milliseconds.
    return [
        n
        for n in _of_length(len(digits))
        if digits.endswith(last_digits(n)) and digits == doubling.pair(n)[0].decode()
    ]


def last_below(digits: str) -> int:
    """Return the last n of which F(n) is less than the number >= 1 with these digits."""
    alike = _of_length(len(digits))
    less = [n for n in alike if doubling.pair(n)[0].decode() < digits]
    return less[-1] if less else alike.start - 1


def _of_length(length: int) -> range:
    """Return the terms with so many digits."""
    every = range(5 * length + 2)  # a digit more at every fifth term at the latest
    start = bisect_left(every, length, key=digit_count)
    return range(start, bisect_left(every, length + 1, key=digit_count))


def _term(
    n: int,
    kind: type[_Number],
    add: Callable[[_Number, _Number], _Number],
    multiply: Callable[[_Number, _Number], _Number],
) -> _Number:
    """Return F(n), n >= 0, in an arithmetic that need not subtract.

    From F(k-1) and F(k): F(2k-1) = F(k-1)² + F(k)² and F(2k) = F(k)(2F(k-1) + F(k)).
    doubling.pair has a square less to compute, but subtracts.
    Source: E. W. Dijkstra, EWD 654, In honour of Fibonacci, who counts from F(1) = 0.
    """
    before, value = kind(1), kind(0)  # F(-1), F(0)
    for bit in f"{n:b}":
        odd = add(multiply(before, before), multiply(value, value))
        even = multiply(value, add(add(before, before), value))
        before, value = (even, add(odd, even)) if bit == "1" else (odd, even)
    return value


def _bound(n: int, context: Context) -> Decimal:
    """Return a lower bound of F(n) if the context rounds down, an upper one if it rounds up.

    No number in the doubling is negative and none is subtracted, so what is too low (high) stays
    so in every sum and product, whatever the precision. φ^n/√5 by logarithms would need bounds of
    the errors of its constants, of exp, and of the φ^-n/√5 that it leaves out.
    """
    return _term(n, Decimal, context.add, context.multiply)


def _bit_lengths(n: int, down: Context, up: Context) -> tuple[int, int]:
    """Return a lower and an upper bound of the bit length of F(n).

    It is ⌊log2(4F(n) + 3)⌋ - 1: two ones after the bits of F(n) make two bits more, and never a
    power of two, of whose logarithm the bounds would not agree at any precision.
    """
    low, high = down.fma(4, _bound(n, down), 3), up.fma(4, _bound(n, up), 3)
    # ln is correctly rounded, but always to the nearest: its neighbours are the bounds.
    least = down.divide(down.next_minus(down.ln(low)), up.next_plus(up.ln(2)))
    most = up.divide(up.next_plus(up.ln(high)), down.next_minus(down.ln(2)))
    return int(least) - 1, int(most) - 1


def _roundings(digits: int) -> Iterator[tuple[Context, Context]]:
    """Yield contexts that round down and up, each pair of twice the precision."""
    precision = digits + _GUARD_DIGITS
    while True:
        down, up = (
            Context(prec=precision, rounding=rounding, Emax=MAX_EMAX)
            for rounding in (ROUND_FLOOR, ROUND_CEILING)
        )
        yield down, up
        precision *= 2


def _agreed(bounds: Iterator[tuple[_Number, _Number]]) -> _Number:
    """Return the first value on which the lower and the upper bound agree.

    They do in the end: with as many digits as F(n) has, nothing in the doubling is rounded.
    """
    return next(low for low, high in bounds if low == high)
