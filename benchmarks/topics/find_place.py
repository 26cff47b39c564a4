"""What it takes to find a term's segment and its place there, by arithmetic and by the index, at n
from a hundred to ten million; and how large an index of so many terms is.

The index holds the rows of the first million terms, and of those just before the ten-millionth:
what all rows between them would add to its size is then arithmetic.
"""

import os
import random
import sqlite3
import statistics
from collections.abc import Callable, Iterable
from contextlib import closing
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import NamedTuple

import django

from benchmarks.lib import plots
from benchmarks.lib.bench import Options, in_turn, new_store, ratios, scratch_directory, table
from sequence import conf
from sequence.text.layout import Layout, offset, term_at

PLAN = Layout(conf.SEGMENT_BYTES)
NEAR_TERMS, MAX_TERMS = 1_000_000, 10_000_000
FAR_SEGMENTS = 2_000
SIZES = tuple(10**k for k in range(2, 8))
ASKED = 1_000

OFFSET = "closed form: the offset"
PLACE = "closed form: segment and position"
PLANNED = "the same if its segment's plan is in memory"
BACK = "closed form: from an offset to its term"
INDEX = "the index, as the service asks it"
BARE = "the index by sqlite3 alone"
DRAWN = (OFFSET, PLACE, PLANNED, INDEX, BARE)


class Size(NamedTuple):
    """An index: how many terms and segments it holds, and its bytes."""

    terms: int
    segments: int
    nbytes: int

    def __sub__(self, other: "Size") -> "Size":
        """What this one holds more."""
        return Size._make(mine - theirs for mine, theirs in zip(self, other, strict=True))


def by_arithmetic(n: int) -> tuple[int, int]:
    """The number of the segment of term n, and its position there."""
    number = PLAN.segment_of(n)
    return number, offset(n) - offset(PLAN.terms(number).start)


def by_plan(n: int) -> tuple[int, int]:
    """The same, as the service does it: the last few thousand plans are in memory."""
    planned = PLAN.planned(PLAN.segment_of(n))
    return planned.number, offset(n) - planned.start_offset


def write_rows(numbers: Iterable[int]) -> None:
    """Write the rows of the segments, whose files nobody will read."""
    from sequence import models
    from sequence.index import rows
    from sequence.store.checksum import BLOCK_BYTES, CHECKSUM_BYTES
    from sequence.text import adder

    for number in numbers:
        planned = PLAN.planned(number)
        blocks = -(-planned.length_bytes // BLOCK_BYTES)
        checksums = bytes(blocks * CHECKSUM_BYTES)
        segment = models.Segment(**planned._asdict(), block_checksums=checksums)
        rows.record(segment, adder.positions(planned.terms))


def size(path: Path) -> Size:
    """Of the index, when all is in its one file."""
    with closing(sqlite3.connect(path)) as index:
        index.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        terms, segments = (
            index.execute(f"SELECT count(*) FROM sequence_{name}").fetchone()[0]  # noqa: S608
            for name in ("term", "segment")
        )
        return Size(terms, segments, path.stat().st_size)


def each(found: Size, other: Size) -> tuple[float, float]:
    """The bytes of a term and of a segment: two sizes that hold different parts of both tell."""
    below = found.terms * other.segments - other.terms * found.segments
    term = (found.nbytes * other.segments - other.nbytes * found.segments) / below
    return term, (found.nbytes - term * found.terms) / found.segments


def seconds_of_all(act: Callable[[int], object], asked: list[int]) -> float:
    """How long it takes for all that is asked, one after another."""
    started = perf_counter()
    for one in asked:
        act(one)
    return perf_counter() - started


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    os.environ.pop("DATABASE_URL", None)
    with scratch_directory(options.directory) as scratch:
        data = new_store(scratch / "data")
        os.environ |= {
            "DJANGO_SETTINGS_MODULE": "fibosite.settings",
            "FIBO_DATA_DIR": str(data),
            "FIBO_MAX_SN": str(MAX_TERMS),
        }
        django.setup()
        from sequence.index.rows import find_stop_offset

        path, last = data / "index.sqlite3", PLAN.segment_of(MAX_TERMS - 1)
        sizes = [size(path)]
        write_rows(range(PLAN.segment_of(NEAR_TERMS - 1) + 1))
        sizes.append(size(path))
        write_rows(range(last - FAR_SEGMENTS + 1, last + 1))
        sizes.append(size(path))

        bare = sqlite3.connect(path)
        question = "SELECT segment_id, position FROM sequence_term WHERE n = ?"

        def ask(n: int) -> tuple[int, int]:
            found: tuple[int, int] = bare.execute(question, (n,)).fetchone()
            return found

        chance = random.Random(1)  # noqa: S311  the same in every run
        taken = {}
        for terms in SIZES:
            # As near as the rows before the ten-millionth reach.
            asked = [chance.randrange(terms - max(terms // 200, 10), terms) for _ in range(ASKED)]
            for n in asked:
                assert by_arithmetic(n) == by_plan(n) == ask(n)
                assert find_stop_offset(n) == offset(n + 1)
                assert term_at(offset(n)) == n
            sides = {
                OFFSET: partial(seconds_of_all, offset, asked),
                PLACE: partial(seconds_of_all, by_arithmetic, asked),
                PLANNED: partial(seconds_of_all, by_plan, asked),
                BACK: partial(seconds_of_all, term_at, [offset(n) for n in asked]),
                INDEX: partial(seconds_of_all, find_stop_offset, asked),
                BARE: partial(seconds_of_all, ask, asked),
            }
            taken[terms] = in_turn(sides, options.rounds)
        bare.close()

    micros = {
        side: {n: 1e6 * statistics.median(found[side]) / ASKED for n, found in taken.items()}
        for side in taken[SIZES[0]]
    }
    rows = [[side, *(f"{found[n]:.1f}" for n in SIZES)] for side, found in micros.items()]
    rows.append(
        [
            "the service's question: × the offset",
            *(f"{statistics.median(ratios(taken[n][INDEX], taken[n][OFFSET])):.1f}" for n in SIZES),
        ]
    )
    table(
        "Microseconds to find a term, n just below",
        ["by", *(f"{n:,}" for n in SIZES)],
        rows,
    )
    rows = [
        [what, *(f"{figure:,}" for figure in found)]
        for what, found in zip(("empty", "near", "and far"), sizes, strict=True)
    ]
    table("The index", ["holding", "terms", "segments", "bytes"], rows)
    term, segment = each(sizes[1] - sizes[0], sizes[2] - sizes[1])
    rows = []
    for terms in (100_000, NEAR_TERMS, MAX_TERMS):
        segments = PLAN.segment_of(terms - 1) + 1
        of_terms, of_segments = term * terms, segment * segments
        parts = (of_terms, of_segments, of_terms + of_segments)
        per_term = f"{(of_terms + of_segments) / terms:.1f}"
        cells = [*(f"{part / 1e6:,.1f}" for part in parts), per_term, "0"]
        rows.append([f"{terms:,}", f"{segments:,}", *cells])
    table(
        f"An index of all of them: {term:.1f} bytes a term and {segment:,.0f} a segment",
        ["terms", "segments", "MB of terms", "MB of segments", "MB", "bytes a term", "arithmetic"],
        rows,
    )
    if options.plots:
        drawn = {side: micros[side] for side in DRAWN}
        plots.lines("find_place", "Finding where a term lies", drawn, ("n", "microseconds"))
