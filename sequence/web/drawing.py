"""A drawing of real digits, every so many terms a row, whose straight edge is log10 φ."""

from collections.abc import Iterator
from functools import lru_cache
from itertools import islice
from math import atan2, degrees, log10, sqrt
from typing import NamedTuple

from django.template.loader import render_to_string
from django.utils.safestring import SafeString

from sequence.text.layout import LOG10_PHI, SCALE_BITS

DIGIT_WIDTH, ROW_HEIGHT = 5, 9
"""Of a digit in units of the drawing: about what a monospaced font of 8 units takes."""

LOG10_PHI_DIGITS = f"0.{(LOG10_PHI * 10**50 >> SCALE_BITS):050}"
"""log10 φ to fifty places, cut."""
_LOG10_PHI = log10((1 + sqrt(5)) / 2)
_LOG10_SQRT5 = log10(5) / 2


class Row(NamedTuple):
    """The digits of a term, at a distance from the top."""

    n: int
    digits: str
    y: int

    @property
    def width(self) -> int:
        """Return how far its digits reach to the right."""
        return len(self.digits) * DIGIT_WIDTH


# The front page has two, and is asked for with each key that is typed into its fields.
@lru_cache(maxsize=4)
def triangle(step: int = 28, rows: int = 36) -> SafeString:
    """Return an SVG element with a row of digits for every `step`-th term, from F(step) on.

    Needs sequence/plot.css, and takes its colours from the page. A row is log10 φ · step digits
    longer than the one before it, up to rounding. The edge is where the rows would end without
    rounding: log10 F(n) + 1 digits from the left. No digit crosses it. On a phone 24 rows of every
    18th term can be read.
    """
    drawn = [
        Row(n, digits, (number + 1) * ROW_HEIGHT)
        for number, (n, digits) in enumerate(every(step, rows))
    ]
    first, last = drawn[0], drawn[-1]
    # At the tops of the rows, so that it touches no digit.
    (left, top), (right, bottom) = ((_edge(row.n), row.y - ROW_HEIGHT + 1) for row in (first, last))
    return render_to_string(
        "sequence/triangle.html",
        {
            "rows": drawn,
            "last": last,
            "edge": (left, top, right, bottom),
            "middle": ((left + right) / 2, (top + bottom) / 2),
            "angle": round(degrees(atan2(bottom - top, right - left)), 2),
            "log10_phi": LOG10_PHI_DIGITS,
            "width": round(right) + DIGIT_WIDTH,
            "height": last.y + 3,
            "id": f"triangle-{step}",
        },
    )


def every(step: int, count: int) -> list[tuple[int, str]]:
    """Return so many terms, each `step` after the one before, with their digits."""
    found = islice(enumerate(_terms()), step, step * count + 1, step)
    return [(n, str(value)) for n, value in found]


def _terms() -> Iterator[int]:
    before, value = 1, 0  # F(-1), F(0)
    while True:
        yield value
        before, value = value, before + value


def _edge(n: int) -> float:
    """Return how far the digits would reach without rounding."""
    return round(real_digits(n) * DIGIT_WIDTH, 1)


def real_digits(n: int) -> float:
    """Return log10 φ^n/√5 + 1, which is F(n)'s digits and less than one more, for n > 1."""
    return n * _LOG10_PHI - _LOG10_SQRT5 + 1
