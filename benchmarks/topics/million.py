"""Compare a million terms, 104 GB, with 100,000: what a byte costs, when the first one comes and
what memory it takes, from a service whose store may grow to 2 GiB."""

import statistics

from benchmarks.lib.bench import (
    MAX_SN,
    MIB,
    NOT_GROWN,
    STORE_BYTES,
    TERMS,
    TEXT_BYTES,
    Options,
    Server,
    Target,
    forget_peak,
    judge,
    memory_bytes,
    new_store,
    ratios,
    report_first_bytes,
    scratch_directory,
    served_limited,
    streams_in_turn,
    table,
)
from benchmarks.lib.clients import stream
from sequence.text.layout import offset

# As a stream of 100,000 takes a third of a second, and one of a million more than thirty.
REPEATS = 5


class Costs:
    """A request's cost a byte, its first byte, and the memory of the worker."""

    def __init__(self, server: Server, sn: int, repeats: int = 1) -> None:
        (self.worker,) = server.workers()
        self.port, self.sn, self.repeats = server.port, sn, repeats
        self.cpu_s: list[float] = []
        self.peaks: list[float] = []

    def measure(self) -> tuple[float, float]:
        """The seconds to the first byte, and those for a GB."""
        forget_peak(self.worker)
        nbytes, before = offset(self.sn), sum(self.worker.cpu_times()[:2])
        found = [stream(self.port, f"/?sn={self.sn}", nbytes) for _ in range(self.repeats)]
        gigabytes = self.repeats * nbytes / 1e9
        self.cpu_s.append((sum(self.worker.cpu_times()[:2]) - before) / gigabytes)
        self.peaks.append(memory_bytes(self.worker, "VmHWM") / MIB)
        return min(one.first_s for one in found), sum(one.last_s for one in found) / gigabytes


ROUNDS = 3


def main(options: Options) -> None:
    """Measure and print."""
    assert offset(TERMS) == TEXT_BYTES
    with scratch_directory(options.directory) as scratch:
        data = new_store(scratch / "data", TERMS)
        with served_limited(data) as server:
            few, many = Costs(server, TERMS, REPEATS), Costs(server, MAX_SN)
            sides = {f"{side.sn:,}": side for side in (few, many)}
            firsts, lasts = streams_in_turn(
                {name: side.measure for name, side in sides.items()}, options.rounds
            )
    few_name, many_name = sides
    rows = [
        [
            name,
            *(f"{statistics.median(figures):.3f}" for figures in (lasts[name], side.cpu_s[1:])),
            f"{max(side.peaks[1:]):.1f}",
        ]
        for name, side in sides.items()
    ]
    table(
        f"Terms from a store of at most {STORE_BYTES / MIB:,.0f} MiB, one worker",
        ["terms", "seconds a GB", "worker's CPU seconds a GB", "worker's peak MiB"],
        rows,
    )
    report_first_bytes("First byte", firsts)
    judge(
        Target(
            f"a byte of {many_name} terms costs what one of {few_name} does",
            ratios(lasts[many_name], lasts[few_name]),
            at_most=1.25,
        ),
        Target(
            f"first byte of {many_name} terms against {few_name}",
            ratios(firsts[many_name], firsts[few_name]),
            at_most=1,
        ),
        Target(
            f"worker's peak memory with {many_name} terms against {few_name}",
            ratios(many.peaks[1:], few.peaks[1:]),
            at_most=NOT_GROWN,
        ),
    )
