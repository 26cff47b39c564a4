from hypothesis import given
from hypothesis import strategies as st

from sequence.text import doubling
from tests.support import oracle


def test_the_first_pairs_are_those_of_addition() -> None:
    terms = oracle.terms(2001)
    for n in range(2000):
        assert b"%b %b " % doubling.pair(n) == terms[n] + terms[n + 1]


@given(st.integers(0, 50_000), st.integers(2, 2**61 - 1))
def test_a_far_pair_is_right_modulo_any_number(n: int, m: int) -> None:
    a, b = 0, 1  # the slow and obvious way is a matrix power; modulo m it is quick
    for bit in f"{n:b}":
        a, b = a * (2 * b - a) % m, (a * a + b * b) % m
        if bit == "1":
            a, b = b, (a + b) % m
    assert tuple(int(digits) % m for digits in doubling.pair(n)) == (a, b)
