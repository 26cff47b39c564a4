"""What several processes get of one index: look-ups a second by 1, 2, 4 and 8 of them, while nobody
writes and while one writes rows of segments all the time; and what writers wait for one another.

The index is SQLite; if DATABASE_URL names one, that index is measured too, in which the
benchmark makes its tables and rows: it must be empty. The closed form, which needs no index, is
measured with both.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.lib import plots
from benchmarks.lib.bench import (
    ROOT,
    TERMS,
    Options,
    environment,
    manage,
    new_store,
    ratios,
    scratch_directory,
    stop,
    table,
)
from sequence import conf
from sequence.text.layout import Layout

READERS = (1, 2, 4, 8)
WRITERS = (1, 2, 4)
SECONDS = 1.0

CLOSED_FORM = "closed form"


class Found(NamedTuple):
    """Look-ups a second in all and the CPU seconds of one, the seconds that each writing of rows
    took, and how many of either failed."""

    per_s: float
    cpu_s: float
    taken: list[float]
    failed: int


class Workers:
    """Processes that use one index."""

    def __init__(self, processes: Sequence[subprocess.Popen[str]]) -> None:
        self.processes = processes

    def obey(self, *orders: dict[str, Any]) -> list[dict[str, Any]]:
        """Give each of the first of them an order, at once; their answers."""
        chosen = list(zip(self.processes, orders, strict=False))
        for process, order in chosen:
            assert process.stdin
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
        answers = []
        for process, _ in chosen:
            assert process.stdout
            line = process.stdout.readline()
            assert line, "a worker ended"
            answers.append(json.loads(line))
        return answers


@contextmanager
def working(count: int, data_dir: Path, **variables: str) -> Iterator[Workers]:
    """That many processes on the index of the data directory, or the one that is named."""
    processes = [
        subprocess.Popen(
            [*(sys.executable, "-m", "benchmarks.lib.index_worker"), str(place), str(count)],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=environment(data_dir, DJANGO_SETTINGS_MODULE="fibosite.settings", **variables),
        )
        for place in range(count)
    ]
    try:
        yield Workers(processes)
    finally:
        for process in processes:
            stop(process)


def look_ups(workers: Workers, act: str, readers: int, writers: int = 0) -> Found:
    """Have so many look terms up, and so many write at the same time; remove what was written."""
    reading = [{"act": act, "seconds": SECONDS}] * readers
    # The writers come first, so that they are the same processes whoever reads.
    answers = workers.obey(*[{"act": "write", "seconds": SECONDS}] * writers, *reading)
    written, read = answers[:writers], answers[writers:]
    numbers = [number for answer in written for number in answer["numbers"]]
    if numbers:
        workers.obey({"act": "remove", "numbers": numbers})
    count = sum(answer["found"] for answer in read)
    return Found(
        sum(answer["found"] / answer["taken"] for answer in read),
        sum(answer["cpu_s"] for answer in read) / max(count, 1),
        [seconds for answer in written for seconds in answer["taken"]],
        sum(answer["failed"] for answer in answers),
    )


class Index:
    """An index, and what was found of it in each round."""

    def __init__(self, name: str, workers: Workers) -> None:
        self.name, self.workers = name, workers
        self.reads: dict[tuple[int, int], list[Found]] = {}
        self.writes: dict[tuple[int, int], list[Found]] = {}

    def measure(self, counted: bool) -> None:
        """A round."""
        cases = [(readers, writers) for readers in READERS for writers in (0, 1)]
        for readers, writers in (*cases, *((0, writers) for writers in WRITERS)):
            found = look_ups(self.workers, "look up", readers, writers)
            if counted and readers:
                self.reads.setdefault((readers, writers), []).append(found)
            if counted and writers:
                self.writes.setdefault((readers, writers), []).append(found)


def indexes(scratch: Path, url: str | None, running: ExitStack) -> Iterator[Index]:
    """SQLite, and the index that the URL names, each with the rows of all terms."""
    named = [("sqlite", {}), ("named", {"DATABASE_URL": url})] if url else [("sqlite", {})]
    for name, variables in named:
        data = new_store(scratch / name, 0, **variables)
        workers = running.enter_context(working(max(READERS) + max(WRITERS), data, **variables))
        (answer,) = workers.obey({"act": "count"})
        assert not answer["segments"], "The index that DATABASE_URL names is not empty."
        manage(data, "prepopulate", f"--upto={TERMS}", **variables)
        yield Index(answer["engine"], workers)


def report_reads(sides: Sequence[Index], computed: Mapping[int, list[Found]]) -> None:
    """Print the table of look-ups."""
    cases = [(CLOSED_FORM, (count, 0), found) for count, found in computed.items()]
    cases += [(side.name, case, found) for side in sides for case, found in side.reads.items()]
    rows = []
    for name, (readers, writers), found in cases:
        rates = [one.per_s for one in found]
        base = computed[readers]
        cpu_s = [one.cpu_s for one in found]
        cells = [
            f"{statistics.median(rates):,.0f}",
            spread(rates),
            f"{statistics.median(ratios([one.per_s for one in base], rates)):.1f}",
            f"{1e6 * statistics.median(cpu_s):.1f}",
            f"{statistics.median(ratios(cpu_s, [one.cpu_s for one in base])):.1f}",
            str(sum(one.failed for one in found)),
        ]
        rows.append([name, str(readers), str(writers), *cells])
    columns = ["where term n ends", "readers", "writers", "a second in all", "from – to"]
    columns += ["closed form: times as many", "CPU µs each", "× closed form", "failed or wrong"]
    table(f"Look-ups by processes that share an index of {TERMS:,} terms", columns, rows)


def report_writes(sides: Sequence[Index]) -> None:
    """Print the table of writers."""
    rows = []
    for side in sides:
        for (readers, writers), found in side.writes.items():
            taken = sorted(seconds for one in found for seconds in one.taken)
            moments = (taken[len(taken) // 2], taken[len(taken) * 99 // 100], taken[-1])
            milliseconds = (f"{1e3 * seconds:.1f}" for seconds in moments)
            rate = f"{len(taken) / len(found) / SECONDS:.0f}"
            failed = sum(one.failed for one in found)
            rows.append([side.name, str(writers), str(readers), rate, *milliseconds, str(failed)])
    columns = ["index", "writers", "readers", "segments a second in all"]
    columns += ["median ms", "99th percentile", "longest", "failed"]
    table("Writing the rows of a segment, with what it waits for others", columns, rows)


def draw(sides: Sequence[Index], computed: Mapping[int, list[Found]]) -> None:
    """Draw the look-ups."""
    drawn = {CLOSED_FORM: {count: median_rate(found) for count, found in computed.items()}}
    for side in sides:
        for writers, what in enumerate(("nobody writes", "one writes")):
            drawn[f"{side.name}, {what}"] = {
                readers: median_rate(side.reads[readers, writers]) for readers in READERS
            }
    title = "Look-ups of where a term ends"
    labels = ("processes", "look-ups a second in all")
    plots.lines("shared_index", title, drawn, labels, logarithmic=False)


ROUNDS = 5


def main(options: Options) -> None:
    """Measure and print."""
    # All that is started inherits the environment, and SQLite's must not have it.
    url = os.environ.pop("DATABASE_URL", None)
    with scratch_directory(options.directory) as scratch, ExitStack() as running:
        sides = list(indexes(scratch, url, running))
        computed: dict[int, list[Found]] = {readers: [] for readers in READERS}
        for number in range(options.rounds + 1):
            for readers in READERS:
                found = look_ups(sides[0].workers, CLOSED_FORM, readers)
                computed[readers] += [found] if number else []
            for side in sides:
                side.measure(counted=number > 0)
        last = Layout(conf.SEGMENT_BYTES).segment_of(TERMS - 1)
        for side in sides:
            side.workers.obey({"act": "remove", "numbers": list(range(last + 1))})
    report_reads(sides, computed)
    report_writes(sides)
    if options.plots:
        draw(sides, computed)


def median_rate(found: Sequence[Found]) -> float:
    """The median of the look-ups a second."""
    return statistics.median(one.per_s for one in found)


def spread(rates: Sequence[float]) -> str:
    """The least and the most of them."""
    return f"{min(rates):,.0f} – {max(rates):,.0f}"
