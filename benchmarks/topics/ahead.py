"""What it costs to store terms ahead of time, when somebody asks, or never: of 100,000 terms
and of nine terms far out, the first request and those after it. Every round of a side has a service
just started, on a store of its own."""

import os
import resource
import sqlite3
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import NamedTuple

import psutil

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    TERMS,
    TEXT_BYTES,
    TEXT_SHA256,
    WHOLE,
    Options,
    Server,
    copied,
    curl,
    get,
    manage,
    new_store,
    ratios,
    scratch_directory,
    served,
    table,
)
from sequence import conf
from sequence.text.layout import Layout, offset

PLAN = Layout(conf.SEGMENT_BYTES)
MAX_SN = 10_000_000

AHEAD, ON_DEMAND, NEVER = "ahead", "on demand", "never stored"
POPULATE, FIRST, LATER = "prepopulate", "first request", "later requests, each"
LATER_REQUESTS = 5
FAR = {100_000: 20, 1_000_000: 20, 10_000_000: 3}
"""The ends of the sequence that windows lie before, and how many are asked for."""
WINDOW_TERMS, APART = 9, 10
"""Windows that touch would share a pair of terms, which the worker still has in memory."""


class Cost(NamedTuple):
    """What a step took: seconds to the first and the last byte, CPU seconds, bytes written."""

    first_s: float
    whole_s: float
    cpu_s: float
    written_bytes: float


