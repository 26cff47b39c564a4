"""The letters and digits of pictures: strokes of a pen, made into rows of pixels.

Coordinates are to the right and up from the base line. Capitals and digits are 100 units high.
"""

from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import pairwise
from math import ceil, cos, floor, hypot, radians, sin, sqrt
from typing import NamedTuple

Point = tuple[float, float]
Stroke = list[Point]

LEVELS = 16
"""Of a pixel's coverage, from none to all."""
LINES = 4
"""Horizontal lines on which the coverage of a row of pixels is measured, exactly on each."""
TOP, BOTTOM = 112, -40
"""What strokes reach, with half of their width."""
SIDE = 12
"""On each side of a letter, from the middle of its strokes."""
SPACE = 30


class Glyph(NamedTuple):
    """A letter as rows of coverage from the top, each of `width` bytes."""

    width: int
    rows: tuple[bytes, ...]


def arc(centre: Point, radii: Point, start: int, stop: int) -> Stroke:
    """Return a part of an ellipse, between two angles in degrees."""
    (x, y), (across, up) = centre, radii
    steps = max(abs(stop - start) // 12, 1)
    angles = (radians(start + (stop - start) * step / steps) for step in range(steps + 1))
    return [(x + across * cos(angle), y + up * sin(angle)) for angle in angles]


def turned(strokes: list[Stroke]) -> list[Stroke]:
    """Return a digit upside down."""
    return [[(60 - x, 100 - y) for x, y in stroke] for stroke in strokes]


_BOWL = arc((28, 33), (28, 33), 0, 360)
_STEM: Stroke = [(0, 66), (0, 0)]
_ARCH = [*arc((27, 39), (27, 27), 180, 0), (54, 0)]
_SIX = [arc((30, 31), (30, 31), 0, 360), arc((60, 31), (60, 71), 180, 105)]

_STROKES: dict[str, list[Stroke]] = {
    "0": [[*arc((30, 68), (30, 32), 0, 180), *arc((30, 32), (30, 32), 180, 360), (60, 68)]],
    "1": [[(8, 80), (32, 100), (32, 0)], [(8, 0), (56, 0)]],
    "2": [[*arc((30, 70), (29, 30), 165, -38), (2, 0), (60, 0)]],
    "3": [arc((30, 75), (26, 25), 150, -90) + arc((29, 25), (30, 25), 90, -150)],
    "4": [[(46, 0), (46, 100), (0, 30), (62, 30)]],
    "5": [[(54, 100), (10, 100), *arc((29, 32), (30, 32), 134, -150)]],
    "6": _SIX,
    "7": [[(0, 100), (60, 100), (20, 0)]],
    "8": [arc((30, 76), (25, 24), 0, 360), arc((30, 26), (30, 26), 0, 360)],
    "9": turned(_SIX),
    "(": [arc((36, 38), (36, 68), 125, 235)],
    ")": [arc((-22, 38), (36, 68), 55, -55)],
    ",": [[(6, 2), (0, -18)]],
    ".": [[(0, 0), (0, 0)]],
    "…": [[(x, 0), (x, 0)] for x in (0, 30, 60)],
    "=": [[(0, 60), (52, 60)], [(0, 34), (52, 34)]],
    "F": [[(0, 0), (0, 100), (52, 100)], [(0, 53), (44, 53)]],
    "S": [arc((30, 75), (27, 25), 35, 270) + arc((30, 25), (30, 25), 90, -150)],
    "T": [[(0, 100), (68, 100)], [(34, 100), (34, 0)]],
    "a": [_BOWL, [(56, 66), (56, 0)]],
    "b": [_BOWL, [(0, 100), (0, 0)]],
    "c": [arc((30, 33), (30, 33), 48, 312)],
    "d": [_BOWL, [(56, 100), (56, 0)]],
    "e": [[(1, 35), *arc((29, 33), (29, 33), 4, 318)]],
    "f": [[(12, 0), (12, 76), *arc((34, 76), (22, 24), 180, 75)], [(0, 64), (34, 64)]],
    "g": [_BOWL, [(56, 66), *arc((28, -6), (28, 24), 0, -145)]],
    "h": [[(0, 100), (0, 0)], _ARCH],
    "i": [_STEM, [(0, 94), (0, 94)]],
    "l": [[(0, 100), (0, 0)]],
    "m": [
        _STEM,
        [*arc((22, 42), (22, 24), 180, 0), (44, 0)],
        [*arc((66, 42), (22, 24), 180, 0), (88, 0)],
    ],
    "n": [_STEM, _ARCH],
    "o": [arc((30, 33), (30, 33), 0, 360)],
    "r": [_STEM, arc((26, 38), (26, 28), 180, 65)],
    "s": [arc((23, 49), (20, 17), 35, 270) + arc((23, 16), (23, 16), 90, -150)],
    "t": [[(14, 92), (14, 18), *arc((32, 18), (18, 18), 180, 290)], [(0, 66), (36, 66)]],
    "u": [[(0, 66), *arc((27, 27), (27, 27), 180, 360), (54, 66), (54, 0)]],
    "v": [[(0, 66), (27, 0), (54, 66)]],
    "x": [[(0, 66), (52, 0)], [(52, 66), (0, 0)]],
    "y": [[(0, 66), (28, 2)], [(56, 66), (16, -28)]],
    "φ": [arc((32, 33), (32, 33), 0, 360), [(32, 92), (32, -26)]],
}
LETTERS = frozenset(_STROKES) | {" "}
"""All that can be written."""


def advance(letter: str) -> float:
    """Return the width of a letter, with its sides."""
    if letter == " ":
        return SPACE
    return 2 * SIDE + _reach(letter)


def _reach(letter: str) -> float:
    return max((x for stroke in _STROKES.get(letter, []) for x, _ in stroke), default=0)


# The few in use are constants; to make one takes a millisecond.
@lru_cache(maxsize=512)
def glyph(letter: str, height: int, width: int, pen: float) -> Glyph:
    """Return a letter with capitals so many pixels high, in a cell of that width.

    The pen's width is in units.
    """
    scale = height / 100
    top, bottom = ascent(height), floor(BOTTOM * scale)
    strokes = _STROKES.get(letter, [])
    left = (width - scale * _reach(letter)) / 2
    placed = [[(left + x * scale, top - y * scale) for x, y in stroke] for stroke in strokes]
    return Glyph(width, tuple(coverage(placed, pen * scale / 2, width, top - bottom)))


def ascent(height: int) -> int:
    """Return how many rows a letter with capitals of that height has above the base line."""
    return ceil(TOP * height / 100)


def coverage(strokes: list[Stroke], radius: float, width: int, height: int) -> Iterator[bytes]:
    """Yield how far strokes of a round pen cover the pixels of each row, y being downwards."""
    lines: list[list[Point]] = [[] for _ in range(height * LINES)]
    for stroke in strokes:
        for start, stop in pairwise(stroke):
            across = chord(start, stop, radius)
            for number in reached(start, stop, radius, len(lines)):
                if part := across((number + 0.5) / LINES):
                    lines[number].append(part)
    for row in range(height):
        yield covered(lines[row * LINES : (row + 1) * LINES], width)


def reached(start: Point, stop: Point, radius: float, lines: int) -> range:
    """Return which of so many lines a segment of the pen can reach."""
    low, high = min(start[1], stop[1]) - radius, max(start[1], stop[1]) + radius
    return range(max(floor(low * LINES), 0), min(ceil(high * LINES), lines))


def chord(start: Point, stop: Point, radius: float) -> Callable[[float], Point | None]:
    """Return a function that says from where to where a segment of the pen covers a line at y."""
    (ax, ay), (bx, by) = start, stop
    length = hypot(bx - ax, by - ay)
    # The corners of the rectangle between the round ends.
    right, down = (radius * (bx - ax) / length, radius * (by - ay) / length) if length else (0, 0)
    corners = [
        (ax - down, ay + right),
        (ax + down, ay - right),
        (bx + down, by - right),
        (bx - down, by + right),
    ]
    sides = list(zip(corners, corners[1:] + corners[:1], strict=True)) if length else []

    def across(y: float) -> Point | None:
        found = []
        for x, middle in ((ax, ay), (bx, by)):
            if abs(y - middle) < radius:
                half = sqrt(radius * radius - (y - middle) ** 2)
                found += [x - half, x + half]
        for (left, upper), (last, lower) in sides:
            if (upper <= y) != (lower <= y):
                found.append(left + (y - upper) * (last - left) / (lower - upper))
        return (min(found), max(found)) if found else None

    return across


def covered(lines: list[list[Point]], width: int) -> bytes:
    """Return the coverage of a row of pixels, from what is covered on each of its lines."""
    total = [0.0] * width
    for parts in lines:
        for left, right in _joined(parts, width):
            first, last = int(left), int(right)
            if first == last:
                total[first] += right - left
                continue
            total[first] += first + 1 - left
            for pixel in range(first + 1, last):
                total[pixel] += 1
            if last < width:
                total[last] += right - last
    return bytes(round(pixel / LINES * (LEVELS - 1)) for pixel in total)


def _joined(parts: list[Point], width: int) -> Iterator[Point]:
    """Yield the parts without overlaps, as far as the row reaches."""
    done = 0.0
    for start, stop in sorted(parts):
        left, right = max(start, done), min(stop, width)
        if left < right:
            yield left, right
            done = right
