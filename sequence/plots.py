"""The plots of the sequence and of the store, from their figures."""

from collections.abc import Callable, Iterable, Iterator
from math import log10
from typing import NamedTuple

from sequence import coded, conf
from sequence.drawing import HEIGHT, WIDTH, Bar, Plot, Scale, Tick
from sequence.models import CodedSegment, Segment
from sequence.text import layout
from sequence.text.leading import leading_digits
from sequence.text.span import Span

POINTS = 100
"""Of a line: more would fall together."""
ROW_HEIGHT, STRIP_HEIGHT = 24, 18
LEAST_WIDTH = 2
"""Stored segments that are less wide are drawn together with those after them."""


class Kept(NamedTuple):
    """A segment in one of its forms."""

    span: Span
    """Its bytes in the text."""
    kept_bytes: int


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


def coverage() -> Plot:
    """Which segments are stored of the text that can be had, as they are and coded."""
    last = conf.layout().segment_of(max(conf.max_sn() - 1, 0))
    across = Scale(conf.layout().planned(last).span.stop, WIDTH)
    forms = _kept(across.most)
    bottoms = [row * ROW_HEIGHT for row in reversed(range(len(forms)))]
    rows = [_totals(form, kept, across.most) for form, kept in forms.items()]
    return Plot(
        "coverage",
        f"A strip for each form, filled where segments are stored: {rows[0][2]} per cent of the "
        "text as it is.",
        ("form", "segments", "% of the text", "bytes", "% of plain"),
        rows,
        across.label("bytes of the text"),
        "form",
        across.ticks,
        [
            Tick(bottom + STRIP_HEIGHT / 2, form)
            for bottom, form in zip(bottoms, forms, strict=True)
        ],
        bars=tuple(
            bar
            for bottom, kept in zip(bottoms, forms.values(), strict=True)
            for bar in _strip(across, kept, bottom)
        ),
        height=len(forms) * ROW_HEIGHT,
    )


def _totals(form: str, kept: list[Kept], text_bytes: int) -> tuple[str, ...]:
    """A form's row in the table of what is stored of so many bytes of the text."""
    plain_bytes = sum(each.span.length for each in kept)
    kept_bytes = sum(each.kept_bytes for each in kept)
    return (
        form,
        f"{len(kept):,}",
        _per_cent(plain_bytes, text_bytes),
        f"{kept_bytes:,}",
        _per_cent(kept_bytes, plain_bytes),
    )


def _strip(across: Scale, kept: list[Kept], bottom: int) -> Iterator[Bar]:
    """The bars of a form, each wide enough to be seen."""
    for span in _runs((each.span for each in kept), across.most * LEAST_WIDTH // across.length):
        width = max(across.place(span.length), LEAST_WIDTH / 4)
        yield Bar(across.place(span.start), bottom, width, STRIP_HEIGHT)


def _kept(stop: int) -> dict[str, list[Kept]]:
    """What is stored of the text before this offset, by its form, in order."""
    plain = Segment.objects.filter(start_offset__lt=stop).order_by("start_offset")
    found: dict[str, list[Kept]] = {"text": []}
    for start, length, healed in plain.values_list("start_offset", "length_bytes", "healed"):
        # One that was stored with a larger FIBO_MAX_SN goes on beyond the stop.
        kept = Kept(Span(start, min(start + length, stop)), length)
        found["text"].append(kept)
        if healed:
            found.setdefault("mended", []).append(kept)
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
