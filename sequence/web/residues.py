"""F(n) modulo m as pictures: a walk around a circle, and carpets of last digits."""

from functools import cache
from math import cos, pi, sin
from typing import NamedTuple

from sequence.text.divisibility import pisano_period

MAX_MODULUS = 360
"""Of a walk: its longest period there is 1,500 terms."""
USUAL_MODULUS = 97
RADIUS = 200
MAX_NAMED = 24
"""How many places of a circle can have their numbers beside them."""
BESIDE = 16

ROW = 60
CARPET_ROWS = 25
"""Of a carpet: together the period of the last three digits."""


class Place(NamedTuple):
    """A residue at its place on the circle."""

    residue: int
    x: float
    y: float
    is_met: bool


class Walk(NamedTuple):
    """One period of F(n) mod m, as a line from place to place, y being downwards."""

    modulus: int
    period: int
    zeros: int
    missing: list[int]
    """The residues that never come."""
    line: list[tuple[float, float]]
    places: list[Place]
    names: list[Place]


class Carpet(NamedTuple):
    """A digit of F(n), for each n a cell, in rows that repeat."""

    name: str
    summary: str
    period: int
    rows: int
    shades: list[tuple[int, str]]
    """For each digit the path of its cells."""


def walk(modulus: int) -> Walk:
    """Return the walk of F(0), F(1) … mod m, for m from 2 to MAX_MODULUS, until it begins again."""
    residues = period_of(modulus)
    met = set(residues)
    places = [Place(at, *_on_circle(at, modulus, RADIUS), at in met) for at in range(modulus)]
    return Walk(
        modulus,
        len(residues),
        residues.count(0),
        [at for at in range(modulus) if at not in met],
        [places[at][1:3] for at in [*residues, 0]],
        places,
        [
            Place(place.residue, *_on_circle(place.residue, modulus, RADIUS + BESIDE), place.is_met)
            for place in places
            if modulus <= MAX_NAMED
        ],
    )


def period_of(modulus: int) -> list[int]:
    """Return one period of the residues, from F(0) on."""
    before, value, found = 1 % modulus, 0, []
    for _ in range(pisano_period(modulus)):
        found.append(value)
        before, value = value, (before + value) % modulus
    return found


@cache
def carpets() -> list[Carpet]:
    """Return those of the last digit, of the one before it, and of the one before that."""
    names = ("last digit", "last digit but one", "last digit but two")
    return [_carpet(name, place) for place, name in enumerate(names)]


def _carpet(name: str, place: int) -> Carpet:
    period = pisano_period(10 ** (place + 1))
    rows = period // ROW
    found = [value // 10**place for value in period_of(10 ** (place + 1))]
    shades = []
    for shade in range(1, 10):
        cells = [n for n, value in enumerate(found) if value == shade]
        shades.append((shade, "".join(f"M{n % ROW} {n // ROW}h1v1h-1z" for n in cells)))
    summary = (
        f"The {name} of F(0) to F({ROW * CARPET_ROWS - 1:,}), {ROW} terms a row, stronger "
        f"for larger digits. It repeats after {period:,} terms: "
        + ("every row is the same." if rows == 1 else f"every {rows}th row is the same.")
    )
    return Carpet(name, summary, period, rows, shades)


def _on_circle(at: int, modulus: int, radius: int) -> tuple[float, float]:
    """Return the place of a residue, clockwise from 0 at the top."""
    angle = 2 * pi * at / modulus
    return round(radius * sin(angle), 1), round(-radius * cos(angle), 1)
