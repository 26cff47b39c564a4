"""Compare ways to make the text of 100,000 terms, then lengths of a piece, threads and processes.

All sides make the bytes of each term and drop them. Only ours write the spaces between them, and
only ours find their first two terms within the time.
"""

import hashlib
import multiprocessing
import sys
import threading
from collections.abc import Callable, Iterator
from decimal import Context, Decimal, Inexact
from functools import partial
from time import perf_counter
from unittest.mock import patch

import gmpy2
from flint import fmpz

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    Options,
    Target,
    in_turn,
    judge,
    ratios,
    report,
)
from sequence.text import adder, doubling
from sequence.text import compute as compute_module
from sequence.text.compute import compute_terms
from sequence.text.layout import offset
from sequence.text.span import Span

LAST_TERMS = 2_000
ORIGINAL_TERMS = 20_000
"""What the original's algorithm makes in a second or two, as its cost grows with their cube."""
HALVES = (Span(0, 70_711), Span(70_711, TERMS))
"""As many bytes each, to within one term: the length grows with the square of the terms."""

MEMCPY = "memcpy of as many"
NEAR_TWICE = 1.8
"""What two threads must reach to be "near twice" as fast as one."""

COPIED_BYTES = 64 * 1024 * 1024
PIECE_LENGTHS_KIB = (256, 512, 1024, 2048, 4096)

Pieces = Iterator[bytes | memoryview]


def with_ours(terms: Span) -> Pieces:
    """The text by this project."""
    yield from compute_terms(terms)


def without_compiler(terms: Span) -> Pieces:
    """The text by this project on a host that cannot compile its adder."""
    with patch.object(adder, "_functions", lambda: None):
        yield from compute_terms(terms)


