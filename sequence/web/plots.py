"""The plots of the sequence and of the store, in units of a drawing to the right and up."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import log10
from typing import NamedTuple

from sequence import conf
from sequence.segments.inventory import Inventory, bytes_of, runs
from sequence.text import layout
from sequence.text.leading import leading_digits
from sequence.web.amounts import power

# About as wide as a phone, so that labels can be read there too.
WIDTH, HEIGHT = 270, 170
MAX_TICKS = 5

Point = tuple[float, float]
"""To the right and up."""

POINTS = 100
"""Of a line: more would coincide. If there are no more terms, their steps are drawn."""
READINGS = 20
"""How many places of a line tell their value."""
KEYBOARD_STEP = 4
"""The keyboard reaches one in so many of them, to be soon through."""
LEFT_EDGE = -60
ROW_HEIGHT, STRIP_HEIGHT = 24, 18
MAX_RUNS = 12
"""Of stored segments, that are named one by one."""
MIN_WIDTH = 2
"""Narrower segments are drawn as one with those after them."""


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
        """Return its upper end."""
        return self.y + self.height


class Reading(NamedTuple):
    """A value that is shown when the pointer is over its area, or when it has the focus."""

    area: Bar
    x: float
    y: float
    label: str
    has_dot: bool = True
    has_focus: bool = True
    """Whether the keyboard reaches it."""

    @property
    def anchor(self) -> str:
        """Return on which side of the point the label has room."""
        return "start" if self.x < WIDTH / 3 else "end" if self.x > 2 * WIDTH / 3 else "middle"


@dataclass(frozen=True)
class Plot:
    """What is drawn, and the same figures as a table."""

    name: str
    summary: str
    """What there is to see, for readers who do not see it."""
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    line: tuple[Point, ...] = ()
    points: tuple[Point, ...] = ()
    bars: tuple[Bar, ...] = ()
    frames: tuple[Bar, ...] = ()
    """What bars fill, if all of it is."""
    marks: tuple[tuple[float, float, str], ...] = ()
    """Words at a point: what a bar or the end of a line means."""
    readings: tuple[Reading, ...] = ()
    height: int = HEIGHT
    width: int = WIDTH


@dataclass(frozen=True)
class Scale:
    """An axis from 0 to `most`, of a length in units of the drawing."""

    most: int
    length: int

    def place(self, value: float) -> float:
        """Return the place of the value."""
        return round(self.length * value / self.most, 1)

    def label(self, what: str) -> str:
        """Return what is measured, and the unit of the ticks."""
        return f"{what}, in {power(10, self._exponent)}" if self._exponent else what

    @property
    def values(self) -> range:
        """Return the round values that have ticks."""
        steps = (
            digit * 10**exponent for exponent in range(len(str(self.most))) for digit in (1, 2, 5)
        )
        step = next(step for step in steps if self.most // step <= MAX_TICKS)
        return range(0, self.most + 1, step)

    @property
    def ticks(self) -> list[Tick]:
        """Return a tick at each of those."""
        unit = 10**self._exponent
        return [
            Tick(self.place(value), f"{value / unit:g}" if unit > 1 else f"{value:,}")
            for value in self.values
        ]

    @property
    def _exponent(self) -> int:
        """Return the exponent of the unit: 0, or from a million on 6, 9 …"""
        return (len(str(self.most)) - 1) // 3 * 3 if self.most >= 10**6 else 0


def digits(count: int) -> Plot:
    """Return the plot of how many digits F(n) has, for n up to the count."""
    return _line(
        "digits",
        f"A straight line, from 1 digit at n = 0 to {layout.digit_count(count):,} digits "
        f"at n = {count:,}.",
        ("n", "digits of F(n)"),
        count,
        layout.digit_count,
        "F({}): {} digits",
    )


def text_bytes(count: int) -> Plot:
    """Return the plot of how many bytes the text of N terms has, for N up to the count."""
    return _line(
        "bytes",
        f"A parabola, from 0 bytes for no terms to {layout.offset(count):,} bytes "
        f"for {count:,} terms.",
        ("N", "bytes of the first N terms"),
        count,
        layout.offset,
        "{} terms: {} bytes",
    )


def leading(count: int) -> Plot:
    """Return the plot of which digits the first terms begin with, next to Benford's law."""
    counts = leading_digits(count)
    shares = [100 * found / max(sum(counts), 1) for found in counts]
    expected = [100 * log10(1 + 1 / digit) for digit in range(1, 10)]
    across, up = Scale(9, WIDTH), Scale(int(max(*shares, *expected)) + 1, HEIGHT)
    centres = [across.place(digit - 0.5) for digit in range(1, 10)]
    width = across.place(0.7)
    return Plot(
        "leading",
        "Bars that fall from digit to digit, with points for Benford's law: "
        f"{shares[0]:.2f} per cent of the terms begin with 1, {shares[8]:.2f} with 9.",
        ("digit", "terms", "%", "% by Benford's law"),
        [
            (str(digit), f"{found:,}", f"{share:.3f}", f"{law:.3f}")
            for digit, found, share, law in zip(range(1, 10), counts, shares, expected, strict=True)
        ],
        "first digit",
        "per cent of the terms",
        [Tick(centre, str(digit)) for digit, centre in enumerate(centres, 1)],
        up.ticks,
        points=tuple(
            (centre, up.place(share)) for centre, share in zip(centres, expected, strict=True)
        ),
        readings=tuple(
            Reading(
                Bar(round(centre - across.place(0.5), 1), 0, across.place(1), HEIGHT),
                centre,
                up.place(max(share, law)) + 4,
                f"{digit}: {share:.2f}% · {found:,}",
                has_dot=False,
            )
            for digit, centre, share, law, found in zip(
                range(1, 10), centres, shares, expected, counts, strict=True
            )
        ),
        bars=tuple(
            Bar(round(centre - width / 2, 1), 0, width, up.place(share))
            for centre, share in zip(centres, shares, strict=True)
        ),
    )


