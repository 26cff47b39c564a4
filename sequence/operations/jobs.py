"""Jobs that operators start in the admin: in the background, one at a time on a host.

A job has an entry in the admin's log, which says who started it, when and, at its end, what came of
it. How far it is stands in the file that it holds locked: every process of the host can read that,
and the kernel releases the lock of a process that dies, so that a job that was cut off cannot look
as if it ran.
"""

import logging
import os
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future
from contextlib import suppress
from functools import partial
from math import ceil
from pathlib import Path
from typing import NamedTuple, TypeVar

from django.contrib.admin.models import LogEntry
from django.contrib.messages.constants import ERROR
from django.db import DatabaseError, connections
from django.utils.timezone import now

from sequence import conf
from sequence.accounts import database, history
from sequence.background import Background
from sequence.errors import FiboError
from sequence.index.failures import sentence
from sequence.store.lock import exclusive, read_if_held

log = logging.getLogger(__name__)

Item = TypeVar("Item")

MAX_NOTED = 100
"""How many segments a job writes entries about: of a disk that is gone, all are wrong."""

_FILE_BYTES = 64
"""The length of the file: numbers in ASCII, and at the end whether to stop."""
_GO_ON, _STOP = b".", b"!"

running = Background(1, "job")


class Outcome(NamedTuple):
    """What came of a job."""

    level: int
    """Of django.contrib.messages."""
    sentence: str


class Progress(NamedTuple):
    """How far the job is that runs on this host."""

    entry_id: int
    """Of its entry in the log."""
    done: int
    """How many segments it is done with, of how many."""
    total: int
    is_stopping: bool
    """Whether it was asked to stop."""


class Run:
    """A job that runs: where it notes how far it is, what it finds, and learns that it is to stop.

    For the one thread that does the job.
    """

    def __init__(self, descriptor: int, entry: LogEntry) -> None:
        self._file, self._entry = descriptor, entry
        self._noted = 0
        self.is_stopped = False
        os.pwrite(descriptor, self._numbers(0, 0).ljust(_FILE_BYTES - 1) + _GO_ON, 0)

    def counted(self, items: Iterable[Item], total: int) -> Iterator[Item]:
        """Yield the items, of so many, until the job is to stop; tell when each is done."""
        self._tell(0, total)
        for done, item in enumerate(items, 1):
            yield item
            self._tell(done, total)
            if done < total and self._is_to_stop():
                self.is_stopped = True
                return

    def note(self, level: int, what: str, sentence: str, number: object) -> None:
        """Write an entry about a segment, or another file, into the log."""
        if self._noted < MAX_NOTED:
            history.write(self._entry.user_id, what, level, sentence, number)
        self._noted += 1

    def _tell(self, done: int, total: int) -> None:
        # Of constant width: who reads while it is written sees at worst a wrong digit.
        os.pwrite(self._file, self._numbers(done, total), 0)

    def _numbers(self, done: int, total: int) -> bytes:
        return b"%018d %018d %018d" % (self._entry.pk, done, total)

    def _is_to_stop(self) -> bool:
        return running.stopped or os.pread(self._file, 1, _FILE_BYTES - 1) == _STOP


def submit(
    user_id: int, what: str, sentence: str, work: Callable[[Run], Outcome]
) -> Future[Outcome | None]:
    """Have the work done after any that runs; the sentence says what it is as long as it runs.

    The future has None if no thread can be started, and raises OSError and DatabaseError if nothing
    can be written about the job.
    """
    return running.submit(what + sentence, partial(_do, user_id, what, sentence, work))


def progress() -> Progress | None:
    """Return how far the job is that runs on this host; None if none does."""
    found = read_if_held(_path(), _FILE_BYTES)
    # A job that has just begun has not written yet.
    if found is None or len(found) < _FILE_BYTES:
        return None
    entry_id, done, total = map(int, found[:-1].split())
    return Progress(entry_id, done, total, found.endswith(_STOP))


def latest() -> tuple[LogEntry | None, Progress | None]:
    """Return the entry of the job that runs on this host, or that was started last, and how far.

    If it has no end and does not run, it was cut off, or is another host's.
    """
    for _ in range(2):  # it may begin or end between the two questions
        found = progress()
        entry = history.job(found.entry_id) if found else history.latest_job()
        if found or entry is None or entry.action_flag != history.UNFINISHED:
            break
    return entry, found


def left(entry: LogEntry, progress: Progress) -> str:
    """Return how long the job still takes if it goes on as fast as until now; "" if unknown."""
    if not progress.done:
        return ""
    elapsed_s = (now() - entry.action_time).total_seconds()
    left_s = elapsed_s / progress.done * (progress.total - progress.done)
    for unit, length_s in (("h", 3600), ("min", 60)):
        if left_s >= 2 * length_s:
            return f"{round(left_s / length_s)} {unit}"
    return f"{ceil(left_s)} s"


def stop() -> None:
    """Have the job that runs on this host stop after what it is at, whichever process does it."""
    with suppress(FileNotFoundError):  # it ends just now
        descriptor = os.open(_path(), os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            if progress():
                os.pwrite(descriptor, _STOP, _FILE_BYTES - 1)
        finally:
            os.close(descriptor)


def _path() -> Path:
    return conf.data_dir() / "job.lock"


def _do(user_id: int, what: str, sentence: str, work: Callable[[Run], Outcome]) -> Outcome:
    try:
        with exclusive(_path()) as file:
            # What a job that was cut off has left is none of this one's.
            os.ftruncate(file.fileno(), 0)
            entry = history.write(user_id, what, history.UNFINISHED, sentence)
            outcome = _outcome(work, Run(file.fileno(), entry))
            # While it is locked: an entry without an end and without a lock is of one cut off.
            history.end(entry, *outcome)
            return outcome
    except (FiboError, OSError, DatabaseError) as error:
        log.error("A job cannot be noted: %s", error)
        raise
    finally:
        connections[database.alias()].close()


def _outcome(work: Callable[[Run], Outcome], run: Run) -> Outcome:
    try:
        return work(run)
    except (FiboError, OSError, DatabaseError) as error:
        return Outcome(ERROR, sentence(error))
    except Exception:
        log.exception("A job has failed.")
        return Outcome(ERROR, "It failed; the log of the service says why.")
