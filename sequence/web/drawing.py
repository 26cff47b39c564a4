"""What a plot is made of, in units of its drawing to the right and up."""

from dataclasses import dataclass
from itertools import count
from typing import NamedTuple

# About as wide as a phone, so that what is written in the drawing is read there too.
WIDTH, HEIGHT = 270, 170
MAX_TICKS = 5

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")

Point = tuple[float, float]
"""To the right and up."""


class Tick(NamedTuple):
    """A label at its place on an axis."""

    place: float
    label: str


class Bar(NamedTuple):
    """A rectangle, by its lower left corner."""

    x: float
    y: float
    width: float
    height: float

    @property
    def top(self) -> float:
        """Where it ends above."""
        return self.y + self.height


@dataclass(frozen=True)
class Plot:
    """What is drawn, and its figures as a table."""

    name: str
    summary: str
    """What there is to see, for those who do not see it."""
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    line: tuple[Point, ...] = ()
    points: tuple[Point, ...] = ()
    bars: tuple[Bar, ...] = ()
    height: int = HEIGHT
    width: int = WIDTH


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to `most`, of a length in units of the drawing."""

    most: int
    length: int

    def place(self, value: float) -> float:
        """Where the value lies."""
        return round(self.length * value / self.most, 1)

    def label(self, what: str) -> str:
        """What is measured, and in which unit the ticks are."""
        power = str(self._exponent).translate(_SUPERSCRIPTS)
        return f"{what}, in 10{power}" if self._exponent else what

    @property
    def values(self) -> range:
        """The round values that have ticks."""
        steps = (digit * 10**power for power in count() for digit in (1, 2, 5))
        step = next(step for step in steps if self.most // step <= MAX_TICKS)
        return range(0, self.most + 1, step)

    @property
    def ticks(self) -> list[Tick]:
        """A tick at each of those."""
        unit = 10**self._exponent
        return [
            Tick(self.place(value), f"{value / unit:g}" if unit > 1 else f"{value:,}")
            for value in self.values
        ]

    @property
    def _exponent(self) -> int:
        """Of the unit: 0, or from a million on 6, 9 …"""
        return (len(str(self.most)) - 1) // 3 * 3 if self.most >= 10**6 else 0
