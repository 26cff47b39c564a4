"""Zeckendorf's sums against the theorem: they are right, without neighbours, and the only ones."""

from itertools import combinations, pairwise
from time import perf_counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.text import zeckendorf
from tests.support import oracle

TERMS = [int(term) for term in oracle.terms(3000)]


def sums_without_neighbours(last: int) -> dict[int, list[list[int]]]:
    """Every set of terms from F(2) to F(last) without neighbours, by its sum."""
    found: dict[int, list[list[int]]] = {}
    for size in range(last):
        for chosen in combinations(range(2, last + 1), size):
            if all(after - before > 1 for before, after in pairwise(chosen)):
                falling = sorted(chosen, reverse=True)
                found.setdefault(sum(TERMS[n] for n in chosen), []).append(falling)
    return found


def test_of_every_small_number_it_is_the_one_sum_that_exists() -> None:
    found = sums_without_neighbours(14)
    assert sorted(found) == list(range(TERMS[15]))
    for value, sums in found.items():
        assert [zeckendorf.indices(str(value))] == sums


@given(st.integers(0, 10**600))
def test_the_terms_add_up_and_none_are_neighbours(value: int) -> None:
    found = zeckendorf.indices(str(value))
    assert sum(TERMS[n] for n in found) == value
    assert all(before - after > 1 for before, after in pairwise(found))
    assert all(n >= 2 for n in found)


@pytest.mark.parametrize("n", [2, 3, 4, 100, 2999])
def test_a_term_is_its_own_sum_and_its_neighbours_are_not(n: int) -> None:
    assert zeckendorf.indices(str(TERMS[n])) == [n]
    # F(n) - 1 = F(n-1) + F(n-3) + …
    assert zeckendorf.indices(str(TERMS[n] - 1)) == list(range(n - 1, 1, -2))


def test_leading_zeros_change_nothing() -> None:
    assert zeckendorf.indices("000100") == zeckendorf.indices("100") == [11, 6, 4]


def test_eight_thousand_digits_take_less_than_a_tenth_of_a_second() -> None:
    times = []
    for digit in "999":
        started = perf_counter()
        zeckendorf.indices(digit * 8000)
        times.append(perf_counter() - started)
    assert min(times) < 0.1
