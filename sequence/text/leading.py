"""How many terms begin with each digit, in closed form."""

from decimal import Decimal

from sequence.text.layout import LOG10_PHI, LOG10_SQRT5, SCALE_BITS, floor_sum, scaled_log10

SHORT = (1, 1, 2, 3, 5, 8)
"""F(1) to F(6), which are their own first digits. φ^n/√5, of which the others are counted, is less
than some of them."""

_LOG10 = [scaled_log10(Decimal(digit)) for digit in range(1, 10)]


def leading_digits(count: int) -> list[int]:
    """Return how many of F(1) … F(count-1) begin with each digit from 1 to 9.

    Exact for 0 <= count <= MAX_N:
    `test_leading_digits_are_exact_for_every_term_to_ten_to_the_18`. F(n) differs from φ^n/√5 by
    less than 1/2 and, after F(6), no F(n) is a digit and zeros: so both begin with the same digit.
    """
    long_count = max(count - 1 - len(SHORT), 0)
    sums = [_floors(long_count, log) for log in _LOG10]
    # ⌊x - log10 d⌋ is ⌊x⌋ if 10^x begins with d or more, and ⌊x⌋ - 1 if it does not.
    at_least = [floors - sums[0] + long_count for floors in sums]
    short = SHORT[: max(count - 1, 0)]
    return [
        more - less + short.count(digit)
        for digit, (more, less) in enumerate(zip(at_least, [*at_least[1:], 0], strict=True), 1)
    ]


def _floors(count: int, less: int) -> int:
    """Return the sum of ⌊log10 of φ^n/√5, less this⌋ over so many n from 7 on."""
    first = (len(SHORT) + 1) * LOG10_PHI - LOG10_SQRT5 - less
    return floor_sum(count, 1 << SCALE_BITS, LOG10_PHI, first)