def with_decimal(terms: Span) -> Pieces:
    """The digits of each term by the standard library's decimal."""
    exact = Context(prec=TERMS // 4, traps=[Inexact])
    a, b = (Decimal(digits.decode()) for digits in doubling.pair(terms.start))
    for _ in range(terms.length):
        yield str(a).encode()
        a, b = b, exact.add(a, b)


def with_gmpy2(terms: Span) -> Pieces:
    """The digits of each term by GMP."""
    a, b = gmpy2.fib(terms.start), gmpy2.fib(terms.start + 1)
    for _ in range(terms.length):
        yield a.digits().encode()
        a, b = b, a + b


def with_flint(terms: Span) -> Pieces:
    """The digits of each term by FLINT."""
    a, b = fmpz.fib_ui(fmpz(terms.start)), fmpz.fib_ui(fmpz(terms.start + 1))
    for _ in range(terms.length):
        yield a.str().encode()
        a, b = b, a + b


def with_original(terms: Span) -> Pieces:
    """The digits of each term by `str`, kept in a list, as the original made them."""
    a, b = int(gmpy2.fib(terms.start)), int(gmpy2.fib(terms.start + 1))
    kept = []
    for _ in range(terms.length):
        kept.append(str(a))
        yield kept[-1].encode()
        a, b = b, a + b


OURS: dict[str, Callable[[Span], Pieces]] = {
    "ours": with_ours,
    "ours, not compiled": without_compiler,
}
SIDES = OURS | {
    "decimal": with_decimal,
    "gmpy2": with_gmpy2,
    "python-flint": with_flint,
    "original": with_original,
}


def seconds_to_make(side: str, terms: Span) -> float:
    """How long the side takes."""
    doubling.pair.cache_clear()
    pieces = SIDES[side](terms)
    made = 0
    started = perf_counter()
    if side not in OURS:
        made = len(next(pieces))  # with the first two terms, which others are given
        started = perf_counter()
    for piece in pieces:
        made += len(piece)
    seconds = perf_counter() - started
    spaces = 0 if side in OURS else terms.length
    assert made + spaces == offset(terms.stop) - offset(terms.start)
    return seconds


def seconds_to_copy() -> float:
    """How long as many bytes take to copy."""
    source, target = bytearray(COPIED_BYTES), memoryview(bytearray(COPIED_BYTES))
    source[:], target[:] = b"1" * COPIED_BYTES, b"2" * COPIED_BYTES  # memory there is
    left, readable = TEXT_BYTES, memoryview(source)
    started = perf_counter()
    while left:
        length = min(left, COPIED_BYTES)
        target[:length] = readable[:length]
        left -= length
    return perf_counter() - started


def sha256(side: str, terms: Span) -> str:
    """Of the text that the side makes."""
    digest = hashlib.sha256()
    for piece in SIDES[side](terms):
        digest.update(piece)
        if side not in OURS:
            digest.update(b" ")
    return digest.hexdigest()


def exhaust(terms: Span, repeats: int) -> None:
    """Make the text of the terms so many times."""
    for _ in range(repeats):
        for _ in compute_terms(terms):
            pass


def seconds_in_one_thread(repeats: int) -> float:
    """How long both halves take one after the other."""
    started = perf_counter()
    for half in HALVES:
        exhaust(half, repeats)
    return perf_counter() - started


def seconds_at_once(
    start: Callable[..., threading.Thread | multiprocessing.process.BaseProcess], repeats: int
) -> float:
    """How long both halves take at the same time, in threads or in processes."""
    running = [start(target=exhaust, args=(half, repeats)) for half in HALVES]
    started = perf_counter()
    for one in running:
        one.start()
    for one in running:
        one.join()
    return perf_counter() - started


def with_piece(kib: int, run: Callable[[], float]) -> float:
    """What `run` takes with pieces of that length."""
    before = compute_module.PIECE_BYTES
    compute_module.PIECE_BYTES = kib * 1024
    try:
        return run()
    finally:
        compute_module.PIECE_BYTES = before


ROUNDS = 9
REPEATS = 10
"""Of both halves of the text, in each thread and round."""


def main(options: Options) -> None:
    """Measure and print."""
    rounds, few = options.rounds, min(options.rounds, 3)
    sys.set_int_max_str_digits(0)

    whole, last = Span(0, TERMS), Span(TERMS - LAST_TERMS, TERMS)
    assert sha256("ours", whole) == TEXT_SHA256
    sample = Span(TERMS - 50, TERMS)
    assert len({sha256(side, sample) for side in SIDES}) == 1

    def making(*sides: str, terms: Span) -> dict[str, Callable[[], float]]:
        return {side: partial(seconds_to_make, side, terms) for side in sides}

    sides = making(*OURS, "decimal", terms=whole) | {MEMCPY: seconds_to_copy}
    limits = in_turn(sides, rounds)
    report(f"The text of {TERMS:,} terms, one thread", limits, "ours", TEXT_BYTES)

    libraries = in_turn(making("ours", "gmpy2", "python-flint", terms=whole), few)
    report(f"The text of {TERMS:,} terms, one thread: GMP", libraries, "ours", TEXT_BYTES)

    first = Span(0, ORIGINAL_TERMS)
    small = in_turn(making("ours", "original", terms=first), few)
    report(f"The first {ORIGINAL_TERMS:,} terms", small, "ours", offset(first.stop))

    last_bytes = offset(last.stop) - offset(last.start)
    report(
        f"Terms {last.start:,} to {last.stop - 1:,} only ({last_bytes:,} bytes)",
        in_turn(making(*SIDES, terms=last), few),
        "ours",
        last_bytes,
    )

    fork = multiprocessing.get_context("fork")
    threads = in_turn(
        {
            "one thread": lambda: seconds_in_one_thread(REPEATS),
            "two threads": lambda: seconds_at_once(threading.Thread, REPEATS),
            "two processes": lambda: seconds_at_once(fork.Process, REPEATS),
        },
        rounds,
    )
    report(f"Both halves of the text, {REPEATS} times", threads, "one thread", REPEATS * TEXT_BYTES)
    memory = ratios(limits[MEMCPY], limits["ours"])
    faster = {
        "decimal": ratios(limits["decimal"], limits["ours"]),
        "gmpy2": ratios(libraries["gmpy2"], libraries["ours"]),
        "python-flint": ratios(libraries["python-flint"], libraries["ours"]),
        f"original, {ORIGINAL_TERMS:,} terms": ratios(small["original"], small["ours"]),
    }
    judge(
        Target("as fast as decimal", faster["decimal"], at_least=6),
        Target("as fast as gmpy2", faster["gmpy2"], at_least=25),
        Target("as fast as python-flint", faster["python-flint"], at_least=25),
        Target(
            f"as fast as the original, {ORIGINAL_TERMS:,} terms",
            list(faster.values())[-1],
            at_least=300,
        ),
        Target("as fast as memcpy of as many bytes", memory, at_least=0.3),
        Target(
            "two threads as fast as one",
            ratios(threads["one thread"], threads["two threads"]),
            at_least=NEAR_TWICE,
        ),
    )
    if options.plots:
        title = f"Making the text of {TERMS:,} terms: how many times as fast ours is"
        plots.bars("making_text", title, faster | {MEMCPY: memory}, "times", logarithmic=True)

    some = max(REPEATS // 4, 1)
    lengths: dict[str, Callable[[], float]] = {}
    for kib in PIECE_LENGTHS_KIB:
        alone = partial(seconds_in_one_thread, some)
        both = partial(seconds_at_once, threading.Thread, some)
        lengths[f"{kib} KiB, one thread"] = partial(with_piece, kib, alone)
        lengths[f"{kib} KiB, two threads"] = partial(with_piece, kib, both)
    against = f"{compute_module.PIECE_BYTES // 1024} KiB, one thread"
    taken = in_turn(lengths, rounds)
    report(f"Lengths of a piece, the text {some} times", taken, against, some * TEXT_BYTES)
