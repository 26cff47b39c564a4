"""How time and memory grow with N, from 10 to a million terms, from services that were just started
and have nothing stored; beside the original's algorithm in Flask, as far as that can follow.

Ours may store 2 GiB. Of the longest answers there is one round alone.
"""

import statistics
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import NamedTuple

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    MIB,
    NOT_GROWN,
    ORIGINAL_CONF,
    Options,
    Server,
    Target,
    copied,
    curl,
    forget_peak,
    judge,
    memory_bytes,
    new_store,
    ratios,
    scratch_directory,
    served,
    served_limited,
    table,
)
from sequence.text.layout import offset

SIZES = (10, 100, 1_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)
ORIGINAL_SIZES = SIZES[:5]
"""For twice as many it takes eight times as long."""
LONG = 100_000
"""From here on there is one round."""

OURS, ORIGINAL = "ours", "the original"


class Cost(NamedTuple):
    """What an answer took: seconds to its last byte, and the worker's peak memory in MiB."""

    seconds: float
    peak_mib: float


def cost(server: Server, sn: int) -> Cost:
    """What the answer takes, of a service that has answered nothing but a small request before."""
    curl(server.port, "/?sn=1", 2)
    (worker,) = server.workers()
    forget_peak(worker)
    _, seconds = curl(server.port, f"/?sn={sn}", offset(sn))
    return Cost(seconds, memory_bytes(worker, "VmHWM") / MIB)


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    found: dict[str, dict[int, list[Cost]]] = {OURS: {}, ORIGINAL: {}}
    with scratch_directory(options.directory) as scratch:
        empty = new_store(scratch / "empty")
        conf = scratch / "original.conf.py"
        conf.write_text(ORIGINAL_CONF)

        @contextmanager
        def ours() -> Iterator[Server]:
            with copied(empty) as data, served_limited(data) as server:
                yield server

        def original() -> AbstractContextManager[Server]:
            return served(scratch / "original", "--workers=1", config=str(conf))

        for number in range(options.rounds):
            for sn in SIZES:
                for side, start in ((OURS, ours), (ORIGINAL, original)):
                    asked = sn in ORIGINAL_SIZES or side == OURS
                    if asked and (sn < LONG or not number):
                        with start() as server:
                            found[side].setdefault(sn, []).append(cost(server, sn))

    rows = [
        [
            side,
            f"{sn:,}",
            f"{offset(sn):,}",
            f"{median(costs, 'seconds'):.4f}",
            f"{median(costs, 'peak_mib'):.1f}",
            str(len(costs)),
        ]
        for side, sizes in found.items()
        for sn, costs in sizes.items()
    ]
    columns = ["side", "terms", "bytes", "median s", "peak MiB of the worker", "rounds"]
    table("The first N terms from services that have nothing stored", columns, rows)
    bases = {side: median(sizes[SIZES[0]], "peak_mib") for side, sizes in found.items()}
    table(
        "A worker's peak MiB beyond that of its smallest answer",
        ["side", *(f"{sn:,}" for sn in SIZES)],
        [
            [
                side,
                *(
                    f"{median(sizes[sn], 'peak_mib') - bases[side]:.1f}" if sn in sizes else "–"
                    for sn in SIZES
                ),
            ]
            for side, sizes in found.items()
        ],
    )
    judge(
        Target(
            f"memory for {SIZES[-1]:,} terms against {LONG:,}",
            ratios([found[OURS][SIZES[-1]][0].peak_mib], [found[OURS][LONG][0].peak_mib]),
            at_most=NOT_GROWN,
        )
    )
    if options.plots:
        for name, title, unit in (
            ("seconds", "Time of the first answer, nothing stored", "seconds"),
            ("peak_mib", "Memory of the worker", "MiB at most"),
        ):
            sides = {
                side: {sn: median(costs, name) for sn, costs in sizes.items()}
                for side, sizes in found.items()
            }
            plots.lines(f"growth_{name}", title, sides, ("terms", unit))


def median(costs: list[Cost], name: str) -> float:
    """The median of that cost."""
    found: list[float] = [getattr(cost, name) for cost in costs]
    return statistics.median(found)
