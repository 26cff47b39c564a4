"""The figures of the plots, and where they are drawn."""

import re
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from pytest_django.fixtures import Settings

from sequence import conf
from sequence.index import rows
from sequence.models import Segment
from sequence.segments import build, inventory
from sequence.text.layout import MAX_N, digit_count, offset
from sequence.text.span import Span
from sequence.web import plots
from sequence.web.plots import HEIGHT, POINTS, WIDTH, Plot, Scale
from tests.support import oracle

COUNTS = [1, 2, 20, 3000, 100_000, MAX_N]


def number(cell: str) -> int:
    """The number in a cell of a table."""
    return int(cell.replace(",", ""))


def test_the_table_of_digits_has_those_of_the_terms() -> None:
    for n, digits in plots.digits(3000).rows:
        assert number(digits) == len(oracle.terms(3001)[number(n)].strip())


def test_the_table_of_bytes_has_those_of_the_text() -> None:
    for count, length in plots.text_bytes(3000).rows:
        assert number(length) == len(oracle.text(0, number(count)))


def test_the_table_of_leading_digits_has_those_of_the_terms() -> None:
    first = [term[:1].decode() for term in oracle.terms(3000)]
    for digit, count, share, _ in plots.leading(3000).rows:
        assert number(count) == first.count(digit)
        assert float(share) == pytest.approx(100 * first.count(digit) / 2999, abs=0.001)


def test_the_bars_of_leading_digits_are_as_high_as_their_shares() -> None:
    plot = plots.leading(100_000)
    shares = [float(row[2]) for row in plot.rows]
    unit = plot.y_ticks[1].place / float(plot.y_ticks[1].label)
    assert [bar.height / unit for bar in plot.bars] == pytest.approx(shares, abs=0.05)


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("made", [plots.digits, plots.text_bytes, plots.leading])
def test_everything_is_drawn_within_the_plot(made: Callable[[int], Plot], count: int) -> None:
    plot = made(count)
    places = [*plot.line, *plot.points, *((bar.x + bar.width, bar.top) for bar in plot.bars)]
    places += [(tick.place, 0) for tick in plot.x_ticks]
    places += [(0, tick.place) for tick in plot.y_ticks]
    assert all(0 <= x <= WIDTH and 0 <= y <= HEIGHT for x, y in places)
    assert len(plot.line) <= 2 * (POINTS + 1)
    areas = [reading.area for reading in plot.readings]
    assert all(0 <= area.x <= area.x + area.width <= WIDTH + 0.1 for area in areas)
    assert all(len(row) == len(plot.columns) for row in plot.rows)


def test_the_line_of_digits_is_straight_and_that_of_bytes_a_parabola() -> None:
    for made, power in ((plots.digits, 1), (plots.text_bytes, 2)):
        for x, y in made(100_000).line:
            assert y == pytest.approx(HEIGHT * (x / WIDTH) ** power, abs=0.2)


@pytest.mark.parametrize("count", [1, 7, 20, 100])
def test_of_few_terms_the_steps_are_drawn(count: int) -> None:
    line, unit = plots.digits(count).line, plots.digits(count).line[-1][1]
    lengths = [len(term.strip()) for term in oracle.terms(count + 1)]
    for n in range(1, count):
        left, right = line[2 * n : 2 * n + 2]
        assert left[0] == pytest.approx(WIDTH * (n - 0.5) / count, abs=0.1)
        assert right[0] == pytest.approx(WIDTH * (n + 0.5) / count, abs=0.1)
        assert left[1] == right[1] == pytest.approx(unit * lengths[n] / lengths[count], abs=0.1)


