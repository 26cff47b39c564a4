"""The walks and the carpets against the terms themselves."""

import re

import pytest

from sequence.web import residues
from tests.support import oracle

TERMS = [int(term) for term in oracle.terms(3000)]
CELL = re.compile(r"M(\d+) (\d+)h1v1h-1z")


@pytest.mark.parametrize("modulus", [2, 3, 7, 10, 97, 144, 250, 359, 360])
def test_a_walk_goes_from_residue_to_residue_and_is_closed(modulus: int) -> None:
    walk = residues.walk(modulus)
    at = {(place.x, place.y): place.residue for place in walk.places}
    assert len(at) == modulus
    assert [at[point] for point in walk.line[:-1]] == [n % modulus for n in TERMS[: walk.period]]
    assert at[walk.line[-1]] == 0
    assert TERMS[walk.period] % modulus == 0
    assert TERMS[walk.period + 1] % modulus == 1


@pytest.mark.parametrize("modulus", [8, 10, 97, 233])
def test_what_a_walk_misses_and_how_often_it_meets_zero_is_said(modulus: int) -> None:
    walk, met = residues.walk(modulus), [n % modulus for n in TERMS[:1500]]
    assert walk.missing == sorted(set(range(modulus)) - set(met))
    assert walk.zeros == met[: walk.period].count(0)
    assert walk.zeros in (1, 2, 4)
    assert [place.residue for place in walk.places if not place.is_met] == walk.missing


def test_no_walk_is_longer_than_is_said() -> None:
    periods = [len(residues.period_of(modulus)) for modulus in range(2, residues.MAX_MODULUS + 1)]
    assert max(periods) == 1500


@pytest.mark.parametrize("place", [0, 1, 2])
def test_a_carpet_has_the_digits_of_the_terms(place: int) -> None:
    carpet = residues.carpets()[place]
    shade = {
        (int(y), int(x)): digit for digit, path in carpet.shades for x, y in CELL.findall(path)
    }
    for n in range(residues.ROW * residues.CARPET_ROWS):
        row, column = divmod(n, residues.ROW)
        digit = TERMS[n] // 10**place % 10
        assert shade.get((row % carpet.rows, column), 0) == digit
        assert TERMS[n + carpet.period] // 10**place % 10 == digit
