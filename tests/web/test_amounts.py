"""Amounts in words are the amounts, rounded."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sequence.web import amounts


@pytest.mark.parametrize(
    ("length_bytes", "words"),
    [
        (0, "0 bytes"),
        (999, "999 bytes"),
        (1000, "1 kB"),
        (105_542, "106 kB"),
        (999_499, "999 kB"),
        (999_500, "1 MB"),
        (1_045_042_806, "1.05 GB"),
        (104_494_866_149, "104 GB"),
        (10**36, "1,000,000 QB"),
    ],
)
def test_sizes_have_three_figures(length_bytes: int, words: str) -> None:
    assert amounts.size(length_bytes) == words


@given(st.integers(1, 10**40))
def test_a_size_is_right_to_half_a_per_cent(length_bytes: int) -> None:
    figures, unit = amounts.size(length_bytes).split()
    found = float(figures.replace(",", "")) * 1000 ** amounts.UNITS.index(unit)
    assert found == pytest.approx(length_bytes, rel=0.005)


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0, "less than a second"),
        (1, "1 s"),
        (59.4, "59 s"),
        (59.6, "1 min 0 s"),
        (83.6, "1 min 24 s"),
        (3599.6, "1 h 0 min"),
        (8359, "2 h 19 min"),
        (7 * 86_400, "7 days"),
        (265 * amounts.YEAR_S, "265 years"),
        (2.65e20 * amounts.YEAR_S, "2.65 × 10²⁰ years"),
    ],
)
def test_times_are_in_their_two_largest_units(seconds: float, words: str) -> None:
    assert amounts.duration(seconds) == words


@given(st.floats(0, 1e30))
def test_no_time_has_sixty_of_a_unit(seconds: float) -> None:
    words = amounts.duration(seconds)
    assert not re.search(r"\b60 (s|min)\b", words)


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        (1, "0.25 cm"),
        (163, "40.8 cm"),
        (208_988, "522 m"),
        (399_999, "1 km"),
        (208_987_640, "522 km"),
        (208_987_640_249_978_734, "522 billion km"),
    ],
)
def test_digits_are_as_long_as_in_a_book(digits: int, words: str) -> None:
    assert amounts.paper(digits) == words