@pytest.mark.parametrize("count", [1, 20, 3000, 100_000])
def test_the_readings_of_a_line_are_its_values_and_leave_no_gap(count: int) -> None:
    readings = plots.digits(count).readings
    for reading in readings:
        n, length = re.findall(r"F\(([0-9,]+)\): ([0-9,]+) digits", reading.label)[0]
        assert number(length) == digit_count(number(n))
        assert reading.x == pytest.approx(WIDTH * number(n) / count, abs=0.1)
    areas = [reading.area for reading in readings]
    for before, after in pairwise(areas if count >= 20 else []):
        assert before.x + before.width == pytest.approx(after.x, abs=1)


def test_coverage_names_the_segments_that_are_stored(settings: Settings) -> None:
    settings.FIBO_MAX_SN = 3000
    numbers = [*range(4), 6, *range(8, 40, 2)]
    words = plots._named(numbers)
    assert words.startswith("0 to 3, 6, 8, 10")
    assert words.endswith(f"and {18 - plots.MAX_RUNS} further runs")
    assert plots._named([]) == "none"


@pytest.mark.parametrize(
    ("most", "labels", "label"),
    [
        (1, ["0", "1"], "bytes"),
        (9, ["0", "2", "4", "6", "8"], "bytes"),
        (20_899, ["0", "5,000", "10,000", "15,000", "20,000"], "bytes"),
        (999_999, ["0", "200,000", "400,000", "600,000", "800,000"], "bytes"),
        (1_045_042_806, ["0", "0.2", "0.4", "0.6", "0.8", "1"], "bytes, in 10⁹"),
        (10**18, ["0", "0.2", "0.4", "0.6", "0.8", "1"], "bytes, in 10¹⁸"),
        (208 * 10**33, ["0", "50", "100", "150", "200"], "bytes, in 10³³"),
    ],
)
def test_ticks_are_few_and_round(most: int, labels: list[str], label: str) -> None:
    scale = Scale(most, WIDTH)
    assert [tick.label for tick in scale.ticks] == labels
    assert scale.label("bytes") == label


@pytest.mark.django_db(transaction=True)
def test_coverage_shows_what_is_stored_and_what_was_ever_repaired(
    data_dir: Path, settings: Settings
) -> None:
    settings.FIBO_MAX_SN = 300
    for segment in (0, 2):
        build.segment(segment)
    Segment.objects.filter(number=2).update(repaired=1)
    plot = plots.coverage(inventory.take())
    spans = [rows.find(segment).span for segment in (0, 2)]  # type: ignore[union-attr]
    total = conf.layout().planned(2).span.stop

    def row(name: str, *spans: Span) -> tuple[str, ...]:
        length = sum(span.length for span in spans)
        return name, str(len(spans)), f"{100 * length / total:.1f}", f"{length:,}"

    assert plot.rows == [row("stored", *spans), row("repaired", spans[1])]
    unit = WIDTH / total
    expected = [spans[0].start, spans[1].start, spans[1].start]
    assert [bar.x / unit for bar in plot.bars] == pytest.approx(expected, abs=0.1 / unit)
    assert [tick.label for tick in plot.y_ticks] == ["stored", "repaired"]


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("max_sn", [0, 1, 10**7])
def test_coverage_of_an_empty_store_is_empty(
    data_dir: Path, settings: Settings, max_sn: int
) -> None:
    settings.FIBO_MAX_SN = max_sn
    assert plots.coverage(inventory.take()).bars == ()
    assert plots.coverage(inventory.take()).rows == [
        (name, "0", "0.0", "0") for name in ("stored", "repaired")
    ]


def test_narrow_segments_are_drawn_together_and_wide_ones_apart(settings: Settings) -> None:
    across = Scale(offset(3000), WIDTH)
    wide, narrow = (int(across.most * share / WIDTH) for share in (20, 0.3))
    for segment_bytes, bars in ((wide, [10]), (narrow, range(1, 5))):
        settings.FIBO_SEGMENT_BYTES = segment_bytes
        assert len(list(plots._strip(across, list(range(10)), 0))) in bars
    apart = [0, 1, 5]
    assert len(list(plots._strip(across, apart, 0))) == 2
