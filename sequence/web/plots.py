"""The plots of the sequence and of the store, from their figures."""

from collections.abc import Callable, Iterator
from math import log10

from sequence import conf
from sequence.segments.inventory import Inventory, bytes_of, runs
from sequence.text import layout
from sequence.text.leading import leading_digits
from sequence.web.drawing import HEIGHT, WIDTH, Bar, Plot, Scale, Tick

POINTS = 100
"""Of a line: more would fall together."""
ROW_HEIGHT, STRIP_HEIGHT = 24, 18
MIN_WIDTH = 2
"""Stored segments that are less wide are drawn together with those after them."""


def digits(count: int) -> Plot:
    """How many digits F(n) has, for n up to the count."""
    return _line(
        "digits",
        f"A straight line, from 1 digit at n = 0 to {layout.digit_count(count):,} digits "
        f"at n = {count:,}.",
        ("n", "digits of F(n)"),
        count,
        layout.digit_count,
    )


def text_bytes(count: int) -> Plot:
    """How many bytes the text of N terms has, for N up to the count."""
    return _line(
        "bytes",
        f"A parabola, from 0 bytes for no terms to {layout.offset(count):,} bytes "
        f"for {count:,} terms.",
        ("N", "bytes of the first N terms"),
        count,
        layout.offset,
    )


def leading(count: int) -> Plot:
    """Which digits the first terms begin with, beside Benford's law."""
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
        bars=tuple(
            Bar(round(centre - width / 2, 1), 0, width, up.place(share))
            for centre, share in zip(centres, shares, strict=True)
        ),
    )


def coverage(found: Inventory) -> Plot:
    """Which segments are stored of the text that can be asked for, and which were ever repaired."""
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
        "where they were ever repaired.",
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
        height=len(strips) * ROW_HEIGHT,
    )


def _totals(name: str, numbers: list[int], text_bytes: int) -> tuple[str, ...]:
    """A strip's row in the table, of so many bytes of the text."""
    length_bytes = sum(bytes_of(run).length for run in runs(numbers))
    share = f"{100 * length_bytes / text_bytes if text_bytes else 0:.1f}"
    return name, f"{len(numbers):,}", share, f"{length_bytes:,}"


def _strip(across: Scale, numbers: list[int], bottom: int) -> Iterator[Bar]:
    """The bars of a strip, each wide enough to be seen: neighbours are drawn together for that."""
    least_bytes = across.most * MIN_WIDTH // across.length
    together = max(-(-least_bytes // conf.layout().segment_bytes), 1)
    for run in runs(numbers, together):
        span = bytes_of(run)
        width = max(across.place(span.length), MIN_WIDTH / 4)
        yield Bar(across.place(span.start), bottom, width, STRIP_HEIGHT)


def _line(
    name: str,
    summary: str,
    columns: tuple[str, str],
    count: int,
    figure: Callable[[int], int],
) -> Plot:
    """The figure at each number up to the count."""
    across, up = Scale(count, WIDTH), Scale(figure(count), HEIGHT)
    numbers = sorted({count * part // POINTS for part in range(POINTS + 1)})
    return Plot(
        name,
        summary,
        columns,
        [(f"{n:,}", f"{figure(n):,}") for n in sorted({*across.values, count})],
        across.label(columns[0]),
        up.label(columns[1]),
        across.ticks,
        up.ticks,
        line=tuple((across.place(n), up.place(figure(n))) for n in numbers),
    )
