"""The counts of leading digits against the terms themselves, and far beyond them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.text import facts
from sequence.text.layout import LOG10_PHI, LOG10_SQRT5, MAX_N, SCALE_BITS, floor_sum
from sequence.text.leading import _LOG10, SHORT, leading_digits
from tests.support import oracle


@pytest.mark.parametrize("count", [*range(60), 1000, 3000])
def test_leading_digits_are_those_of_the_terms(count: int) -> None:
    found = [term[:1] for term in oracle.terms(count)]
    assert leading_digits(count) == [found.count(b"%d" % digit) for digit in range(1, 10)]


@given(st.integers(1, MAX_N))
def test_a_far_term_adds_its_first_digit(n: int) -> None:
    before, after = leading_digits(n), leading_digits(n + 1)
    added = [digit for digit in range(1, 10) if after[digit - 1] - before[digit - 1]]
    assert added == [int(facts.first_digits(n, 1))]


def test_leading_digits_are_exact_for_every_term_to_ten_to_the_18() -> None:
    """With the constants too low and too high the sums agree, so each of their parts does."""
    first = len(SHORT) + 1
    for log in _LOG10:
        low = first * LOG10_PHI - LOG10_SQRT5 - 1 - log - 1
        high = first * (LOG10_PHI + 1) - LOG10_SQRT5 - log
        sums = [
            floor_sum(MAX_N, 1 << SCALE_BITS, slope, start)
            for slope, start in ((LOG10_PHI, low), (LOG10_PHI + 1, high))
        ]
        assert sums[0] == sums[1]


def test_the_first_ten_to_the_18_terms_obey_benford() -> None:
    assert sum(leading_digits(10**18)) == 10**18 - 1
    assert leading_digits(10**18)[0] == pytest.approx(0.30103 * 10**18, rel=1e-6)
