"""Many first and last digits, each against a second method."""

import gmpy2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sequence.text import facts, term
from sequence.text.facts import MAX_DIGITS
from sequence.text.layout import MAX_N, digit_count
from tests.support.matrix import residue

COUNTS = (100, 101, 1000, MAX_DIGITS)

counts = st.one_of(st.integers(1, 300), st.integers(1, MAX_DIGITS))


def first_by_binet(n: int, count: int) -> str:
    """The first digits of φ^n/√5, by logarithms in MPFR: those of F(n), if that is far longer."""
    with gmpy2.context(gmpy2.context(), precision=4 * count + 200):
        root = gmpy2.sqrt(gmpy2.mpfr(5))
        log10 = n * gmpy2.log10((1 + root) / 2) - gmpy2.log10(root)
        first = gmpy2.mpfr(10) ** (log10 - gmpy2.floor(log10) + count - 1)
        return str(gmpy2.mpz(gmpy2.floor(first)))


@settings(max_examples=40)
@given(st.integers(0, 300_000), counts)
def test_digits_of_a_term_in_reach_are_its_own(n: int, count: int) -> None:
    digits = term.digits(n).decode()
    assert facts.first_digits(n, count) == digits[:count]
    assert facts.last_digits(n, count) == digits[-count:]


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("n", [10**7, 10**9, 3**37, MAX_N - 1, MAX_N])
def test_many_digits_of_a_far_term_are_those_of_other_methods(n: int, count: int) -> None:
    assert facts.first_digits(n, count) == first_by_binet(n, count)
    last = gmpy2.mpz(residue(n, 10**count)).digits()
    assert facts.last_digits(n, count) == last.zfill(count)


@settings(max_examples=40)
@given(st.integers(10**5, MAX_N), st.integers(1, 1000))
def test_any_digits_of_a_far_term_are_those_of_other_methods(n: int, count: int) -> None:
    assert digit_count(n) > 2 * count
    assert facts.first_digits(n, count) == first_by_binet(n, count)
    last = gmpy2.mpz(residue(n, 10**count)).digits()
    assert facts.last_digits(n, count) == last.zfill(count)
