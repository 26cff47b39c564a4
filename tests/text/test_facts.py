"""Facts against the oracle's terms where there are any, and beyond against other methods."""

import sys
from collections.abc import Iterator

import gmpy2
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from sequence.text import doubling, facts
from sequence.text.layout import MAX_N, digit_count
from tests.support import matrix, oracle

TERMS = [term.decode().rstrip() for term in oracle.terms(3000)]

numbers = st.integers(0, MAX_N)
halves = st.integers(0, MAX_N // 2)
moduli = st.integers(1, 2**128)


def binet(n: int, count: int) -> tuple[str, int]:
    """The first digits and the bit length of φ^n/√5, by logarithms in MPFR.

    They are those of F(n) where it has many more digits: the two differ by less than one half.
    """
    with gmpy2.context(gmpy2.context(), precision=500):
        root = gmpy2.sqrt(gmpy2.mpfr(5))
        phi = (1 + root) / 2
        log10 = n * gmpy2.log10(phi) - gmpy2.log10(root)
        log2 = n * gmpy2.log2(phi) - gmpy2.log2(root)
        first = gmpy2.mpfr(10) ** (log10 - gmpy2.floor(log10) + count - 1)
        return str(gmpy2.mpz(gmpy2.floor(first))), int(gmpy2.floor(log2)) + 1


@pytest.fixture
def usual_limit() -> Iterator[None]:
    """Python's limit to the digits of an int, which the oracle lifts."""
    lifted = sys.get_int_max_str_digits()
    sys.set_int_max_str_digits(4300)
    yield
    sys.set_int_max_str_digits(lifted)


@pytest.mark.parametrize("count", [1, 2, 20, 100])
def test_first_and_last_digits_are_those_of_the_term(count: int) -> None:
    for n, term in enumerate(TERMS):
        assert facts.first_digits(n, count) == term[:count]
        assert facts.last_digits(n, count) == term[-count:]


def test_bit_lengths_are_those_of_the_term() -> None:
    for n, term in enumerate(oracle.fibonacci()):
        assert facts.bit_length(n) == term.bit_length()
        if n == 3000:
            break


@pytest.mark.parametrize("modulus", [1, 2, 10, 97, 2**64, 2**128 - 159, 2**128])
def test_residues_are_those_of_the_term(modulus: int) -> None:
    for n, term in enumerate(TERMS):
        assert facts.residue(n, modulus) == int(term) % modulus


@pytest.mark.parametrize("n", [4781, 4782, 20_899, 65_536, 100_000, 999_999, 10**6])
def test_facts_of_a_long_term_are_those_of_its_digits(n: int) -> None:
    term = doubling.pair(n)[0].decode()
    assert facts.first_digits(n) == term[:20]
    assert facts.last_digits(n) == term[-20:]
    assert facts.bit_length(n) == gmpy2.fib(n).bit_length()
    assert facts.residue(n, 2**127 - 1) == gmpy2.mpz(term) % (2**127 - 1)


def test_facts_are_those_that_others_have_published() -> None:
    """M. Taktikos, MathGroup, 1 August 2004; the residue is a sample of many a contest's."""
    assert facts.first_digits(10**6, 38) == "19532821287077577316320149475962563324"
    assert facts.last_digits(10**6, 39) == "684684301719893411568996526838242546875"
    assert facts.first_digits(10**9) == "79523178745546834678"
    assert facts.last_digits(10**9, 6) == "546875"
    assert facts.residue(10**18, 10**9 + 7) == 209783453


def test_facts_of_the_last_term_are_the_same_by_another_method() -> None:
    first, bits = binet(MAX_N, 60)
    assert facts.first_digits(MAX_N, 60) == first
    assert facts.bit_length(MAX_N) == bits
    assert facts.last_digits(MAX_N, 60) == str(matrix.residue(MAX_N, 10**60)).zfill(60)


@given(st.integers(1000, MAX_N), st.integers(1, 60))
def test_far_first_digits_and_bit_lengths_are_those_of_binet(n: int, count: int) -> None:
    first, bits = binet(n, count)
    assert facts.first_digits(n, count) == first
    assert facts.bit_length(n) == bits


@given(numbers, moduli)
def test_a_far_residue_is_that_of_the_matrix_power(n: int, modulus: int) -> None:
    assert facts.residue(n, modulus) == matrix.residue(n, modulus)


@given(halves, halves, moduli)
def test_residues_satisfy_the_addition_formula(m: int, n: int, modulus: int) -> None:
    """F(m+n+1) = F(m+1)F(n+1) + F(m)F(n)."""
    at_m, after_m = facts.residue(m, modulus), facts.residue(m + 1, modulus)
    at_n, after_n = facts.residue(n, modulus), facts.residue(n + 1, modulus)
    assert facts.residue(m + n + 1, modulus) == (after_m * after_n + at_m * at_n) % modulus


@given(numbers)
@example(750)  # which has zeros before its last digits
def test_last_digits_are_the_residue_with_its_zeros(n: int) -> None:
    last = facts.last_digits(n)
    assert int(last) == facts.residue(n, 10**20)
    assert len(last) == min(20, digit_count(n))


@given(numbers, st.integers(1, 40))
def test_fewer_first_digits_are_the_beginning_of_more(n: int, count: int) -> None:
    first = facts.first_digits(n, 40)
    assert facts.first_digits(n, count) == first[:count]
    assert len(first) == min(40, digit_count(n))
    assert first[0] != "0" or n == 0


@given(st.integers(200, MAX_N))
def test_a_far_term_lies_between_the_powers_of_two_that_its_bit_length_says(n: int) -> None:
    first = int(facts.first_digits(n, 40))
    bits = facts.bit_length(n)
    with gmpy2.context(gmpy2.context(), precision=500):
        exponent = digit_count(n) - 40
        log10_2 = gmpy2.log10(gmpy2.mpfr(2))
        assert (bits - 1) * log10_2 <= gmpy2.log10(gmpy2.mpfr(first + 1)) + exponent
        assert gmpy2.log10(gmpy2.mpfr(first)) + exponent < bits * log10_2


@pytest.mark.parametrize("n", [0, 1, 3, 200, 2999, 10**9, MAX_N])
def test_bounds_that_disagree_are_made_again_with_more_digits(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = facts.first_digits(n), facts.first_digits(n, 1), facts.bit_length(n)
    monkeypatch.setattr(facts, "_GUARD_DIGITS", 1)
    assert (facts.first_digits(n), facts.first_digits(n, 1), facts.bit_length(n)) == expected


def test_a_number_lies_after_the_last_term_below_it() -> None:
    values = [int(term) for term in TERMS[:40]]
    for number in range(1, 3000):
        n = facts.last_below(str(number))
        assert values[n] < number <= values[n + 1]
    term = TERMS[2999]
    assert facts.last_below(term) == 2998
    assert facts.last_below(term[:-1] + "9") == 2999


def test_the_terms_of_every_small_number_are_found() -> None:
    expected: dict[str, list[int]] = {}
    for n, term in enumerate(TERMS):
        expected.setdefault(term, []).append(n)
    for number in range(20_000):
        assert facts.terms_of(str(number)) == expected.get(str(number), [])


def test_every_term_is_found_by_its_digits() -> None:
    assert facts.terms_of("0") == [0]
    assert facts.terms_of("1") == [1, 2]
    for n, term in enumerate(TERMS[3:], 3):
        assert facts.terms_of(term) == [n]


@pytest.mark.parametrize("changed", [0, 1, 50_000, -21, -1])
def test_a_long_number_with_one_digit_changed_is_no_term(changed: int) -> None:
    digits = bytearray(doubling.pair(478_000)[0])
    digits[changed] = ord("5") if digits[changed] != ord("5") else ord("6")
    assert facts.terms_of(digits.decode()) == []


@pytest.mark.parametrize(
    "digits", ["", "-1", "+1", "01", "013", "1.0", "1e3", " 8", "8\n", "٣", "𝟏𝟑"]
)
def test_what_is_no_plain_digits_is_no_term(digits: str) -> None:
    assert facts.terms_of(digits) == []


@pytest.mark.usefixtures("usual_limit")
def test_numbers_longer_than_python_prints_are_no_limit() -> None:
    n = 478_000
    term = gmpy2.fib(n).digits()
    assert len(term) > 99_000
    assert facts.terms_of(term) == [n]
    assert facts.terms_of("1" * 100_000) == []
    assert facts.first_digits(n, 5000) == term[:5000]
    assert facts.last_digits(n, 5000) == term[-5000:]
    assert facts.bit_length(n) == gmpy2.fib(n).bit_length()
