"""The drawing of digits: rows that are terms, and an edge that is straight and exact."""

import gzip
import re

import gmpy2
import pytest

from sequence.text.layout import digit_count
from sequence.web import drawing
from tests.support import oracle

ROW = re.compile(
    r'<text y="(\d+)" textLength="(\d+)"><title>F\((\d+)\), (\d+) digits?</title>(\d+)<'
)
EDGE = re.compile(r'<path d="M([0-9.]+) ([0-9.]+)L([0-9.]+) ([0-9.]+)"/>')

SHAPES = [(28, 36), (18, 24), (2, 300), (5, 60)]


@pytest.mark.parametrize(("step", "rows"), SHAPES)
def test_every_row_is_the_whole_term(step: int, rows: int) -> None:
    found = ROW.findall(drawing.triangle(step, rows))
    assert [int(n) for _, _, n, _, _ in found] == [step * row for row in range(1, rows + 1)]
    for _, width, n, count, digits in found:
        assert digits.encode() == oracle.terms(3000)[int(n)].strip()
        assert len(digits) == int(count) == int(width) // drawing.DIGIT_WIDTH


@pytest.mark.parametrize(("step", "rows"), SHAPES)
def test_every_row_ends_within_a_digit_of_the_straight_edge(step: int, rows: int) -> None:
    markup = drawing.triangle(step, rows)
    left, top, right, bottom = map(float, EDGE.findall(markup)[0])
    for y, width, _, _, _ in ROW.findall(markup):
        edge = left + (right - left) * (int(y) - drawing.ROW_HEIGHT + 1 - top) / (bottom - top)
        assert 0 <= edge - int(width) + 0.2 <= drawing.DIGIT_WIDTH + 0.4


def test_the_edge_rises_by_log_phi_digits_a_term() -> None:
    left, _, right, _ = map(float, EDGE.findall(drawing.triangle(28, 36))[0])
    slope = (right - left) / drawing.DIGIT_WIDTH / (28 * 35)
    assert slope == pytest.approx(float(drawing.LOG10_PHI_DIGITS), abs=1e-4)
    assert digit_count(10**15) == int(10**15 * float(drawing.LOG10_PHI_DIGITS)) + 1


def test_the_digits_of_log_phi_are_right_and_cut() -> None:
    with gmpy2.context(gmpy2.context(), precision=300):
        exact = gmpy2.log10((1 + gmpy2.sqrt(gmpy2.mpfr(5))) / 2)
        assert f"{exact:.60f}"[:52] == drawing.LOG10_PHI_DIGITS


def test_the_drawing_weighs_little() -> None:
    assert len(gzip.compress(drawing.triangle().encode())) < 4096
