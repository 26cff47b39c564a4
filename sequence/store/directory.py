"""Segments as the files of one directory."""

import fcntl
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL, c_int64
from pathlib import Path

from sequence.errors import SegmentShort
from sequence.store.checksum import BLOCK_BYTES, checked
from sequence.text.span import Span

_sync_file_range = getattr(CDLL(None), "sync_file_range", None)
SYNC_FILE_RANGE_WRITE = 2

CHUNK_BYTES = 2 * BLOCK_BYTES
"""How much is read at a time: benchmarks/warm_stream.py compares lengths."""


class SegmentDirectory:
    """A store whose segments appear whole and durable, or not at all, and never change."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._label = path / "layout.json"

    def label(self) -> str | None:
        """What `set_label` was given when the store was new; None where it is still empty."""
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

    def read_checked(self, name: str, span: Span, checksums: bytes | memoryview) -> Iterator[bytes]:
        """`read`, for a span of whole blocks, each given only when it is right.

        Raises BlockMismatch, and what `read` does.
        """
        return checked(name, self.read(name, span), span.start, checksums)

    def part(self, name: str, span: Span) -> bytes:
        """Those bytes of the span of a segment that there are and that can be read."""
        found = []
        with suppress(OSError, SegmentShort):
            for chunk in self.read(name, span):
                found.append(chunk)
        return b"".join(found)

    def names(self) -> list[str]:
        """The names of all segments, without those that are being made."""
        beside = (".lock", ".part")
        files = (path.name for path in self.path.glob("*"))
        return [name for name in files if name != self._label.name and not name.endswith(beside)]

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
        path = self._beside(name, ".lock")
        while True:
            with path.open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                if not _is_at(path, lock.fileno()):
                    continue  # the builder before removed the file that this one has locked
                try:
                    yield
                finally:
                    path.unlink(missing_ok=True)
                return

    def sweep(self) -> None:
        """Removes what builders left behind that died; those at work are let be."""
        for path in self.path.glob("*.lock"):
            with suppress(OSError), path.open("r+") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if _is_at(path, lock.fileno()):
                    self._beside(path.stem, ".part").unlink(missing_ok=True)
                    path.unlink(missing_ok=True)

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
