"""Faults in real processes: system calls that kill or fail, and what must hold afterwards."""

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from mmap import mmap
from pathlib import Path
from typing import NamedTuple

from sequence import conf
from sequence.text.compute import compute_bytes
from sequence.text.layout import Layout, segment_name
from sequence.text.span import Span
from tests.support.processes import manage, run

Injected = Callable[[str, int, str], None]
"""What the fixture `injected` gives."""

CHANGES = (
    *("write", "pwrite64", "ftruncate", "sync_file_range", "fsync", "fdatasync"),
    *("mkdir", "link", "rename", "unlink"),
)
"""The system calls that change a data directory, or make a change durable."""

AT_ONCE = 2
"""How many stores a drill treats beside one another."""


PAGE_BYTES = 4096


def flip_on_disk(path: Path, bit: int) -> None:
    """Flip a bit of a file as its disk would: past the pages of it that the kernel has in memory.

    What is on its way to a client keeps these; written to in place, they would change on their way
    (docs/operations.md). Where the file system cannot do so, it is written in place.
    """
    at, length = bit // 8 // PAGE_BYTES * PAGE_BYTES, path.stat().st_size
    with mmap(-1, PAGE_BYTES) as page:
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_DIRECT)
        except OSError:
            descriptor = os.open(path, os.O_RDWR)
        try:
            os.preadv(descriptor, [page], at)
            page[bit // 8 - at] ^= 1 << bit % 8
            os.pwritev(descriptor, [page], at)
            if at + PAGE_BYTES > length:
                os.ftruncate(descriptor, length)
        finally:
            os.close(descriptor)


def emptied_on_disk(path: Path) -> None:
    """Cut a file to nothing.

    Cut elsewhere, the kernel writes zeros over the rest of the memory around that place, which may
    be on its way to a client (docs/operations.md).
    """
    os.truncate(path, 0)


class Call(NamedTuple):
    """A system call on a file of a data directory."""

    name: str
    file: str
    """Relative to the data directory; the first one where there are two."""

    def injected(self, data_dir: Path, what: str, when: str) -> list[str]:
        """strace's options that inject this at such calls, by their number in each thread."""
        path = data_dir / self.file
        return [f"--trace-path={path}", f"--inject={self.name}:{what}:when={when}"]


@dataclass(frozen=True)
class Store:
    """A data directory that is to have so many terms, in segments of such a length."""

    data_dir: Path
    upto: int
    segment_bytes: int
    database: str | None = None
    """What DATABASE_URL is; None for an index in the directory."""

    @property
    def variables(self) -> dict[str, str]:
        """The settings that tell of its segments and of its index."""
        index = {"DATABASE_URL": self.database} if self.database else {}
        return {"FIBO_SEGMENT_BYTES": str(self.segment_bytes)} | index

    @property
    def segments(self) -> Path:
        """Where its segments are."""
        return self.data_dir / "segments"

    @property
    def trace(self) -> Path:
        """Where strace logs."""
        return self.data_dir.with_name(f"{self.data_dir.name}.strace")

    @property
    def names(self) -> list[str]:
        """The names of the segments that it is to have."""
        return [*map(segment_name, Layout(self.segment_bytes).numbers(Span(0, self.upto)))]

    @contextmanager
    def copied(self, data_dir: Path) -> Iterator["Store"]:
        """A copy, removed at the end; where something fails in it, it is left to be looked at."""
        shutil.copytree(self.data_dir, data_dir)
        yield replace(self, data_dir=data_dir)
        shutil.rmtree(data_dir)

    def populate(self, workers: int = 1) -> list[str]:
        """The command that fills it. One worker makes its calls in the same order every time."""
        how = (f"--upto={self.upto}", f"--workers={workers}")
        return [sys.executable, "manage.py", "prepopulate", *how]

    def run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        """What a command printed and returned, with its settings."""
        return run(command, self.data_dir, **self.variables)

    def strace(self, names: Iterable[str], *fault: str) -> list[str]:
        """The beginning of a command that has strace log such calls, beside the directory."""
        # Not with --seccomp-bpf, which loses the signals that are to be injected.
        what = ("-f", "-y", "-qq", f"--trace={','.join(names)}", f"--output={self.trace}")
        return ["strace", *what, *fault]

    def calls(self) -> list[tuple[str, Call]]:
        """The calls on its files that strace has logged, each with its thread."""
        path = rf'[<"]{re.escape(str(self.data_dir))}(?:/([^">]*))?[">]'
        found = re.findall(rf"^(\d+) +(\w+)\(.*?{path}", self.trace.read_text(), re.MULTILINE)
        return [(thread, Call(name, file or ".")) for thread, name, file in found]

    def points(self) -> list[tuple[Call, int]]:
        """The calls that strace has logged, and for each the numbers that it can be reached by.

        strace counts in each thread anew: so the most that one thread has made of it.
        """
        most: dict[Call, int] = {}
        for (_, call), times in Counter(self.calls()).items():
            most[call] = max(times, most.get(call, 0))
        return [(call, number + 1) for call, times in most.items() for number in range(times)]

    def stored(self) -> list[Path]:
        """Its segments by their final names, each of which is complete and right."""
        found = sorted(self.segments.glob("*.txt"))
        for path in found:
            span = Layout(self.segment_bytes, conf.MAX_SN).planned(int(path.stem)).span
            assert path.read_bytes() == b"".join(compute_bytes(span)), path
        return found

    def left(self) -> list[Path]:
        """What builders leave behind that have not ended."""
        return [path for path in self.segments.glob("*") if path.suffix in (".part", ".lock")]

    def assert_clean(self) -> None:
        """No segment is partial or wrong, and `verify` finds nothing."""
        self.stored()
        verified = self.run([sys.executable, "manage.py", "verify"])
        assert (verified.returncode, verified.stderr) == (0, ""), verified.stdout

    def assert_completes(self, remarks: str = "") -> None:
        """The next populate fills it without a hand, leaves nothing else, and it is clean.

        `remarks` is the pattern of what it may have to say.
        """
        populated = self.run(self.populate())
        assert populated.returncode == 0, populated.stderr
        assert re.fullmatch(remarks, populated.stderr), populated.stderr
        names = sorted(path.name for path in self.segments.iterdir())
        assert names == [*self.names, "layout.json"]
        self.assert_clean()


def empty(data_dir: Path, upto: int = 500, segment_bytes: int = 20_000) -> Store:
    """A store without anything in it; to be of two segments, unless told otherwise."""
    data_dir.mkdir(exist_ok=True)
    return Store(data_dir, upto, segment_bytes)


def migrated(data_dir: Path, upto: int = 500, segment_bytes: int = 20_000) -> Store:
    """One that has an index."""
    store = empty(data_dir, upto, segment_bytes)
    assert manage(data_dir, "migrate", "--verbosity=0", **store.variables).returncode == 0
    return store


def filled(store: Store) -> Store:
    """The store, filled under strace, which has logged what that took."""
    done = store.run([*store.strace((*CHANGES, "openat")), *store.populate()])
    assert done.returncode == 0, done.stderr
    return store


@contextmanager
def disk(path: Path, size: str) -> Iterator[Path]:
    """A small disk at the path, until the end of the block."""
    path.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(path)]
    subprocess.run(mount, check=True)
    try:
        yield path
    finally:
        unmount = ["umount", str(path)]
        subprocess.run(unmount, check=True)


def fill(disk: Path) -> Path:
    """A file that takes all room there is."""
    ballast = disk / "ballast"
    ballast.write_bytes(bytes(shutil.disk_usage(disk).free))
    assert shutil.disk_usage(disk).free == 0
    return ballast


def remounted(disk: Path, how: str) -> bool:
    """Whether the disk could be made read-only (`ro`) or writable (`rw`): not while it is used."""
    command = ["mount", "-o", f"remount,{how}", str(disk)]
    return subprocess.run(command, check=False, capture_output=True).returncode == 0
