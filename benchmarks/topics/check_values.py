"""Measure single terms, digits to find, residues, digests, first and last digits, the verifier.

In CPU time of the thread, or of the process that verifies, as others may share the machine. Long
terms are compared with decimal, int and GMP; a second thread that wants to run each millisecond
tells how long each of them holds the interpreter's lock.
"""

import subprocess
import sys
import threading
from collections.abc import Callable, Iterable, Sized
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from pathlib import Path
from random import Random
from resource import RUSAGE_CHILDREN, getrusage
from statistics import median, quantiles
from time import perf_counter, sleep, thread_time

import gmpy2

from benchmarks.lib.bench import (
    ROOT,
    TERMS,
    Options,
    Target,
    in_turn,
    judge,
    ratios,
    scratch_directory,
    table,
)
from sequence.text import doubling, facts, search, term
from sequence.text.compute import compute_bytes
from sequence.text.digests import Digests
from sequence.text.doubling import EXACT
from sequence.text.format import FORMATS, Format
from sequence.text.layout import MAX_TERMS
from sequence.text.representation import Representation
from sequence.text.residues import Residues
from sequence.text.span import Span

ALL = Span(0, TERMS)
ABSENT = "1" * 40
MODULUS = 2**128 - 159
"""The greatest prime below 2^128."""
FAR = 10**18 - 1
DIGIT_COUNTS = (20, 100, 1000, 10_000)
TICK_S = 0.001
DATES = 200
VERIFIED_TERMS = 40_000