def prepopulated(data: Path) -> Cost:
    """What it costs to store all terms as a process of its own."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    manage(data, "prepopulate", f"--upto={TERMS}")
    seconds, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(seconds, seconds, used, 512 * (after.ru_oublock - before.ru_oublock))


def written_bytes(server: Server) -> int:
    """How many bytes its processes gave to the disk."""
    processes = [psutil.Process(server.process.pid), *server.workers()]
    return sum(process.io_counters().write_bytes for process in processes)


def asked(server: Server, target: str, nbytes: int, settled: Callable[[], object]) -> Cost:
    """What the request costs, with all that the service does on its account until it is settled."""
    # What the step before left for the disk to do is not this one's.
    os.sync()
    cpu_s, written = server.cpu_seconds(), written_bytes(server)
    first_s, whole_s = curl(server.port, target, nbytes)
    settled()
    return Cost(first_s, whole_s, server.cpu_seconds() - cpu_s, written_bytes(server) - written)


def until_stored(data: Path, segments: int) -> None:
    """Return when so many segments have their rows."""
    with closing(sqlite3.connect(data / "index.sqlite3")) as index:
        question = "SELECT count(*) FROM sequence_segment"
        while index.execute(question).fetchone()[0] < segments:
            time.sleep(0.02)


def at_once() -> None:
    """Nothing is to be waited for."""


class Stores:
    """Make services on stores that were empty just before."""

    def __init__(self, scratch: Path) -> None:
        self.empty, self.data = new_store(scratch / "empty"), scratch / "copy"

    @contextmanager
    def started(
        self, side: str, prepare: Callable[[Path], object] = lambda _: None
    ) -> Iterator[Server]:
        """A service of that side with one worker; `prepare` is given its data directory first."""
        room = conf.MIN_STORE_BYTES if side == NEVER else conf.MAX_STORE_BYTES
        with copied(self.empty) as data:
            prepare(data)
            with served(
                data, WEB_CONCURRENCY="1", FIBO_MAX_SN=str(MAX_SN), FIBO_STORE_BYTES=str(room)
            ) as server:
                yield server


def whole_text(stores: Stores, side: str) -> dict[str, Cost]:
    """What each step costs for all terms."""
    found = dict[str, Cost]()

    def prepare(data: Path) -> None:
        if side == AHEAD:
            found[POPULATE] = prepopulated(data)

    segments = PLAN.segment_of(TERMS - 1) + 1
    with stores.started(side, prepare) as server:
        settled = at_once if side == NEVER else lambda: until_stored(stores.data, segments)
        found[FIRST] = asked(server, WHOLE, TEXT_BYTES, settled)
        later = [asked(server, WHOLE, TEXT_BYTES, at_once) for _ in range(LATER_REQUESTS)]
        found[LATER] = Cost._make(map(statistics.mean, zip(*later, strict=True)))
    return found


def far_windows(stores: Stores, side: str, end: int, count: int) -> list[Cost]:
    """What so many windows of one segment cost that lies before the end, one after another."""
    number = PLAN.segment_of(end) - 1
    first = PLAN.terms(number).start
    costs = []
    with stores.started(side) as server:
        for place in range(count):
            start = first + place * APART
            nbytes = offset(start + WINDOW_TERMS) - offset(start)
            settled = at_once if side == NEVER else lambda: until_stored(stores.data, 1)
            target = f"/?sn={WINDOW_TERMS}&start={start}"
            costs.append(asked(server, target, nbytes, settled))
    return costs


def check(stores: Stores) -> None:
    """Compare the text of both kinds of service with its hash."""
    for side in (ON_DEMAND, NEVER):
        with stores.started(side) as server:
            assert get(server.port, WHOLE) == (200, TEXT_SHA256)


Rounds = list[dict[str, Cost]]


def report_whole(found: dict[str, Rounds]) -> None:
    """Print what all terms cost, and when to have stored them pays."""
    rows = []
    for side, rounds in found.items():
        for step in rounds[0]:
            costs = [one[step] for one in rounds]
            written = statistics.median(cost.written_bytes for cost in costs) / 1e6
            first = f"{1e3 * statistics.median(cost.first_s for cost in costs):.1f}"
            seconds = [f"{statistics.median(column):.3f}" for column in list(zip(*costs))[1:3]]  # noqa: B905
            spread = f"{min(c.cpu_s for c in costs):.2f} – {max(c.cpu_s for c in costs):.2f}"
            first = "–" if step == POPULATE else first
            rows.append([side, step, first, *seconds, spread, f"{written:,.0f}"])
    columns = ["stored", "step", "first byte ms", "whole s", "CPU s", "from – to", "MB written"]
    table(f"{TERMS:,} terms, {TEXT_BYTES:,} bytes, one worker", columns, rows)

    stored = [one[LATER].cpu_s for one in found[AHEAD]]
    computed = [one[LATER].cpu_s for one in found[NEVER]]
    gigabyte = TEXT_BYTES / 1e9
    rows = [
        [name, f"{statistics.median(used) / gigabyte:.3f}"]
        for name, used in (("stored, from memory (page cache)", stored), ("computed", computed))
    ]
    rows.append(["computed / stored", f"{statistics.median(ratios(computed, stored)):.2f}"])
    whole = ratios(*([one[LATER].whole_s for one in found[side]] for side in (NEVER, AHEAD)))
    rows.append(["the same of seconds to the last byte", f"{statistics.median(whole):.2f}"])
    table("The server's CPU seconds a GB, later requests", ["the bytes are", "CPU s"], rows)
    once = statistics.median(one[POPULATE].cpu_s for one in found[AHEAD])
    saved = [mine - theirs for mine, theirs in zip(computed, stored, strict=True)]
    print(f"\n{break_even(once, saved)}")


def break_even(once: float, saved: list[float]) -> str:
    """In a sentence when it has paid to store, in CPU seconds, which every round must agree on."""
    spread = f"{min(saved):.3f} – {max(saved):.3f} s"
    if max(saved) <= 0:
        after = "It never pays: to read is not cheaper"
    elif min(saved) <= 0:
        after = f"Whether it pays, rounds differ: after {once / max(saved):.0f} requests at best"
    else:
        after = f"It pays after {once / statistics.median(saved):.1f} requests"
    return f"{after}. To store costs {once:.2f} CPU s and saves {spread} a request."


def report_far(found: dict[int, dict[str, list[Cost]]]) -> None:
    """Print what windows far out cost, and when to have stored their segment pays."""
    rows = []
    for end, sides in found.items():
        first, later = sides[ON_DEMAND][0], sides[ON_DEMAND][1:]
        # Its first request loads the compiler.
        computed = sides[NEVER][1:]
        # The system counts in hundredths of a second, which many requests share.
        used = [statistics.mean(cost.cpu_s for cost in costs) for costs in (later, computed)]
        saved = used[1] - used[0]
        once = first.cpu_s - sides[NEVER][0].cpu_s
        rows.append(
            [
                f"{end:,}",
                *(f"{1e3 * first_s(costs):.1f}" for costs in (later, computed)),
                *(f"{1e3 * cpu_s:.1f}" for cpu_s in used),
                f"{once:.2f}",
                f"{first.written_bytes / 1e6:.0f}",
                f"{max(once, 0) / saved:.1f}" if saved > 0 else "never",
            ]
        )
    columns = ["before term", "first byte ms, stored", "computed", "CPU ms, stored", "computed"]
    columns += ["CPU s to store its segment", "MB written", "pays after requests"]
    table(f"A window of {WINDOW_TERMS} terms, after the first one", columns, rows)


def first_s(costs: list[Cost]) -> float:
    """The median of the seconds to the first byte."""
    return statistics.median(cost.first_s for cost in costs)


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    os.environ.pop("DATABASE_URL", None)
    whole: dict[str, Rounds] = {AHEAD: [], ON_DEMAND: [], NEVER: []}
    with scratch_directory(options.directory) as scratch:
        stores = Stores(scratch)
        check(stores)
        for number in range(options.rounds + 1):
            for side, rounds in whole.items():
                costs = whole_text(stores, side)
                if number:  # the first is not counted
                    rounds.append(costs)
        far = {
            end: {side: far_windows(stores, side, end, count) for side in (ON_DEMAND, NEVER)}
            for end, count in FAR.items()
        }
    report_whole(whole)
    report_far(far)
    if options.plots:
        cpu = {
            f"{side}: {step}": [one[step].cpu_s for one in rounds]
            for side, rounds in whole.items()
            for step in rounds[0]
        }
        plots.bars("ahead", f"{TERMS:,} terms: the service's CPU seconds", cpu, "CPU seconds")
