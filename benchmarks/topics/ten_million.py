"""What ten million terms, 10.4 TB, would take on how many hosts: what is measured here of computing
far out, in segments of 64 MiB and of more, and of writing; and the arithmetic from there."""

import statistics
import threading
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from time import perf_counter

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    TEXT_BYTES,
    Options,
    in_turn,
    ratios,
    scratch_directory,
    table,
    write_and_sync,
)
from sequence.text import doubling
from sequence.text.compute import compute_terms
from sequence.text.layout import Layout, offset
from sequence.text.span import Span

MAX_SN = 10_000_000
MIB = 1024 * 1024
SEGMENT_MIB = (64, 256, 1024)
PLACES = (100_000, 1_000_000, 2_500_000, 5_000_000, 7_500_000, 10_000_000)
"""The ends of the spans that are computed. Between them, and below the first, lines are drawn."""
RUN_BYTES = 256 * MIB
"""About how much is added for the rate of additions alone."""
THREADS = 2
REPEATS = 16
"""How often they are added again in each thread, so that it takes half a second."""

HOSTS = (1, 4, 16, 64)
CORES = 2
"""Of each host, as here."""
GIGABITS = (1, 10, 25)
COPIES = 3
SHARED = f"{COPIES} copies, shared"


def exhaust(terms: Span, repeats: int = 1) -> None:
    """Make the text of the terms so many times."""
    for _ in range(repeats):
        for _ in compute_terms(terms):
            pass


def before(end: int, nbytes: int) -> Span:
    """The terms just before the end that have about so many bytes."""
    plan = Layout(nbytes)
    return plan.terms(plan.segment_of(end) - 1)


def seconds_of_pair(n: int) -> float:
    """How long fast doubling takes for the pair at n, as text."""
    doubling.pair.cache_clear()
    started = perf_counter()
    doubling.pair(n)
    return perf_counter() - started


def seconds_of_additions(terms: Span) -> float:
    """How long the additions alone take: both pairs are there."""
    doubling.pair(terms.start - 2)
    doubling.pair(terms.stop - 2)
    started = perf_counter()
    exhaust(terms)
    return perf_counter() - started


def seconds_in_threads(terms: Span, threads: int) -> float:
    """How long the additions take REPEATS times, in each of so many threads."""
    doubling.pair(terms.start - 2)
    doubling.pair(terms.stop - 2)
    running = [threading.Thread(target=exhaust, args=(terms, REPEATS)) for _ in range(threads)]
    started = perf_counter()
    for one in running:
        one.start()
    for one in running:
        one.join()
    return perf_counter() - started


def seconds_of_segment(terms: Span) -> float:
    """How long a segment takes whose neighbour was made just before: one of its pairs is there."""
    doubling.pair.cache_clear()
    doubling.pair(terms.start - 2)
    started = perf_counter()
    exhaust(terms)
    return perf_counter() - started


def between(points: Mapping[int, float], n: int) -> float:
    """The figure at n on the lines through the points; from 0 at 0 to the first of them."""
    places = [0, *points]
    figures = [0.0, *points.values()]
    right = min(bisect_right(places, n), len(places) - 1)
    left = right - 1
    part = (n - places[left]) / (places[right] - places[left])
    return figures[left] + part * (figures[right] - figures[left])


