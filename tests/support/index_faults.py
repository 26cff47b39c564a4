"""What may become of a SQLite index while the service runs."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from time import sleep


def removed(index: Path) -> None:
    """Deletes the index, with all that belongs to it."""
    for path in index.parent.glob("index.sqlite3*"):
        path.unlink()


def alone(index: Path) -> None:
    """Deletes the index, and leaves its log of changes."""
    index.unlink()


def emptied(index: Path) -> None:
    """Cuts the index to nothing."""
    with index.open("r+b") as file:
        file.truncate(0)


def garbled(index: Path) -> None:
    """Writes something else over the whole index, in place."""
    length = index.stat().st_size
    with index.open("r+b") as file:
        file.write(b"\xa9" * length)


def half_garbled(index: Path) -> None:
    """Writes something else over the second half of the index, in place."""
    length = index.stat().st_size
    with index.open("r+b") as file:
        file.seek(length // 2)
        file.write(b"\xa9" * (length // 2))


def without_its_log(index: Path) -> None:
    """Deletes the log of changes and what the processes share of it."""
    for suffix in ("-wal", "-shm"):
        index.with_name(index.name + suffix).unlink(missing_ok=True)


def locked(index: Path) -> None:
    """Keeps the index to itself for three seconds."""
    with closing(sqlite3.connect(index, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        sleep(3)


def altered(index: Path) -> None:
    """Changes rows of each table."""
    with closing(sqlite3.connect(index, timeout=60, isolation_level=None)) as other:
        other.execute(
            "UPDATE sequence_segment SET length_bytes = length_bytes + 7 WHERE number = 3"
        )
        other.execute("UPDATE sequence_segment SET block_checksums = x'00' WHERE number = 4")
        other.execute("UPDATE sequence_term SET position = position + 1 WHERE n % 100 = 99")
        other.execute("DELETE FROM sequence_segment WHERE number = 8")


FAULTS: dict[str, Callable[[Path], None]] = {
    "deleted": removed,
    "deleted without its log": alone,
    "truncated to nothing": emptied,
    "overwritten": garbled,
    "overwritten by half": half_garbled,
    "bereft of its log": without_its_log,
    "locked for 3 s": locked,
    "altered in its rows": altered,
}
