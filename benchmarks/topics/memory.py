"""The memory of one worker process: at rest, and at most while it serves stored terms and while it
makes missing ones. Of several rounds, each with a service just started, the worst."""

import sqlite3
import statistics
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

from benchmarks.lib.bench import (
    MIB,
    NOT_GROWN,
    TERMS,
    TEXT_BYTES,
    Options,
    Server,
    Target,
    copied,
    forget_peak,
    judge,
    manage,
    memory_bytes,
    new_store,
    scratch_directory,
    served,
    table,
)
from benchmarks.lib.clients import READER_BUFFER_BYTES, background_readers, connections_of
from sequence.coding.coding import CODINGS
from sequence.text.layout import offset

READERS = (1, 50, 200)
READER_BYTES_PER_S = 10_000


def empty(data_dir: Path) -> None:
    """Remove all segments from the store below a running service, when it stores no more."""
    while any((data_dir / "segments").glob("*.lock")):
        time.sleep(0.1)
    with closing(sqlite3.connect(data_dir / "index.sqlite3", timeout=60)) as index, index:
        index.execute("DELETE FROM sequence_term")
        index.execute("DELETE FROM sequence_segment")
    for segment in (data_dir / "segments").glob("0*"):
        segment.unlink()


class Found(NamedTuple):
    """The worker's resident memory in bytes; `files` is the mapped files among what is `after`."""

    before: int
    peak: int
    after: int
    files: int


def measured(server: Server, data_dir: Path) -> Iterator[tuple[str, Found]]:
    """What was asked for, and the memory around it.

    The store has the first 10,000 terms.
    """
    (worker,) = server.workers()

    def ask(sn: int, what: str, name: str = "text", coding: str = "") -> tuple[str, Found]:
        before = memory_bytes(worker, "VmRSS")
        forget_peak(worker)
        url = f"http://127.0.0.1:{server.port}/?sn={sn}&format={name}"
        accepted = f"Accept-Encoding: {coding}"
        subprocess.run(["curl", "-sf", "-o", "/dev/null", "-H", accepted, url], check=True)  # noqa: S607
        after = (memory_bytes(worker, name) for name in ("VmHWM", "VmRSS", "RssFile"))
        return what, Found(before, *after)

    yield ask(20, "20 stored terms, the first request")
    yield ask(10_000, "10,000 stored terms")
    for coding in CODINGS:
        yield ask(10_000, f"10,000 stored terms in {coding}", coding=coding)
    manage(data_dir, "prepopulate", f"--upto={TERMS}")
    yield ask(TERMS, f"{TERMS:,} stored terms")
    yield ask(TERMS, f"{TERMS:,} stored terms as jsonl", name="jsonl")
    for coding in CODINGS:
        yield ask(TERMS, f"{TERMS:,} stored terms in {coding}", coding=coding)
    empty(data_dir)
    # Not 20, which are answered from memory (sequence/web/recent.py).
    yield ask(21, "21 missing terms: the adder is compiled, a segment built")
    empty(data_dir)
    yield ask(10_000, "10,000 missing terms")
    empty(data_dir)
    yield ask(TERMS, f"{TERMS:,} missing terms")
    for coding in CODINGS:
        empty(data_dir)
        yield ask(TERMS, f"{TERMS:,} missing terms in {coding}", coding=coding)
    yield ask(TERMS, f"{TERMS:,} stored terms, after that")


def with_readers(server: Server) -> dict[int, float]:
    """The worker's resident memory in bytes beside so many slow readers of all terms; 0: before."""
    (worker,) = server.workers()
    # What the first stream loads is the worker's.
    with background_readers(server.port, 1, 100 * MIB):
        pass
    time.sleep(1)
    found: dict[int, float] = {0: memory_bytes(worker, "VmRSS")}
    for count in READERS:
        with background_readers(
            server.port, count, READER_BYTES_PER_S, READER_BUFFER_BYTES, settle_s=3
        ):
            assert connections_of(server) >= count
            found[count] = memory_bytes(worker, "VmRSS")
        time.sleep(1)
    return found


ROUNDS = 3


def main(options: Options) -> None:
    """Measure and print."""
    assert offset(TERMS) == TEXT_BYTES
    worst: dict[str, Found] = {}
    with scratch_directory(options.directory) as scratch:
        begun = new_store(scratch / "begun", upto=10_000)
        for _ in range(options.rounds):
            with copied(begun) as data, served(data, WEB_CONCURRENCY="1") as server:
                for what, found in measured(server, data):
                    worst[what] = Found(*map(max, found, worst.get(what, found)))
        idle = next(iter(worst.values())).after
        rows = [
            [
                what,
                *(f"{n / MIB:.1f}" for n in (*found, found.peak - found.before, found.peak - idle)),
            ]
            for what, found in worst.items()
        ]
        table(
            f"Resident memory of the worker in MiB ({idle / MIB:.1f} idle after one small request)",
            ["request", "before", "peak", "after", "of it files", "peak – before", "peak – idle"],
            rows,
        )
        full, readers = new_store(scratch / "full", upto=TERMS), []
        for _ in range(options.rounds):
            with served(full, WEB_CONCURRENCY="1") as server:
                readers.append(with_readers(server))
    table(
        f"Resident memory of the worker beside readers of {TERMS:,} stored terms, "
        f"{READER_BYTES_PER_S / 1e3:.0f} kB/s each",
        ["readers", "median MiB", "MiB a stream"],
        [
            [
                str(count),
                f"{statistics.median(found[count] for found in readers) / MIB:.1f}",
                f"{statistics.median(stream_mib(readers, count)):.2f}" if count else "–",
            ]
            for count in readers[0]
        ],
    )
    judge(
        Target("a worker that only serves", [idle / MIB], at_most=60, unit="MiB"),
        *(
            Target(
                f"a stream of {count}, above the worker's base",
                stream_mib(readers, count),
                at_most=1,
                unit="MiB",
            )
            for count in READERS
        ),
        *(
            Target(
                f"the worker's peak for {TERMS:,} terms{how} against 10,000",
                [
                    worst[f"{TERMS:,} stored terms{how}"].peak
                    / worst[f"10,000 stored terms{how}"].peak
                ],
                at_most=NOT_GROWN,
            )
            for how in ("", *(f" in {coding}" for coding in CODINGS))
        ),
    )


def stream_mib(readers: list[dict[int, float]], count: int) -> list[float]:
    """What each of so many streams took, in each round."""
    return [(found[count] - found[0]) / count / MIB for found in readers]
