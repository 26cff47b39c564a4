"""The memory of one worker process: at rest, and at most while it serves stored terms and while it
makes missing ones. Of several rounds, each with a service just started, the worst."""

import shutil
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import NamedTuple

import psutil
from bench import (
    TERMS,
    TEXT_BYTES,
    heading,
    manage,
    new_store,
    parser,
    scratch_directory,
    served,
    table,
)

from sequence.coding import CODINGS
from sequence.text.layout import offset

MIB = 1024 * 1024


def memory(worker: psutil.Process, name: str) -> int:
    """One of the process's memory counts in bytes (proc_pid_status(5)).

    VmRSS: resident; VmHWM: its peak since `forget_peak`; RssFile: what of it is mapped files,
    such as a library's code, that the kernel may drop.
    """
    lines = Path(f"/proc/{worker.pid}/status").read_text().splitlines()
    return 1024 * int(next(line.split()[1] for line in lines if line.startswith(f"{name}:")))


def forget_peak(worker: psutil.Process) -> None:
    """Makes what the process has now its peak."""
    Path(f"/proc/{worker.pid}/clear_refs").write_text("5")


def empty(data_dir: Path) -> None:
    """Removes all segments from the store below a running service."""
    with closing(sqlite3.connect(data_dir / "index.sqlite3", timeout=60)) as index, index:
        index.execute("DELETE FROM sequence_term")
        index.execute("DELETE FROM sequence_codedsegment")
        index.execute("DELETE FROM sequence_segment")
    for segment in (data_dir / "segments").glob("0*"):
        segment.unlink()


class Found(NamedTuple):
    """The worker's resident memory in bytes; `files` is the mapped files among what is `after`."""

    before: int
    peak: int
    after: int
    files: int


def measured(data_dir: Path) -> Iterator[tuple[str, Found]]:
    """What was asked for, and the memory around it.

    The store has the first 10,000 terms.
    """
    with served(data_dir, WEB_CONCURRENCY="1") as server:
        (worker,) = server.workers()

        def ask(sn: int, what: str, name: str = "text", coding: str = "") -> tuple[str, Found]:
            before = memory(worker, "VmRSS")
            forget_peak(worker)
            url = f"http://127.0.0.1:{server.port}/?sn={sn}&format={name}"
            accepted = f"Accept-Encoding: {coding}"
            subprocess.run(["curl", "-sf", "-o", "/dev/null", "-H", accepted, url], check=True)  # noqa: S607
            after = (memory(worker, name) for name in ("VmHWM", "VmRSS", "RssFile"))
            return what, Found(before, *after)

        yield ask(20, "20 stored terms, the first request")
        yield ask(10_000, "10,000 stored terms")
        manage(data_dir, "prepopulate", f"--upto={TERMS}")
        yield ask(TERMS, f"{TERMS:,} stored terms")
        yield ask(TERMS, f"{TERMS:,} stored terms as jsonl", name="jsonl")
        for coding in CODINGS:
            yield ask(TERMS, f"{TERMS:,} stored terms, coded in {coding} and kept", coding=coding)
            yield ask(TERMS, f"{TERMS:,} terms that are kept in {coding}", coding=coding)
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
    worst: dict[str, Found] = {}
    with scratch_directory(options.directory) as scratch:
        begun = new_store(scratch / "begun", upto=10_000)
        for _ in range(options.rounds):
            data = scratch / "data"
            shutil.copytree(begun, data)
            for what, found in measured(data):
                worst[what] = Found(*map(max, found, worst.get(what, found)))
            shutil.rmtree(data)
    heading()
    idle = next(iter(worst.values())).after
    rows = [
        [what, *(f"{n / MIB:.1f}" for n in (*found, found.peak - found.before, found.peak - idle))]
        for what, found in worst.items()
    ]
    table(
        f"Resident memory of the worker in MiB ({idle / MIB:.1f} idle after one small request)",
        ["request", "before", "peak", "after", "of it files", "peak – before", "peak – idle"],
        rows,
    )


if __name__ == "__main__":
    main()
