"""The check values are those that Python's own integers and floats have."""

import ctypes
from itertools import pairwise

import pytest

from sequence.web import check_values
from sequence.web.check_values import MODULI, TRACED, Fit, Modulus


def terms(count: int) -> list[int]:
    """The first terms, by addition."""
    found = [0, 1]
    while len(found) < count:
        found.append(found[-1] + found[-2])
    return found


def power_of_matrix(n: int, modulus: int) -> int:
    """F(n) modulo a number, by powers of ((1, 1), (1, 0))."""

    def times(x: tuple[int, ...], y: tuple[int, ...]) -> tuple[int, ...]:
        (a, b, c, d), (e, f, g, h) = x, y
        products = (a * e + b * g, a * f + b * h, c * e + d * g, c * f + d * h)
        return tuple(each % modulus for each in products)

    power, square = (1, 0, 0, 1), (1, 1, 1, 0)
    while n:
        if n % 2:
            power = times(power, square)  # type: ignore[assignment]
        square = times(square, square)  # type: ignore[assignment]
        n //= 2
    return power[1] % modulus


LIMITS = {
    "int32": 2**31 - 1,
    "uint32": 2**32 - 1,
    "int64": 2**63 - 1,
    "uint64": 2**64 - 1,
    "int128": 2**127 - 1,
    "uint128": 2**128 - 1,
    "uint256": 2**256 - 1,
    "float32": 2**24,
    "float64, JavaScript’s Number": 2**53,
}
FITS = {fit.name: fit for fit in check_values.fits()}


def test_every_type_has_its_limit() -> None:
    assert FITS.keys() == LIMITS.keys()


@pytest.mark.parametrize("fit", FITS.values(), ids=FITS)
def test_the_last_term_fits_and_the_next_one_does_not(fit: Fit) -> None:
    found = terms(400)
    assert fit.value == found[fit.n] <= LIMITS[fit.name] < found[fit.n + 1]


def test_the_last_terms_are_those_that_everybody_knows() -> None:
    known = {"int32": 46, "uint32": 47, "int64": 92, "uint64": 93, "uint128": 186}
    assert {name: FITS[name].n for name in known} == known


@pytest.mark.parametrize("name", ["int32", "uint32", "int64", "uint64"])
def test_the_next_term_wraps_as_in_c(name: str) -> None:
    kind = getattr(ctypes, f"c_{name}")
    assert FITS[name].following == kind(terms(400)[FITS[name].n + 1]).value


def test_unsigned_numbers_of_128_and_256_bits_wrap_too() -> None:
    for name in ("uint128", "uint256"):
        following = terms(400)[FITS[name].n + 1]
        assert FITS[name].following == following - LIMITS[name] - 1
    assert FITS["int128"].following == terms(400)[185] - 2**128


def test_floats_have_every_term_up_to_the_last_and_round_the_next() -> None:
    kinds = {"float32": ctypes.c_float, "float64, JavaScript’s Number": ctypes.c_double}
    for name, kind in kinds.items():
        fit, found = FITS[name], terms(400)
        held = [int(kind(each).value) for each in found[: fit.n + 2]]
        assert held[:-1] == found[: fit.n + 1]
        assert held[-1] == fit.following != found[fit.n + 1]


@pytest.mark.parametrize("modulus", MODULI, ids=lambda each: each.name)
def test_residues_are_those_of_powers_of_a_matrix(modulus: Modulus) -> None:
    for known, values, _ in check_values.residues():
        if known == modulus:
            assert [each.n for each in values] == [100, 10**5, 10**6, 10**18]
            for each in values:
                assert each.value == power_of_matrix(each.n, modulus.number)


def is_probably_prime(number: int) -> bool:
    """Fermat's test to some bases, which composite numbers hardly ever pass."""
    return all(pow(base, number - 1, number) == 1 for base in (2, 3, 5, 7, 11, 13))


def test_every_modulus_but_those_of_machine_words_is_prime() -> None:
    composite = [each.name for each in MODULI if not is_probably_prime(each.number)]
    assert composite == ["32 bits", "64 bits"]


def test_the_fields_of_curves_are_those_that_libraries_have() -> None:
    numbers = {each.name.partition(",")[0]: each.number for each in MODULI}
    bn254 = "30644e72e131a029b85045b68181585d2833e84879b9709143e1f593f0000001"
    bls12_381 = "73eda753299d7d483339d80809a1d80553bda402fffe5bfeffffffff00000001"
    assert numbers["BN254"] == int(bn254, 16)
    assert numbers["BLS12-381"] == int(bls12_381, 16)
    assert numbers["Goldilocks"] == 0xFFFF_FFFF_0000_0001
    assert numbers["BabyBear"] == 0x7800_0001
    assert numbers["KoalaBear"] == 0x7F00_0001


def trace(rows: int, first: tuple[int, int], modulus: int) -> tuple[int, int]:
    """The last row of a trace."""
    a, b = first
    for _ in range(rows - 1):
        a, b = b, (a + b) % modulus
    return a, b


@pytest.mark.parametrize("field", TRACED, ids=lambda each: each.name)
def test_the_last_rows_are_those_of_a_trace(field: Modulus) -> None:
    ((_, rows),) = [each for each in check_values.traces() if each[0] == field]
    for count, (before, last, after) in rows[:3]:
        assert trace(count, (0, 1), field.number) == (before, last)
        assert trace(count, (1, 1), field.number) == (last, after)


def test_the_traces_get_longer() -> None:
    assert all(shorter < longer for shorter, longer in pairwise(check_values.ROWS))
    assert len(TRACED) == 4
