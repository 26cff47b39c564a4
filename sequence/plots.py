"""The plots of the sequence and of the store: their figures, and where SVG draws them."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import count as counting
from math import log10
from typing import NamedTuple

from sequence import coded, conf
from sequence.models import CodedSegment, Segment
from sequence.text import layout
from sequence.text.leading import leading_digits
from sequence.text.span import Span

# In units of the drawing, which is about as wide as a phone: what is written in it is read there.
WIDTH, HEIGHT, ROW_HEIGHT = 270, 170, 24
POINTS = 100
"""Of a line: more would fall together."""
MOST_TICKS = 5
LEAST_WIDTH = 2
"""Segments that are less wide are drawn together with those after them."""

_SUPERSCRIPTS = str.maketrans("0123456789", "⁰¹²³⁴⁵⁶⁷⁸⁹")


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
    """What is drawn, in units of the drawing to the right and up; and its figures as a table."""

    name: str
    summary: str
    """What there is to see, for those who do not see it."""
    columns: tuple[str, ...]
    rows: list[tuple[str, ...]]
    x_label: str
    y_label: str
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    line: tuple[tuple[float, float], ...] = ()
    bars: tuple[Bar, ...] = ()
    height: int = HEIGHT


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
        steps = (digit * 10**power for power in counting() for digit in (1, 2, 5))
        step = next(step for step in steps if self.most // step <= MOST_TICKS)
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
        "Bars that fall from digit to digit, with a line for Benford's law: "
        f"{shares[0]:.2f} per cent of the terms begin with 1, {shares[8]:.2f} with 9.",
        ("digit", "terms", "per cent", "Benford's law"),
        [
            (str(digit), f"{found:,}", f"{share:.3f}", f"{law:.3f}")
            for digit, found, share, law in zip(range(1, 10), counts, shares, expected, strict=True)
        ],
        "first digit",
        "per cent of the terms",
        [Tick(centre, str(digit)) for digit, centre in enumerate(centres, 1)],
        up.ticks,
        tuple((centre, up.place(share)) for centre, share in zip(centres, expected, strict=True)),
        tuple(
            Bar(round(centre - width / 2, 1), 0, width, up.place(share))
            for centre, share in zip(centres, shares, strict=True)
        ),
    )


def coverage() -> Plot:
    """Which segments are stored of the text that can be had, as they are and coded."""
    last = conf.layout().segment_of(max(conf.max_sn() - 1, 0))
    across = Scale(layout.offset(conf.layout().terms(last).stop), WIDTH)
    forms = _kept(across.most)
    bars: list[Bar] = []
    rows: list[tuple[str, ...]] = []
    for row, (form, kept) in enumerate(forms.items()):
        bottom = (len(forms) - 1 - row) * ROW_HEIGHT
        for span in _runs((each.span for each in kept), across.most * LEAST_WIDTH // WIDTH):
            width = max(across.place(span.length), LEAST_WIDTH / 4)
            bars.append(Bar(across.place(span.start), bottom, width, ROW_HEIGHT - 6))
        plain_bytes = sum(each.span.length for each in kept)
        kept_bytes = sum(each.kept_bytes for each in kept)
        shares = (_per_cent(plain_bytes, across.most), _per_cent(kept_bytes, plain_bytes))
        rows.append((form, f"{len(kept):,}", shares[0], f"{kept_bytes:,}", shares[1]))
    return Plot(
        "coverage",
        f"A strip for each form, filled where segments are stored: {rows[0][2]} per cent of the "
        "text as it is.",
        ("form", "segments", "per cent of the text", "bytes", "per cent of their plain bytes"),
        rows,
        across.label("bytes of the text"),
        "form",
        across.ticks,
        [
            Tick((len(forms) - row) * ROW_HEIGHT - ROW_HEIGHT / 2 - 3, form)
            for row, form in enumerate(forms)
        ],
        bars=tuple(bars),
        height=len(forms) * ROW_HEIGHT,
    )


class Kept(NamedTuple):
    """A segment in one of its forms."""

    span: Span
    """Its bytes in the text."""
    kept_bytes: int


def _kept(stop: int) -> dict[str, list[Kept]]:
    """What is stored of the text before this offset, by its form, in order."""
    plain = Segment.objects.filter(start_offset__lt=stop).order_by("start_offset")
    found = {
        "text": [
            Kept(Span(start, start + length), length)
            for start, length in plain.values_list("start_offset", "length_bytes")
        ]
    }
    of_segments = CodedSegment.objects.filter(segment__start_offset__lt=stop)
    for name, start, length, kept_bytes in of_segments.order_by("segment").values_list(
        "name", "segment__start_offset", "segment__length_bytes", "length_bytes"
    ):
        kept = Kept(Span(start, start + length), kept_bytes)
        found.setdefault(coded.form(name), []).append(kept)
    return dict(sorted(found.items(), key=lambda kept: (kept[0] != "text", kept[0])))


def _runs(spans: Iterable[Span], least: int) -> Iterator[Span]:
    """The spans, those that touch joined until they are as long as this."""
    run = Span(0, 0)
    for span in spans:
        if span.start == run.stop and run.length < least:
            run = Span(run.start, span.stop)
        else:
            if run.length:
                yield run
            run = span
    if run.length:
        yield run


def _per_cent(part: int, whole: int) -> str:
    return f"{100 * part / whole if whole else 0:.1f}"


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
