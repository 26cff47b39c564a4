"""Segments as the files of one directory.

Only regular files of the store's own names are opened, and never through a link: a FIFO would keep
its reader waiting for ever, and what a link points to is not the store's to overwrite.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from ctypes import CDLL, c_int64
from functools import partial
from pathlib import Path
from typing import IO

from sequence.errors import NotStoreDirectory, SegmentShort
from sequence.store.lock import exclusive
from sequence.store.opened import SegmentFile, open_shared
from sequence.store.regular import is_irregular, kind, open_regular, remove, sync_names
from sequence.store.store import (
    CHUNK_BYTES,
    LABEL,
    LABEL_BYTES,
    NO_SEGMENTS,
    IsOwn,
    Store,
    published_name,
    read_label,
)
from sequence.text.layout import SEGMENT_SUFFIX, is_segment_name
from sequence.text.span import Span

_sync_file_range = getattr(CDLL(None), "sync_file_range", None)
SYNC_FILE_RANGE_WRITE = 2


class SegmentDirectory(Store):
    """A store in a directory of this host."""

    def __init__(self, path: Path, is_own: IsOwn = is_segment_name) -> None:
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
                what = f"is {kind(self.path.stat().st_mode)}"
                raise NotStoreDirectory(str(self.path), what, "move it away") from None
        except OSError as error:
            what = f"cannot be read ({error.strerror})"
            remedy = "make it readable for the user of the service"
            raise NotStoreDirectory(str(self.path), what, remedy) from None

    def label(self) -> str | None:
        """Return what the store says of its layout, or None if it says nothing readable."""
        with suppress(OSError), self.opened(LABEL) as file:
            return read_label(file.read(LABEL_BYTES))
        return None

    def set_label(self, label: str, instead_of: str | None = None) -> str:
        """Label the store if its label is `instead_of`; return the label that it has then."""
        if self.label() == instead_of:
            with self.sole_builder(LABEL):
                if self.label() == instead_of:
                    self.publish(LABEL, [label.encode()])
        return self.label() or label

    def read(self, name: str, span: Span, patient: bool = True) -> Iterator[bytes]:
        """Yield the bytes of the span of a segment, in chunks.

        Raises FileNotFoundError if there is no such segment, and SegmentShort if it ends before
        the span does.
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
        """Return a segment of that length as an open file; raises what opening it does."""
        return open_shared(f"{self.path}/{name}", length_bytes, partial(self.opened, name))

    def opened(self, name: str) -> IO[bytes]:
        """Open a segment to read it; raises NotSegmentFile if it is no regular file."""
        return open_regular(self.path / name, os.O_RDONLY)

    def all_names(self) -> list[str]:
        """Return all names in the directory; none if it is missing."""
        try:
            return [path.name for path in self.path.iterdir()]
        except FileNotFoundError:
            return []

    def lengths(self) -> dict[str, int]:
        """Return the length in bytes of each plain segment by its name: of regular files only."""
        plain = (name for name in self.all_names() if name.endswith(SEGMENT_SUFFIX))
        return {name: found for name in plain if (found := self.length(name)) is not None}

    def publish(self, name: str, pieces: Iterable[bytes | memoryview]) -> int:
        """Write the pieces one after another, durably; return their length in bytes.

        Call it as the segment's sole builder. The file replaces what has its name, at once and
        when it is durable. Whatever is raised on the way leaves nothing new behind.
        """
        part, path = self._path(name, ".part"), self._path(name)
        # Removed and not written over: it may be a link to somebody's file.
        remove(part)
        if is_irregular(path):
            remove(path)
        renamed = False
        try:
            with open_regular(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL) as file:
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
            found = os.lstat(f"{self.path}/{name}")
        except FileNotFoundError:
            return None
        return found.st_size if stat.S_ISREG(found.st_mode) else None

    def remove(self, name: str) -> None:
        """Remove a segment if it is there, durably after the next `sync`.

        Call it as the segment's sole builder. Raises NotSegmentFile if it is a directory that is
        not empty.
        """
        remove(self._path(name))

    def sync(self) -> None:
        """Make durable which names there are."""
        sync_names(self.path)

    @contextmanager
    def sole_builder(self, name: str) -> Iterator[None]:
        """Make the caller the only builder of the segment on this host; wait for another one."""
        if not self.path.exists():
            self.path.mkdir(exist_ok=True)
            # Else a power cut may take it, with all that was synced in it.
            sync_names(self.path.parent)
        with exclusive(self._path(name, ".lock")):
            yield

    def abandoned(self) -> Iterator[str]:
        """Yield the names of segments whose builders died, each while the caller is its builder.

        What they had written and not published is removed; those at work are let be.
        """
        for name in sorted({made for name in self.all_names() if (made := published_name(name))}):
            if self.is_own(name) or name in NO_SEGMENTS:
                with suppress(OSError), exclusive(self._path(name, ".lock"), wait=False):
                    remove(self._path(name, ".part"))
                    yield name

    def is_being_built(self, name: str) -> bool:
        """Whether there is a builder of the segment, at work or dead."""
        return os.path.lexists(self._path(name, ".lock"))

    def _path(self, name: str, suffix: str = "") -> Path:
        return self.path / (name + suffix)


def _start_writing(descriptor: int, span: Span) -> None:
    """Have the disk begin with the span while the next one is computed; promises nothing.

    Linux's sync_file_range(2); elsewhere all is left to fsync.
    """
    if _sync_file_range:
        _sync_file_range(
            descriptor, c_int64(span.start), c_int64(span.length), SYNC_FILE_RANGE_WRITE
        )
