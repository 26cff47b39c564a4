"""Segments as the files of one directory."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL, c_int64
from pathlib import Path

from sequence.errors import SegmentShort
from sequence.store.store import CHUNK_BYTES, LABEL, Segments, Store
from sequence.text.layout import SEGMENT_SUFFIX
from sequence.text.span import Span

_sync_file_range = getattr(CDLL(None), "sync_file_range", None)
SYNC_FILE_RANGE_WRITE = 2


class SegmentDirectory(Store):
    """A store in a directory of this host."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._label = path / LABEL

    def __str__(self) -> str:
        return str(self.path)

    def label(self) -> str | None:
        """What `set_label` was given when it was new; None where it is still empty."""
        try:
            return self._label.read_text()
        except FileNotFoundError:
            return None

    def set_label(self, label: str) -> str:
        """Labels the store unless it is labelled; returns the label that it has."""
        kept = self.label()
        if kept is not None:
            return kept
        with self.sole_builder(self._label.name):
            if self.label() is None:
                self.publish(self._label.name, [label.encode()])
            return self._label.read_text()

    def read(self, name: str, span: Span) -> Iterator[bytes]:
        """The bytes of the span of a segment, in chunks.

        Raises FileNotFoundError where there is no such segment, and SegmentShort where it ends
        before the span does.
        """
        with (self.path / name).open("rb", buffering=0) as file:
            position = span.start
            while position < span.stop:
                wanted = min(CHUNK_BYTES, span.stop - position)
                chunk = os.pread(file.fileno(), wanted, position)
                if not chunk:
                    raise SegmentShort(name, span.stop, position)
                position += len(chunk)
                yield chunk

    def names(self) -> list[str]:
        """The names of all segments, without those that are being made."""
        beside = (".lock", ".part")
        files = (path.name for path in self.path.glob("*"))
        return [name for name in files if name != self._label.name and not name.endswith(beside)]

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

        Call it as the segment's sole builder. Whatever is raised on the way leaves nothing behind.
        """
        part = self._beside(name, ".part")
        try:
            with part.open("wb") as file:
                for piece in pieces:
                    begin = file.tell()
                    file.write(piece)
                    _start_writing(file.fileno(), Span(begin, file.tell()))
                file.flush()
                # Never tried again: after a failed fsync the kernel counts the pages as written.
                os.fsync(file.fileno())
                length = file.tell()
            part.rename(self.path / name)
            self._sync_names()
            return length
        except BaseException:
            part.unlink(missing_ok=True)
            # Where its name may not be on the disk.
            self.remove(name)
            raise

    def length(self, name: str) -> int | None:
        """How many bytes a segment has; None where there is none of that name."""
        try:
            return (self.path / name).stat().st_size
        except FileNotFoundError:
            return None

    def remove(self, name: str) -> None:
        """Removes a segment, where it is there. Call it as the segment's sole builder."""
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def sole_builder(self, name: str) -> Iterator[None]:
        """Makes the caller the only builder of the segment on this host; waits for another one.

        The kernel drops the lock of a process that dies.
        """
        self.path.mkdir(exist_ok=True)
        with self._locked(name, fcntl.LOCK_EX):
            yield

    def abandoned(self) -> Iterator[str]:
        """The names of the segments whose builders died, each while the caller is its builder.

        What they had written and not published is removed; those at work are let be.
        """
        beside = [*self.path.glob("*.lock"), *self.path.glob("*.part")]
        for name in sorted({path.stem for path in beside}):
            with suppress(OSError), self._locked(name, fcntl.LOCK_EX | fcntl.LOCK_NB):
                self._beside(name, ".part").unlink(missing_ok=True)
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
        return self._beside(name, ".lock").exists()

    @contextmanager
    def _locked(self, name: str, how: int) -> Iterator[None]:
        path = self._beside(name, ".lock")
        while True:
            with path.open("w") as lock:
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

    def _sync_names(self) -> None:
        directory = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(directory)
        finally:
            os.close(directory)


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
