"""Segments as the files of one directory.

Only regular files of the store's own names are opened, and never through a link: a FIFO would keep
its reader waiting for ever, and what a link points to is not the store's to overwrite.
"""

import fcntl
import os
import stat
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL, c_int64
from functools import partial
from pathlib import Path
from typing import IO

from sequence.errors import NotSegmentFile, NotStoreDirectory, SegmentShort
from sequence.store.opened import SegmentFile, opened
from sequence.store.store import (
    CHUNK_BYTES,
    LABEL,
    LABEL_BYTES,
    NO_SEGMENTS,
    Segments,
    Store,
    is_segment_name,
    made_beside,
    read_label,
)
from sequence.text.layout import SEGMENT_SUFFIX
from sequence.text.span import Span

_sync_file_range = getattr(CDLL(None), "sync_file_range", None)
SYNC_FILE_RANGE_WRITE = 2


class SegmentDirectory(Store):
    """A store in a directory of this host."""

    def __init__(self, path: Path, is_own: Callable[[str], bool] = is_segment_name) -> None:
        self.path, self.is_own = path, is_own

    def __str__(self) -> str:
        return str(self.path)

    def assert_usable(self) -> None:
        """Raise NotStoreDirectory if there is something in its place that is no directory.

        A link to a directory is the operator's choice.
        """
        try:
            os.scandir(self.path).close()
        except (FileNotFoundError, NotADirectoryError) as error:
            if self.path.is_symlink():
                what = f"is a link to {self.path.readlink()}, which is no directory"
                remedy = "mount its disk or remove the link"
                raise NotStoreDirectory(str(self.path), what, remedy) from None
            if isinstance(error, NotADirectoryError):
                what = f"is {_kind(self.path.stat().st_mode)}"
                raise NotStoreDirectory(str(self.path), what, "move it away") from None
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
            remedy = "make it readable for the user of the service"
            raise NotStoreDirectory(str(self.path), what, remedy) from None

    def label(self) -> str | None:
        """Return what the store says of its layout, or None if it says nothing readable."""
        with suppress(OSError), _opened(self.path / LABEL, os.O_RDONLY) as file:
            return read_label(file.read(LABEL_BYTES))
        return None

    def set_label(self, label: str, instead_of: str | None = None) -> str:
        """Label the store if its label is `instead_of`; return the label that it has then."""
        if self.label() == instead_of:
            with self.sole_builder(LABEL):
                if self.label() == instead_of:
                    self.publish(LABEL, [label.encode()])
        return self.label() or label

    def read(self, name: str, span: Span) -> Iterator[bytes]:
        """The bytes of the span of a segment, in chunks.

        Raises FileNotFoundError where there is no such segment, and SegmentShort where it ends
        before the span does.
        """
        with self.opened(name) as file:
            position = span.start
            while position < span.stop:
                wanted = min(CHUNK_BYTES, span.stop - position)
                chunk = os.pread(file.fileno(), wanted, position)
                if not chunk:
                    raise SegmentShort(name, span.stop, position)
                position += len(chunk)
                yield chunk

    def file(self, name: str, length_bytes: int) -> SegmentFile:
        """Return a segment of that length, open; raises what opening it does."""
        return opened(f"{self.path}/{name}", length_bytes, partial(self.opened, name))

    def opened(self, name: str) -> IO[bytes]:
        """Open a segment to read it; raises NotSegmentFile if it is no regular file."""
        return _opened(self.path / name, os.O_RDONLY)

    def all_names(self) -> list[str]:
        """Return all names in the directory; none if it is missing."""
        try:
            return [path.name for path in self.path.iterdir()]
        except FileNotFoundError:
            return []

    def lengths(self) -> dict[str, int]:
        """Return the length in bytes of each plain segment by its name: of regular files only."""
        found = {}
        # A directory that is missing has none, and a file may go while it is looked at.
        with suppress(FileNotFoundError), os.scandir(self.path) as files:
            for file in files:
                with suppress(FileNotFoundError):
                    if file.name.endswith(SEGMENT_SUFFIX) and file.is_file(follow_symlinks=False):
                        found[file.name] = file.stat(follow_symlinks=False).st_size
        return found

    def publish(self, name: str, pieces: Iterable[bytes | memoryview]) -> int:
        """The length in bytes of the pieces, which are now on the disk, one after another.

        Call it as the segment's sole builder. It takes the place of what has its name, at once and
        when it is durable. Whatever is raised on the way leaves nothing new behind.
        """
        part, path = self._beside(name, ".part"), self.path / name
        # Removed and not written over: it may be a link to somebody's file.
        _remove(part)
        if _is_irregular(path):
            _remove(path)
        renamed = False
        try:
            with _opened(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
                for piece in pieces:
                    begin = file.tell()
                    file.write(piece)
                    _start_writing(file.fileno(), Span(begin, file.tell()))
                file.flush()
                # Never tried again: after a failed fsync the kernel counts the pages as written.
                os.fsync(file.fileno())
                length = file.tell()
            part.rename(path)
            renamed = True
            self.sync()
            return length
        except BaseException:
            part.unlink(missing_ok=True)
            if renamed:  # and its name may not be on the disk
                self.remove(name)
            raise

    def length(self, name: str) -> int | None:
        """Return how many bytes a segment has; None if there is no regular file of that name."""
        try:
            found = (self.path / name).lstat()
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def remove(self, name: str) -> None:
        """Remove a segment if it is there, durably after the next `sync`.

        Call it as the segment's sole builder. Raises NotSegmentFile if it is a directory that is
        not empty.
        """
        _remove(self.path / name)

    def sync(self) -> None:
        """Make durable which names there are."""
        _sync_names(self.path)

    @contextmanager
    def sole_builder(self, name: str) -> Iterator[None]:
        """Makes the caller the only builder of the segment on this host; waits for another one.

        The kernel drops the lock of a process that dies.
        """
        if not self.path.exists():
            self.path.mkdir(exist_ok=True)
            # Else a power cut may take it, with all that was synced in it.
            _sync_names(self.path.parent)
        with self._locked(name, fcntl.LOCK_EX):
            yield

    def abandoned(self) -> Iterator[str]:
        """The names of the segments whose builders died, each while the caller is its builder.

        What they had written and not published is removed; those at work are let be.
        """
        for name in sorted({made for name in self.all_names() if (made := made_beside(name))}):
            if self.is_own(name) or name in NO_SEGMENTS:
                with suppress(OSError), self._locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                    _remove(self._beside(name, ".part"))
                    yield name

    @property
    def near(self) -> Segments:
        """All of it."""
        return self

    def is_far(self, name: str) -> bool:
        """Never: what is stored is here."""
        return False

    def lacks_copy(self, name: str) -> bool:
        """Never: what is stored is here."""
        return False

    def copies(self, name: str) -> list[Segments]:
        """The only one."""
        return [self]

    def is_being_made(self, name: str) -> bool:
        """Whether there is a builder of the segment, at work or dead."""
        return os.path.lexists(self._beside(name, ".lock"))

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        path = self._beside(name, ".lock")
        self._make_way(path)
        while True:
            with _opened(path, os.O_WRONLY | os.O_CREAT) as lock:
                fcntl.flock(lock, how)
                if not _is_at(path, lock.fileno()):
                    continue  # the builder before removed the file that this one has locked
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return

    def _beside(self, name: str, suffix: str) -> Path:
        return self.path / (name + suffix)

    def _make_way(self, path: Path) -> None:
        """Remove what is in the place of a lock and can be none.

        One at a time: of two that see a link, the second would remove the lock of the first.
        """
        if _is_irregular(path):
            with _descriptor(self.path, os.O_RDONLY | os.O_DIRECTORY) as directory:
                fcntl.flock(directory, fcntl.LOCK_EX)
                if _is_irregular(path):
                    _remove(path)


@contextmanager
def _descriptor(path: Path, flags: int) -> Iterator[int]:
    descriptor = os.open(path, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _sync_names(path: Path) -> None:
    with _descriptor(path, os.O_RDONLY | os.O_DIRECTORY) as directory:
        os.fsync(directory)


def _opened(path: Path, flags: int) -> IO[bytes]:
    """Open a regular file; raises NotSegmentFile if it is anything else, and waits for nobody."""
    try:
        descriptor = os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o666)
    except OSError:
        if _is_irregular(path):
            raise NotSegmentFile(str(path), _kind(path.lstat().st_mode)) from None
        raise
    mode = os.fstat(descriptor).st_mode
    if not stat.S_ISREG(mode):
        os.close(descriptor)
        raise NotSegmentFile(str(path), _kind(mode))
    return os.fdopen(descriptor, "wb") if flags & os.O_WRONLY else os.fdopen(descriptor, "rb", 0)


def _is_irregular(path: Path) -> bool:
    """Whether there is something of that name that is no regular file."""
    try:
        return not stat.S_ISREG(path.lstat().st_mode)
    except FileNotFoundError:
        return False


def _kind(mode: int) -> str:
    """Say what a file of that mode is."""
    if stat.S_ISDIR(mode) or stat.S_ISREG(mode):
        return "a directory" if stat.S_ISDIR(mode) else "a file"
    return "a symbolic link" if stat.S_ISLNK(mode) else "a FIFO, socket or device"


def _remove(path: Path) -> None:
    """Remove what has the name, if it is there: a link itself, a directory if it is empty."""
    try:
        path.unlink(missing_ok=True)
    except IsADirectoryError:
        try:
            path.rmdir()
        except OSError:
            raise NotSegmentFile(str(path), "a directory that is not empty") from None


def _start_writing(descriptor: int, span: Span) -> None:
    """Has the disk begin with the span while the next one is computed; promises nothing.

    Linux's sync_file_range(2); elsewhere all is left to fsync.
    """
    if _sync_file_range:
        _sync_file_range(
            descriptor, c_int64(span.start), c_int64(span.length), SYNC_FILE_RANGE_WRITE
        )


def _is_at(path: Path, descriptor: int) -> bool:
    """Whether the open file is still the one at the path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False
