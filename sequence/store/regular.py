"""Regular files and nothing else: a FIFO would block its reader, and a link leads elsewhere."""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

from sequence.errors import NotSegmentFile


def open_regular(path: Path, flags: int) -> IO[bytes]:
    """Open a regular file without blocking; raises NotSegmentFile if it is anything else."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError:
        if is_irregular(path):
            raise NotSegmentFile(str(path), kind(path.lstat().st_mode)) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotSegmentFile(str(path), kind(mode))
    return os.fdopen(descriptor, "wb") if flags & os.O_WRONLY else os.fdopen(descriptor, "rb", 0)


def is_irregular(path: Path) -> bool:
    """Whether there is something of that name that is no regular file."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def kind(mode: int) -> str:
    """Say what a file of that mode is."""
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return "a directory" if stat.S_ISDIR(mode) else "a file"
    return "a symbolic link" if stat.S_ISLNK(mode) else "a FIFO, socket or device"


def remove(path: Path) -> None:
    """Remove what has the name, if it is there: a link itself, a directory if it is empty."""
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        try:
            path.rmdir()
        except OSError:
            raise NotSegmentFile(str(path), "a directory that is not empty") from None


@contextmanager
def open_directory(path: Path) -> Iterator[int]:
    """Open a directory; yield its descriptor."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def sync_names(directory: Path) -> None:
    """Make durable which names a directory has."""
    with open_directory(directory) as descriptor:
        os.fsync(descriptor)
