"""The CPU time that Range headers of 8,190 bytes take to be understood or refused, each kind alone.
Of several rounds the best, as the cost is the header's and the rest is the machine's."""

from functools import partial
from time import process_time

from benchmarks.lib.bench import Options, in_turn, table
from sequence.errors import RangeNotSatisfiable
from sequence.protocol import ranges
from tests.support.worst_ranges import FIELD_BYTES, LENGTH, WORST

REPEATS = 200
USUAL = "one range, as usual"
ALLOWED_US = 5_000
"""HOSTILE 14."""


def outcome(header: str) -> str:
    """What the header is answered with."""
    try:
        spans = ranges.spans(header, LENGTH)
    except RangeNotSatisfiable:
        return "416"
    return "200" if spans is None else "206"


def seconds(header: str) -> float:
    """The CPU time of this process for one header, of REPEATS in a row."""
    started = process_time()
    for _ in range(REPEATS):
        outcome(header)
    return (process_time() - started) / REPEATS


ROUNDS = 9


def main(options: Options) -> None:
    """Measure and print."""
    headers = {USUAL: "bytes=67108864-134217727"}
    headers |= {name: header for name, (header, _) in WORST.items()}
    taken = in_turn(
        {name: partial(seconds, header) for name, header in headers.items()}, options.rounds
    )
    best = sorted((1e6 * min(times), name) for name, times in taken.items())
    table(
        f"Headers of {FIELD_BYTES:,} bytes and one as usual, the worst last "
        f"({ALLOWED_US:,} µs are allowed)",
        ["header", "answer", "CPU µs"],
        [[name, outcome(headers[name]), f"{us:.1f}"] for us, name in best],
    )
