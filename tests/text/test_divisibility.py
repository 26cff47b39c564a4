"""Divisors and periods against slow loops, and against FLINT's or published figures beyond."""

import random
from itertools import count

import gmpy2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequence.text import divisibility, facts
from sequence.text.layout import MAX_N
from tests.support import oracle

TERMS = [int(term) for term in oracle.terms(3000)]

numbers = st.integers(1, MAX_N)


def period(modulus: int) -> int:
    """The Pisano period, by walking until 0 and 1 come again."""
    before, value = 0, 1 % modulus
    for steps in count(1):
        before, value = value, (before + value) % modulus
        if (before, value) == (0, 1 % modulus):
            return steps
    raise AssertionError


def test_the_divisors_of_every_small_number_are_those_that_leave_no_remainder() -> None:
    for n in range(1, 2000):
        assert divisibility.divisors(n) == [d for d in range(1, n + 1) if n % d == 0]


def test_the_terms_that_divide_a_term_are_those_at_the_divisors() -> None:
    for n in range(3, 200):
        dividing = [d for d in range(1, n + 1) if TERMS[n] % TERMS[d] == 0 and d != 2]
        assert dividing == [d for d in divisibility.divisors(n) if d != 2]


@given(numbers)
@example(999999937 * 999999929)
@example(999999937**2)
@example(2**59)
@example(MAX_N)
@example(897612484786617600)
def test_factors_are_primes_whose_product_is_the_number(n: int) -> None:
    found = divisibility.factors(n)
    product = 1
    for prime, power in found.items():
        assert gmpy2.is_prime(prime)
        product *= prime**power
    assert product == n
    assert list(found) == sorted(found)


def test_products_of_primes_of_every_size_are_factored() -> None:
    rng = random.Random(17)
    for digits in range(1, 10):
        for _ in range(5):
            pair = sorted(int(gmpy2.next_prime(rng.randrange(10**digits))) for _ in "ab")
            product = pair[0] * pair[1]
            assert (
                sorted(
                    prime
                    for prime, power in divisibility.factors(product).items()
                    for _ in range(power)
                )
                == pair
            )


@given(numbers)
@example(3215031751)  # passes for 2, 3, 5 and 7, and is none
@example(3825123056546413051)  # passes for the first nine, and is none
def test_primes_are_those_of_gmp(n: int) -> None:
    assert divisibility.is_prime(n) == gmpy2.is_prime(n)


def test_small_primes_are_those_without_divisors() -> None:
    for n in range(2000):
        slow = n > 1 and all(n % d for d in range(2, n))
        assert divisibility.is_prime(n) == slow


def test_the_largest_number_of_divisors_is_counted_and_cut() -> None:
    n = 897612484786617600  # OEIS A066150 and A066151
    assert divisibility.divisor_count(n) == 103_680
    first = divisibility.divisors(n, 100)
    assert first == [d for d in range(1, first[-1] + 1) if n % d == 0]
    assert len(first) == 100


@given(st.integers(1, 10**6), st.integers(1, 30))
def test_cut_divisors_are_the_first_of_all(n: int, most: int) -> None:
    assert divisibility.divisors(n, most) == divisibility.divisors(n, 10**6)[:most]


def test_the_periods_of_small_moduli_are_those_of_a_walk() -> None:
    for modulus in range(1, 1500):
        assert divisibility.pisano_period(modulus) == period(modulus)


@given(st.integers(1, 20_000))
def test_periods_are_those_of_a_walk(modulus: int) -> None:
    assert divisibility.pisano_period(modulus) == period(modulus)


@given(numbers)
def test_a_far_period_is_one_and_no_part_of_it_is(modulus: int) -> None:
    found = divisibility.pisano_period(modulus)
    assert is_period(found, modulus)
    factors = divisibility.factors(found) if found <= MAX_N else {2: 1, 3: 1, 5: 1}
    for prime in factors:
        assert found % prime or not is_period(found // prime, modulus)


def is_period(terms: int, modulus: int) -> bool:
    """Whether 0 and 1 come again after so many terms."""
    at, after = facts.residue(terms, modulus), facts.residue(terms + 1, modulus)
    return (at, after) == (0, 1 % modulus)


@pytest.mark.parametrize("digits", range(1, 19))
def test_the_last_digits_come_again_after_60_300_and_then_ten_times_as_many(digits: int) -> None:
    period = {1: 60, 2: 300}.get(digits) or 15 * 10 ** (digits - 1)
    assert divisibility.pisano_period(10**digits) == period