def coverage(found: Inventory) -> Plot:
    """Return the plot of the segments that are stored, and of those that were ever repaired."""
    last = conf.layout().segment_of(max(conf.max_sn() - 1, 0))
    across = Scale(conf.layout().planned(last).span.stop, WIDTH)
    strips = {
        name: [number for number in numbers if number <= last]
        for name, numbers in (("stored", found.stored), ("repaired", found.repaired))
    }
    bottoms = [row * ROW_HEIGHT for row in reversed(range(len(strips)))]
    rows = [_totals(name, numbers, across.most) for name, numbers in strips.items()]
    return Plot(
        "coverage",
        f"Two strips, filled where segments are stored ({rows[0][2]} per cent of the text) and "
        f"where they were ever repaired. Stored: {_named(strips['stored'])}. "
        f"Repaired: {_named(strips['repaired'])}.",
        ("which", "segments", "% of the text", "bytes"),
        rows,
        across.label("bytes of the text"),
        "segments",
        across.ticks,
        [
            Tick(bottom + STRIP_HEIGHT / 2, name)
            for bottom, name in zip(bottoms, strips, strict=True)
        ],
        bars=tuple(
            bar
            for bottom, numbers in zip(bottoms, strips.values(), strict=True)
            for bar in _strip(across, numbers, bottom)
        ),
        frames=tuple(Bar(0, bottom, WIDTH, STRIP_HEIGHT) for bottom in bottoms),
        readings=tuple(
            reading
            for (name, numbers), bottom in zip(strips.items(), bottoms, strict=True)
            for reading in _told(name, across, numbers, bottom)
        ),
        height=len(strips) * ROW_HEIGHT,
    )


def _named(numbers: list[int]) -> str:
    """Return the segments in words, as runs; of many runs the first."""
    found = list(runs(numbers))
    words = [_run(run) for run in found[:MAX_RUNS]]
    more = f" and {len(found) - MAX_RUNS:,} further runs" if len(found) > MAX_RUNS else ""
    return (", ".join(words) or "none") + more


