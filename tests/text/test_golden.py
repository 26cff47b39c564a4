"""The ratio of neighbours against fractions, and φ against MPFR."""

from fractions import Fraction

import gmpy2
import pytest

from sequence.text import golden
from sequence.text.layout import MAX_N
from tests.support import oracle

TERMS = [int(term) for term in oracle.terms(3000)]


def cut(value: Fraction, places: int) -> str:
    """The value's decimal places, cut."""
    scaled = str(int(value * 10**places))
    return f"{scaled[0]}.{scaled[1:]}"


def exact_phi(places: int) -> str:
    """φ, cut, from the whole square root of 5·10^(2·places)."""
    scaled = str((10**places + int(gmpy2.isqrt(5 * 10 ** (2 * places)))) // 2)
    return f"{scaled[0]}.{scaled[1:]}"


def test_the_ratio_is_the_fraction() -> None:
    for n in range(1, 1000):
        assert golden.ratio(n).digits == cut(Fraction(TERMS[n + 1], TERMS[n]), golden.PLACES)


def test_the_places_that_agree_are_counted() -> None:
    phi = exact_phi(1500)
    for n in range(1, 1500):
        digits = cut(Fraction(TERMS[n + 1], TERMS[n]), 1000)
        agreed = next(at for at, digit in enumerate(digits) if digit != phi[at]) - 2
        assert golden.ratio(n).agreed == max(agreed, 0)


def test_what_the_distance_allows_is_hardly_ever_wrong() -> None:
    counted = [golden.ratio(n).agreed for n in range(10, 1500)]
    close = [golden._nearness(n) for n in range(10, 1500)]
    differences = [abs(count - near) for count, near in zip(counted, close, strict=True)]
    assert max(differences) <= 4
    assert sum(differences) / len(differences) < 0.5


@pytest.mark.parametrize("n", [golden.MAX_COUNTED + 1, golden.MAX_COUNTED + 2, MAX_N])
def test_far_ratios_have_the_places_of_those_that_they_lie_between(n: int) -> None:
    last, before = (golden.ratio(golden.MAX_COUNTED - back) for back in (0, 1))
    assert last.digits == before.digits == golden.ratio(n).digits == exact_phi(golden.PLACES)
    assert golden.ratio(n).agreed >= last.agreed
    assert not golden.ratio(n).is_counted


@pytest.mark.parametrize("places", [1, 10, 50, 999])
def test_phi_is_cut_and_exact(places: int) -> None:
    assert golden.phi(places) == exact_phi(places)
