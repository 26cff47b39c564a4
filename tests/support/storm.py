"""Faults of a server and of all that it stands on, at random, by a seed."""

import os
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from random import Random
from time import monotonic, sleep
from typing import NamedTuple

import psutil

from tests.support.faults import fill, remounted
from tests.support.index_faults import FAULTS as INDEX_FAULTS
from tests.support.servers import Server


class SmallServer(Server):
    """A server whose /dev/shm is small and its own, so that it can be filled."""

    def __init__(self, data_dir: Path, **variables: str) -> None:
        super().__init__(
            data_dir,
            *("unshare", "--mount", "sh", "-c"),
            'mount -t tmpfs -o size=8m tmpfs /dev/shm && exec "$@"',
            "sh",
            **variables,
        )

    def kill(self) -> None:
        """Ends it and its workers, if it is still there."""
        for process in [*self.workers, psutil.Process(self.process.pid)] if self.running else []:
            process.kill()
        self.process.wait(10)

    @property
    def running(self) -> bool:
        """Whether the master is there."""
        return self.process.poll() is None

    @property
    def shared_memory(self) -> Path:
        """Its /dev/shm, seen from here."""
        return Path(f"/proc/{self.process.pid}/root/dev/shm")

    @property
    def workers(self) -> list[psutil.Process]:
        """Its workers, as far as they are there at the moment."""
        return psutil.Process(self.process.pid).children()


class Happened(NamedTuple):
    """A fault that was injected."""

    name: str
    began: float
    ended: float


def a_segment(storm: "Storm") -> Path:
    """A segment that is a file still; raises IndexError if there is none."""
    paths = sorted((storm.data_dir / "segments").glob("*.txt"))
    return storm.rng.choice([p for p in paths if p.is_file() and not p.is_symlink()])


def replaced(make: Callable[[Path], object]) -> Callable[["Storm"], None]:
    """The fault that something else is in the place of a segment."""

    def act(storm: "Storm") -> None:
        path = a_segment(storm)
        path.unlink()
        make(path)

    return act


def flipped(path: Path, rng: Random) -> None:
    """Flips a bit of the file, in place."""
    with path.open("r+b") as file:
        at = rng.randrange(max(1, path.stat().st_size))
        file.seek(at)
        byte = file.read(1)
        file.seek(at)
        file.write(bytes([byte[0] ^ 1 << rng.randrange(8)]) if byte else b"x")


def damaged(storm: "Storm", change: Callable[[bytes], bytes]) -> None:
    """Puts a changed copy of a segment in its place.

    The disk here is memory: what is written in place would change on its way to a client
    (docs/operations.md). The drills of bit rot and of streams damage files on a disk, in place.
    """
    path, copy = a_segment(storm), storm.data_dir / "damaged"
    try:
        copy.write_bytes(change(path.read_bytes()))
        copy.replace(path)
    finally:
        copy.unlink(missing_ok=True)


def rotted(storm: "Storm") -> None:
    """Flips a bit of a segment."""

    def change(found: bytes) -> bytes:
        at = storm.rng.randrange(len(found) + 1)
        byte = bytes([found[at] ^ 1 << storm.rng.randrange(8)]) if at < len(found) else b"x"
        return found[:at] + byte + found[at + 1 :]

    damaged(storm, change)


def cut(storm: "Storm") -> None:
    """Cuts a segment."""
    damaged(storm, lambda found: found[: storm.rng.randrange(len(found) + 1)])


def littered(suffix: str, make: Callable[[Path, "Storm"], object]) -> Callable[["Storm"], None]:
    """The fault that something is in the place of what builders write or lock."""

    def act(storm: "Storm") -> None:
        segment = a_segment(storm)
        path = segment.with_name(segment.name + suffix)
        # What the storm has put there before would be followed, if it is a link.
        path.unlink(missing_ok=True)
        make(path, storm)

    return act


def garbled_label(storm: "Storm") -> None:
    """Writes something else into the store's label."""
    path = storm.data_dir / "segments" / "layout.json"
    path.write_bytes(storm.rng.choice((b"", b"{", b"\xff\0", b'{"version": 7}')))


def strange_name(storm: "Storm") -> None:
    """Puts a file in among the segments that is none of them."""
    names = (b"\xff\xfe.txt", b"999999999999999999.txt", b"-1.txt", b"00000001.txt~", b"a\nb")
    directory = os.fsencode(storm.data_dir / "segments")
    path = Path(os.fsdecode(directory + b"/" + storm.rng.choice(names)))
    # What the storm has put there before may be a FIFO, which nobody reads.
    path.unlink(missing_ok=True)
    path.write_bytes(b"1 2 3")


def of_the_index(fault: Callable[[Path], None]) -> Callable[["Storm"], None]:
    """A fault of the index's file."""
    return lambda storm: fault(storm.data_dir / "index.sqlite3")


def old_index(storm: "Storm") -> None:
    """Puts an old copy of the index over it, in place."""
    (storm.data_dir / "index.sqlite3").write_bytes(storm.old_index)


def full_disk(storm: "Storm") -> None:
    """Fills the disk for a while."""
    try:
        with suppress(AssertionError, OSError):  # somebody took room, or gave it, at that moment
            fill(storm.data_dir)
        storm.for_a_while()
    finally:
        (storm.data_dir / "ballast").unlink()


def read_only_disk(storm: "Storm") -> None:
    """Makes the disk read-only for a while, if nobody is about to write."""
    done = remounted(storm.data_dir, "ro")
    storm.for_a_while()
    assert remounted(storm.data_dir, "rw")
    if not done:
        raise OSError("somebody writes")


def signalled(number: signal.Signals) -> Callable[["Storm"], None]:
    """The fault that one of the workers gets a signal."""
    return lambda storm: storm.a_worker().send_signal(number)


