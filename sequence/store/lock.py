"""Locks between the processes of a host: flock(2), which the kernel releases if its holder dies."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sequence.errors import NotSegmentFile
from sequence.store.regular import is_irregular, open_directory, open_regular, remove


@contextmanager
def exclusive(path: Path, wait: bool = True) -> Iterator[IO[bytes]]:
    """Hold the lock file at the path, which is created and removed; wait for another holder.

    Yields the file, in which the holder may write what others `read_if_held`.
    Anything there that is no regular file is removed. Raises BlockingIOError if it is held and
    `wait` is false, NotSegmentFile if a directory that is not empty is in its place.
    """
    _clear(path)
    while True:
        with open_regular(path, os.O_RDWR | os.O_CREAT) as file:
            fcntl.flock(file, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
            if not _is_at(path, file.fileno()):
                continue  # the holder before removed the file that this one has locked
            try:
                yield file
            finally:
                path.unlink(missing_ok=True)
            return


def read_if_held(path: Path, length_bytes: int) -> bytes | None:
    """Return what the holder of the lock file has written in it; None if nobody holds it.

    A holder that died left its file behind, and holds it no more.
    """
    try:
        with open_regular(path, os.O_RDONLY) as file:
            found = os.pread(file.fileno(), length_bytes, 0)
            # Shared, so that two who look do not take each other for a holder.
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return found
    except (FileNotFoundError, NotSegmentFile):
        pass
    return None


@contextmanager
def exclusive_directory(path: Path) -> Iterator[None]:
    """Hold the lock of a directory itself, which takes no file; wait for another holder."""
    with open_directory(path) as directory:
        fcntl.flock(directory, fcntl.LOCK_EX)
        yield


def _clear(path: Path) -> None:
    """Remove what is in the place of a lock and can be none.

    One at a time: of two that see a link, the second would remove the lock of the first.
    """
    if is_irregular(path):
        with exclusive_directory(path.parent):
            if is_irregular(path):
                remove(path)


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
