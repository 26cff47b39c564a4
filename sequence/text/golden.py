"""The ratio of neighbours, F(n+1)/F(n), and how near it is to φ."""

from decimal import ROUND_DOWN, Context, Decimal
from itertools import takewhile
from typing import NamedTuple

from sequence.text import doubling
from sequence.text.doubling import EXACT
from sequence.text.layout import LOG10_PHI, LOG10_SQRT5, SCALE_BITS

PLACES = 50
"""Of a ratio, as it is given."""
MAX_COUNTED = 5000
"""To here the places that agree with φ are counted: it takes a few milliseconds."""


class Ratio(NamedTuple):
    """F(n+1)/F(n), cut, and how many of all its places are those of φ."""

    digits: str
    agreed: int
    is_counted: bool
    """If not, `agreed` follows from their distance: a run of nines or zeros can change it."""


def ratio(n: int) -> Ratio:
    """Return the ratio for n >= 1, to PLACES decimal places.

    It is φ + ψ^n/F(n), where ψ = 1 - φ: so about 2n·log10 φ - log10 √5 places agree.
    """
    if n <= MAX_COUNTED:
        return Ratio(_cut(n, PLACES), _agreed(n), True)
    # All later ratios lie between the last two that are counted, which have these places too.
    return Ratio(phi(PLACES), _nearness(n), False)


def phi(places: int) -> str:
    """Return φ, cut to so many decimal places."""
    context = Context(prec=places + 20, rounding=ROUND_DOWN)
    return str(context.divide(context.add(1, context.sqrt(Decimal(5))), 2))[: places + 2]


def _agreed(n: int) -> int:
    places = max(_nearness(n), 0) + 20
    pairs = zip(_cut(n, places), phi(places), strict=True)
    common = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))
    return max(common - len("1."), 0)


def _nearness(n: int) -> int:
    """Return the exponent of the distance from φ: it is about 10 to the minus this."""
    return 2 * n * LOG10_PHI - LOG10_SQRT5 >> SCALE_BITS


def _cut(n: int, places: int) -> str:
    """Return the ratio, cut to so many decimal places."""
    value, after = (Decimal(digits.decode()) for digits in doubling.pair(n))
    # One digit stands before the point, and what this loses lies behind the last place.
    context = Context(prec=places + 1, rounding=ROUND_DOWN, Emax=EXACT.Emax)
    return f"{context.divide(after, value):.{places}f}"