def _run(run: range) -> str:
    return f"{run[0]:,}" if len(run) == 1 else f"{run[0]:,} to {run[-1]:,}"


def _told(name: str, across: Scale, numbers: list[int], bottom: int) -> Iterator[Reading]:
    """Yield which segments and terms each run of a strip is."""
    for run in list(runs(numbers))[:MAX_RUNS]:
        span, first, last = bytes_of(run), *(conf.layout().planned(run[end]) for end in (0, -1))
        left, width = across.place(span.start), max(across.place(span.length), MIN_WIDTH)
        label = f"{name}: {_run(run)}, F({first.terms.start:,}) to F({last.terms.stop - 1:,})"
        area = Bar(left, bottom, width, STRIP_HEIGHT)
        # From the left edge of the drawing: there is room for the longest.
        yield Reading(area, LEFT_EDGE, bottom + STRIP_HEIGHT, label, has_dot=False)


def _totals(name: str, numbers: list[int], text_bytes: int) -> tuple[str, ...]:
    """Return a strip's row in the table, of so many bytes of the text."""
    length_bytes = sum(bytes_of(run).length for run in runs(numbers))
    share = f"{100 * length_bytes / text_bytes if text_bytes else 0:.1f}"
    return name, f"{len(numbers):,}", share, f"{length_bytes:,}"


def _strip(across: Scale, numbers: list[int], bottom: int) -> Iterator[Bar]:
    """Yield the bars of a strip, each wide enough to be seen: neighbours are drawn as one."""
    least_bytes = across.most * MIN_WIDTH // across.length
    together = max(-(-least_bytes // conf.layout().segment_bytes), 1)
    for run in runs(numbers, together):
        span = bytes_of(run)
        width = max(across.place(span.length), MIN_WIDTH / 4)
        yield Bar(across.place(span.start), bottom, width, STRIP_HEIGHT)


def _line(  # noqa: PLR0913, PLR0917
    name: str,
    summary: str,
    columns: tuple[str, str],
    count: int,
    figure: Callable[[int], int],
    told: str,
) -> Plot:
    """Return the plot of a figure at each number up to the count; `told` is how one is said."""
    across, up = Scale(count, WIDTH), Scale(figure(count), HEIGHT)
    numbers = _parts(count, READINGS)

    def reading(n: int) -> Reading:
        left, right = (across.place(n + side * count / READINGS) for side in (-0.5, 0.5))
        left, right = max(left, 0), min(right, WIDTH)
        label = told.format(f"{n:,}", f"{figure(n):,}")
        area = Bar(left, 0, round(right - left, 1), HEIGHT)
        focus = numbers.index(n) % KEYBOARD_STEP == 0
        return Reading(area, across.place(n), up.place(figure(n)), label, has_focus=focus)

    return Plot(
        name,
        summary,
        columns,
        [(f"{n:,}", f"{figure(n):,}") for n in sorted({*across.values, count})],
        across.label(columns[0]),
        up.label(columns[1]),
        across.ticks,
        up.ticks,
        line=tuple(_steps(across, up, figure) if count <= POINTS else _points(across, up, figure)),
        marks=((WIDTH, HEIGHT, f"{figure(count):,}" if count <= 10**9 else ""),),
        readings=tuple(map(reading, numbers)),
    )


def _parts(count: int, parts: int) -> list[int]:
    """Return numbers from 0 to the count, at about equal distances."""
    return sorted({count * part // parts for part in range(parts + 1)})


def _points(across: Scale, up: Scale, figure: Callable[[int], int]) -> Iterator[Point]:
    for n in _parts(across.most, POINTS):
        yield across.place(n), up.place(figure(n))


def _steps(across: Scale, up: Scale, figure: Callable[[int], int]) -> Iterator[Point]:
    """Yield both ends of the step of each number, which is in its middle."""
    for n in range(across.most + 1):
        for end in (max(n - 0.5, 0), min(n + 0.5, across.most)):
            yield across.place(end), up.place(figure(n))