def reloaded(storm: "Storm") -> None:
    """Has the master replace all workers."""
    storm.server.process.send_signal(signal.SIGHUP)
    sleep(1)


def stopped(storm: "Storm") -> None:
    """Stops a worker for a while."""
    worker = storm.a_worker()
    worker.suspend()
    storm.for_a_while()
    worker.resume()


def limited(which: int, above: Callable[[psutil.Process], int]) -> Callable[["Storm"], None]:
    """The fault that a worker may have hardly more of something than it has, for a while."""

    def act(storm: "Storm") -> None:
        worker = storm.a_worker()
        limits = worker.rlimit(which)
        worker.rlimit(which, (above(worker), limits[1]))
        storm.for_a_while()
        worker.rlimit(which, limits)

    return act


def full_shared_memory(storm: "Storm") -> None:
    """Fills /dev/shm for a while."""
    ballast = storm.server.shared_memory / "ballast"
    with suppress(OSError), ballast.open("wb", buffering=0) as file:
        while file.write(bytes(4096)):
            pass
    storm.for_a_while()
    ballast.unlink()


STORED: dict[str, Callable[["Storm"], None]] = {
    "a bit of a segment flips": rotted,
    "a segment is cut": cut,
    "a segment is deleted": lambda storm: a_segment(storm).unlink(),
    "a segment is a directory": replaced(Path.mkdir),
    "a segment is a FIFO": replaced(os.mkfifo),
    "a segment is a link to nothing": replaced(lambda path: path.symlink_to("gone")),
    "a segment is a link to a device": replaced(lambda path: path.symlink_to("/dev/zero")),
    "a .part is left behind": littered(".part", lambda path, _: path.write_bytes(b"1 1 2")),
    "a .part is a link": littered(".part", lambda path, storm: path.symlink_to(storm.precious)),
    "a .part is a directory": littered(".part", lambda path, _: path.mkdir()),
    "a .lock is left behind": littered(".lock", lambda path, _: path.touch()),
    "a .lock is a link": littered(".lock", lambda path, storm: path.symlink_to(storm.precious)),
    "a .lock is a FIFO": littered(".lock", lambda path, _: os.mkfifo(path)),
    "layout.json is garbage": garbled_label,
    "a strange name": strange_name,
    **{f"the index is {name}": of_the_index(fault) for name, fault in INDEX_FAULTS.items()},
    "a bit of the index flips": lambda storm: flipped(storm.data_dir / "index.sqlite3", storm.rng),
    "the index is an old copy": old_index,
}
"""Faults of what is stored."""

AROUND: dict[str, Callable[["Storm"], None]] = {
    "the disk is full": full_disk,
    "the disk is read-only": read_only_disk,
    "shared memory is full": full_shared_memory,
}
"""Faults of the machine that no connection is to notice."""

BREAKING: dict[str, Callable[["Storm"], None]] = {
    "a worker is killed": signalled(signal.SIGKILL),
    "a worker is ended": signalled(signal.SIGTERM),
    "the master reloads": reloaded,
    "a worker is stopped": stopped,
    "a worker has no descriptors": limited(
        psutil.RLIMIT_NOFILE, lambda worker: worker.num_fds() + 2
    ),
    "a worker has no memory": limited(
        psutil.RLIMIT_AS, lambda worker: worker.memory_info().vms + (8 << 20)
    ),
}
"""Faults at which connections may break, or be refused, as clients can see."""


class Storm:
    """Faults at random, by a seed, of a server and of its data directory."""

    def __init__(self, server: SmallServer, seed: int, precious: Path) -> None:
        self.server = server
        self.data_dir: Path = server.data_dir
        self.precious: Path = precious
        self.old_index = (self.data_dir / "index.sqlite3").read_bytes()
        self.seed = seed
        self._own = threading.local()
        self.happened: list[Happened] = []
        self.impossible: Counter[str] = Counter()
        self.errors: list[BaseException] = []

    @property
    def rng(self) -> Random:
        """The thread's."""
        rng: Random = self._own.rng
        return rng

    def a_worker(self) -> psutil.Process:
        """Any of the workers."""
        workers = self.server.workers
        if not workers:
            raise ProcessLookupError
        return self.rng.choice(workers)

    def for_a_while(self) -> None:
        """Lets a fault last."""
        sleep(self.rng.uniform(0.2, 2))

    @contextmanager
    def raging(self) -> Iterator[None]:
        """Injects faults during the block: of what is stored, and, beside those, of the rest."""
        ended = threading.Event()
        kinds = ((STORED, 0.3), (AROUND | BREAKING, 1.0))
        threads = [
            threading.Thread(target=self._rage, args=(ended, self.seed + number, *kind))
            for number, kind in enumerate(kinds)
        ]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            ended.set()
            for thread in threads:
                thread.join()
        if self.errors:
            raise self.errors[0]

    def _rage(
        self,
        ended: threading.Event,
        seed: int,
        faults: dict[str, Callable[["Storm"], None]],
        mean_s: float,
    ) -> None:
        self._own.rng = Random(seed)
        names: list[str] = []
        try:
            while not ended.wait(self.rng.expovariate(1 / mean_s)):
                # Each kind as often as any other.
                names = names or self.rng.sample(list(faults), len(faults))
                self._inject(name := names.pop(), faults[name])
        except BaseException as error:
            self.errors.append(error)
            raise

    def _inject(self, name: str, fault: Callable[["Storm"], None]) -> None:
        began = monotonic()
        try:
            fault(self)
        except (OSError, IndexError, sqlite3.Error, psutil.Error):
            self.impossible[name] += 1  # as another one is in its way
        else:
            self.happened.append(Happened(name, began, monotonic()))
