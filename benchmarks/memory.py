"""The memory of one worker process: at rest, and at most while it serves stored terms and while it
makes missing ones. Of several rounds, each with a service just started, the worst."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import psutil
from bench import (
    TERMS,
    TEXT_BYTES,
    curl,
    heading,
    manage,
    new_store,
    parser,
    scratch_directory,
    served,
    table,
)

from sequence.text.layout import offset

MIB = 1024 * 1024


def peak_bytes(worker: psutil.Process) -> int:
    """The most memory that the process has had since `forget_peak`."""
    lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith("VmHWM:")))


def forget_peak(worker: psutil.Process) -> None:
    """Makes what the process has now its peak."""
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")


def empty(data_dir: Path) -> None:
    """Removes all segments from the store below a running service."""
    with closing(sqlite3.connect(data_dir / "index.sqlite3", timeout=60)) as index, index:
        index.execute("DELETE FROM sequence_term")
        index.execute("DELETE FROM sequence_segment")
    for segment in (data_dir / "segments").glob("*.txt"):
        segment.unlink()


def measured(data_dir: Path) -> Iterator[tuple[str, int, int, int]]:
    """What was asked for, and the worker's memory before, at most meanwhile, and after, in bytes.

    The store has the first 10,000 terms.
    """
    with served(data_dir, WEB_CONCURRENCY="1") as server:
        (worker,) = server.workers()

        def ask(sn: int, what: str) -> tuple[str, int, int, int]:
            before = worker.memory_info().rss
            forget_peak(worker)
            curl(server.port, f"/?sn={sn}", offset(sn))
            return what, before, peak_bytes(worker), worker.memory_info().rss

        yield ask(20, "20 stored terms, the first request")
        yield ask(10_000, "10,000 stored terms")
        manage(data_dir, "prepopulate", f"--upto={TERMS}")
        yield ask(TERMS, f"{TERMS:,} stored terms")
        empty(data_dir)
        yield ask(20, "20 missing terms: the compiler is loaded, a segment made")
        empty(data_dir)
        yield ask(10_000, "10,000 missing terms")
        empty(data_dir)
        yield ask(TERMS, f"{TERMS:,} missing terms")
        yield ask(TERMS, f"{TERMS:,} stored terms, after that")


def main() -> None:
    """Measures and prints."""
    options = parser(__doc__, rounds=3).parse_args()
    assert offset(TERMS) == TEXT_BYTES
    worst: dict[str, tuple[int, int, int]] = {}
    idle = 0
    with scratch_directory(options.directory) as scratch:
        begun = new_store(scratch / "begun", upto=10_000)
        for _ in range(options.rounds):
            data = scratch / "data"
            shutil.copytree(begun, data)
            for number, (what, *found) in enumerate(measured(data)):
                if not number:
                    idle = max(idle, found[2])
                old = worst.get(what, (0, 0, 0))
                worst[what] = (max(old[0], found[0]), max(old[1], found[1]), max(old[2], found[2]))
            shutil.rmtree(data)
    heading()
    rows = [
        [what, *(f"{n / MIB:.1f}" for n in (before, peak, after, peak - idle))]
        for what, (before, peak, after) in worst.items()
    ]
    table(
        f"Resident memory of the worker in MiB ({idle / MIB:.1f} idle after one small request)",
        ["request", "before", "peak", "after", "peak over idle"],
        rows,
    )


if __name__ == "__main__":
    main()