def by_decimal() -> bytes:
    """Return the digits by `decimal`: F(2k) alone, which is F(k)(2F(k-1) + F(k))."""
    doubling.pair.cache_clear()
    before, value = (Decimal(each.decode()) for each in doubling.pair(MAX_TERMS // 2 - 1))
    factor = EXACT.add(EXACT.add(before, before), value)
    return str(EXACT.multiply(value, factor)).encode()


def by_int() -> bytes:
    """Return the hexadecimal digits by Python's int, which needs minutes for decimal ones."""
    return term._hexadecimal(MAX_TERMS)


def by_gmp(radix: int) -> bytes:
    """Return the digits by GMP."""
    return bytes(gmpy2.fib(MAX_TERMS).digits(radix), "ascii")


LONG_TERM: dict[str, Callable[[], bytes]] = {
    "ours, decimal": lambda: term._transformed(MAX_TERMS, 10),
    "ours, hexadecimal": lambda: term._transformed(MAX_TERMS, 16),
    "decimal": by_decimal,
    "int, hexadecimal": by_int,
    "gmpy2, decimal": lambda: by_gmp(10),
    "gmpy2, hexadecimal": lambda: by_gmp(16),
}


def seconds_of_thread(run: Callable[[], object]) -> float:
    """Return the CPU time of the call."""
    started = thread_time()
    run()
    return thread_time() - started


def exhaust(pieces: Iterable[Sized]) -> int:
    """Return how long the pieces are together."""
    return sum(map(len, pieces))


def all_residues(format: Format) -> int:
    """Return the length of the residues of all terms, which are computed."""
    return exhaust(Residues(format, ALL, MODULUS).chunks(Span(0, sys.maxsize)))


def longest_wait(run: Callable[[], object]) -> float:
    """Return for how long a thread that sleeps a millisecond at a time was late, at most."""
    done, late = threading.Event(), [0.0]

    def tick() -> None:
        while not done.is_set():
            started = perf_counter()
            sleep(TICK_S)
            late.append(perf_counter() - started - TICK_S)

    ticking = threading.Thread(target=tick)
    ticking.start()
    try:
        run()
    finally:
        done.set()
        ticking.join()
    return max(late)


def dates() -> list[str]:
    """Return some days of a hundred years, as eight digits; the same each time."""
    rng, first = Random(16), date(1926, 1, 1)  # noqa: S311
    return [f"{first + timedelta(rng.randrange(36_525)):%Y%m%d}" for _ in range(DATES)]


def seconds_to_verify(file: Path) -> float:
    """Return the CPU time of the verifier, from its start, for a file that is in memory."""

    def used() -> float:
        return sum(getrusage(RUSAGE_CHILDREN)[:2])

    started = used()
    subprocess.run(
        [sys.executable, ROOT / "docs" / "verify_download.py", file],
        stdout=subprocess.DEVNULL,
        check=True,
    )
    return used() - started


def written(format: str, directory: Path) -> Path:
    """Write a download in the format."""
    whole = Representation(FORMATS[format], Span(0, VERIFIED_TERMS))
    excerpt = whole.excerpt(Span(0, whole.length))
    file = directory / format
    with file.open("wb") as opened:
        opened.writelines(excerpt.render(compute_bytes(excerpt.text)))
    return file


def rows_of(taken: dict[str, list[float]]) -> list[list[str]]:
    """Return milliseconds of each side: the median, and from the least to the most."""
    return [
        [name, f"{1e3 * median(each):.3g}", f"{1e3 * min(each):.3g} – {1e3 * max(each):.3g}"]
        for name, each in taken.items()
    ]


COLUMNS = ("side", "median ms", "from – to ms")


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    rounds = options.rounds
    assert LONG_TERM["ours, decimal"]() == by_gmp(10) == by_decimal()
    assert LONG_TERM["ours, hexadecimal"]() == by_gmp(16)
    long = in_turn(
        {name: partial(seconds_of_thread, run) for name, run in LONG_TERM.items()}, rounds
    )
    table(f"F({MAX_TERMS:,}), CPU time", COLUMNS, rows_of(long))
    waits = in_turn({name: partial(longest_wait, run) for name, run in LONG_TERM.items()}, rounds)
    table("The longest wait of another thread", COLUMNS, rows_of(waits))

    over_all: dict[str, Callable[[], object]] = {
        "digits that are nowhere": partial(search.first_place, ABSENT, TERMS),
        "digests of all terms": lambda: exhaust(Digests(ALL).chunks(Span(0, Digests(ALL).length))),
    }
    for name, format in FORMATS.items():
        over_all[f"residues, {name}"] = partial(all_residues, format)
    whole = in_turn(
        {name: partial(seconds_of_thread, run) for name, run in over_all.items()}, rounds
    )
    table(f"{TERMS:,} terms, CPU time", COLUMNS, rows_of(whole))

    found = [seconds_of_thread(partial(search.first_place, each, TERMS)) for each in dates()]
    tenths = quantiles(found, n=10)
    table(
        f"{DATES} dates of eight digits, CPU time",
        ("median ms", "nine tenths are below ms", "most ms"),
        [[f"{1e3 * each:.3g}" for each in (median(found), tenths[-1], max(found))]],
    )

    far = in_turn(
        {
            f"{which.__name__}, {count:,}": partial(seconds_of_thread, partial(which, FAR, count))
            for which in (facts.first_digits, facts.last_digits)
            for count in DIGIT_COUNTS
        },
        rounds,
    )
    table(f"Digits of F({FAR:,}), CPU time", COLUMNS, rows_of(far))

    rates: dict[str, list[float]] = {}
    with scratch_directory(options.directory) as scratch:
        for name in FORMATS:
            file = written(name, scratch)
            megabytes = file.stat().st_size / 1e6
            rates[name] = [megabytes / seconds_to_verify(file) for _ in range(rounds)]
            file.unlink()

    judge(
        Target("F(10^7), CPU time", long["ours, decimal"], at_most=0.25, unit="s"),
        Target("F(10^7) in hexadecimal", long["ours, hexadecimal"], at_most=0.25, unit="s"),
        Target("as fast as decimal", ratios(long["decimal"], long["ours, decimal"]), at_least=1),
        Target("another thread waits", waits["ours, decimal"], at_most=0.01, unit="s"),
        Target("the same, hexadecimal", waits["ours, hexadecimal"], at_most=0.01, unit="s"),
        Target("100,000 terms searched", whole["digits that are nowhere"], at_most=0.5, unit="s"),
        Target("a date is found", found, at_most=0.1, unit="s"),
        Target("100 first digits", far["first_digits, 100"], at_most=0.005, unit="s"),
        Target("100 last digits", far["last_digits, 100"], at_most=0.005, unit="s"),
        *(
            Target(f"{name} is verified", each, at_least=100, unit="MB/s")
            for name, each in rates.items()
        ),
    )