def seconds_of_all(
    pair_s: Mapping[int, float], gigabyte_s: Mapping[int, float], segment_bytes: int | None
) -> tuple[float, float]:
    """The seconds of one core for the pairs and for the additions of the whole text.

    In segments that are made one after another, each of them with one pair; None: in one run. Added
    up over a thousand parts of as many bytes.
    """
    total, parts = offset(MAX_SN), 1_000
    plan = Layout(-(-total // parts))
    pairs = additions = 0.0
    for number in range(parts):
        n = plan.terms(number).start
        # Below the first place additions are not slower.
        additions += between(gigabyte_s, max(n, PLACES[0])) * total / parts / 1e9
        if segment_bytes:
            pairs += between(pair_s, n) * total / parts / segment_bytes
    return pairs, additions


def duration(seconds: float) -> str:
    """In the unit that suits it."""
    for unit, length in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= length:
            return f"{seconds / length:.1f} {unit}"
    return f"{seconds:.1f} s"


def report_hosts(cores: Mapping[str, float], speed: float, write_s: float) -> None:
    """Print what so many hosts take together: from the seconds of one core for each way to make
    it, how many times as fast the cores of a host are, and the seconds to write a GB."""
    total = offset(MAX_SN)
    rows = [
        [str(hosts), *(duration(seconds / speed / hosts) for seconds in cores.values())]
        for hosts in HOSTS
    ]
    title = f"To compute {total:,} bytes on hosts with {CORES} cores each"
    table(title, ["hosts", *cores], rows)

    rows = []
    for hosts in HOSTS:
        for kept, copies in (("once in all", 1), ("on every host", hosts), (SHARED, COPIES)):
            if copies <= hosts:
                each = total * copies / hosts
                cells = [f"{each / 1e12:.2f}", duration(each / 1e9 * write_s)]
                rows.append([str(hosts), kept, *cells])
    table("To store it", ["hosts", "kept", "TB a host", "to write"], rows)

    rows = []
    for hosts in HOSTS:
        sent = {"serve, computed or stored where it is asked for": 1.0}
        if hosts >= COPIES:
            # The maker may have the first copy on itself; the others are made from that one.
            sent[f"make {SHARED}"] = COPIES - 1 / hosts
            # To the host that was asked, unless it is its own; and on to the client.
            sent[f"serve, {SHARED}"] = 2 - 1 / hosts
        for what, times in sent.items():
            bits = 8 * times * total / hosts
            spans = (duration(bits / (gigabits * 1e9)) for gigabits in GIGABITS)
            rows.append([str(hosts), what, f"{times * total / hosts / 1e12:.2f}", *spans])
    columns = ["hosts", "to", "TB sent by a host", *(f"{speed} Gbit/s" for speed in GIGABITS)]
    table("Over the network, each host on a link of its own", columns, rows)


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    exhaust(Span(0, 100))  # loads the compiler
    runs = {end: before(end, RUN_BYTES) for end in PLACES}
    sides: dict[str, Callable[[], float]] = {}
    for end, terms in runs.items():
        sides[f"pair {end}"] = partial(seconds_of_pair, end)
        sides[f"additions {end}"] = partial(seconds_of_additions, terms)
    for threads in (1, THREADS):
        sides[f"threads {threads}"] = partial(seconds_in_threads, runs[MAX_SN], threads)
    segments = {mib: before(MAX_SN, mib * MIB) for mib in SEGMENT_MIB}
    for mib, terms in segments.items():
        sides[f"segment {mib}"] = partial(seconds_of_segment, terms)
    with scratch_directory(options.directory) as scratch:
        sides["write"] = lambda: write_and_sync(scratch / "file")
        taken = in_turn(sides, options.rounds)
    middle = {name: statistics.median(seconds) for name, seconds in taken.items()}

    pair_s = {end: middle[f"pair {end}"] for end in PLACES}
    gigabytes = {end: nbytes(terms) / 1e9 for end, terms in runs.items()}
    gigabyte_s = {end: middle[f"additions {end}"] / gigabytes[end] for end in PLACES}
    rows = [
        [
            f"{end:,}",
            f"{pair_s[end]:.4f}",
            spread(taken[f"pair {end}"]),
            f"{1 / gigabyte_s[end]:.2f}",
            f"{64 * MIB / 1e9 * gigabyte_s[end]:.4f}",
        ]
        for end in PLACES
    ]
    columns = ["n", "pair s", "from – to", "additions GB/s, one thread", "s for 64 MiB of them"]
    table("Computing far out", columns, rows)
    faster = [THREADS * one for one in ratios(taken["threads 1"], taken[f"threads {THREADS}"])]
    twice = statistics.median(faster)
    print(
        f"\n{THREADS} threads add {twice:.2f} times as fast as one just below {MAX_SN:,} "
        f"({min(faster):.2f} – {max(faster):.2f})."
    )

    rows = []
    rates = {}
    for mib, terms in segments.items():
        seconds, size = taken[f"segment {mib}"], nbytes(terms)
        rates[f"{mib} MiB"] = [size / 1e9 / one for one in seconds]
        middle_s = statistics.median(seconds)
        cells = [f"{terms.length:,}", f"{size:,}", f"{middle_s:.3f}", spread(seconds)]
        rows.append([f"{mib} MiB", *cells, f"{size / 1e9 / middle_s:.3f}"])
    columns = ["segment", "terms", "bytes", "s", "from – to", "GB/s"]
    table(f"A segment just below {MAX_SN:,}, made after its neighbour", columns, rows)
    rates["no segments: additions alone"] = [
        gigabytes[MAX_SN] / one for one in taken[f"additions {MAX_SN}"]
    ]

    ways: dict[str, int | None] = {f"{mib} MiB": mib * MIB for mib in SEGMENT_MIB}
    ways["one run"] = None
    rows, cores = [], {}
    for way, segment_bytes in ways.items():
        pairs, additions = seconds_of_all(pair_s, gigabyte_s, segment_bytes)
        cores[way] = pairs + additions
        cells = [f"{pairs:,.0f}", f"{additions:,.0f}", duration(cores[way])]
        rows.append([way, *cells, f"{offset(MAX_SN) / 1e9 / cores[way]:.2f}"])
    columns = ["segments of", "s for pairs", "s for additions", "one core", "GB/s"]
    table("All of it on one core, by lines between the places above", columns, rows)
    write_s = middle["write"] / (TEXT_BYTES / 1e9)
    print(f"\nWriting and syncing: {1 / write_s:.2f} GB/s ({spread(taken['write'])} s).")
    report_hosts(cores, CORES / THREADS * twice, write_s)
    if options.plots:
        title = f"One core makes segments just below {MAX_SN:,} terms"
        plots.bars("ten_million", title, rates, "GB/s")


def nbytes(terms: Span) -> int:
    """How long their text is."""
    return offset(terms.stop) - offset(terms.start)


def spread(seconds: Sequence[float]) -> str:
    """The least and the most of them."""
    return f"{min(seconds):.3f} – {max(seconds):.3f}"
