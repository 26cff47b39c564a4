"""The segment files that a process has open, for all its readers, and when each block was checked.

A block that was checked a moment ago is not read again before it is sent, as long as nothing about
its file has changed since.
"""

import os
from array import array
from collections.abc import Callable
from errno import ESTALE
from threading import Lock
from time import monotonic, time_ns
from typing import IO

from sequence.errors import SegmentShort
from sequence.store.checksum import BLOCK_BYTES, blocks_around, verify
from sequence.text.pool import Pool
from sequence.text.span import Span

TRUSTED_S = 10.0
"""How long a check holds. Damage of the disk shows when a block is read from there again."""

SETTLED_NS = 2_000_000_000
"""How old the last change of a file must be for a check to be remembered. Two changes within a tick
of the file system's clock leave the same time: of 4 ms on Linux's own, of two seconds on FAT."""

MAX_OPEN = 64
"""How many files are kept open that nobody reads at the moment, for who asks next."""

Identity = tuple[int, int, int, int, int]


class SegmentFile:
    """A segment that is open, as it was then, and when its blocks were checked."""

    def __init__(self, name: str, file: IO[bytes], length_bytes: int) -> None:
        self.name, self.length_bytes = name, length_bytes
        self._file = file
        self.identity = _identity(os.fstat(file.fileno()))
        self.used_at = monotonic()
        # Streams of the same text are often at the same place: one checks it for all.
        self._checking = Lock()
        # 2 KiB for a segment of 64 MiB.
        self._checked_at = array("d", [float("-inf")]) * -(-length_bytes // BLOCK_BYTES)

    def __del__(self) -> None:
        self._file.close()

    def fileno(self) -> int:
        """Return its descriptor."""
        return self._file.fileno()

    def is_settled(self) -> bool:
        """Whether each change from now on will show in its times."""
        return time_ns() - max(self.identity[3:]) > SETTLED_NS

    def check(self, span: Span, checksums: bytes | memoryview) -> int:
        """Read those blocks of the span that were not checked a moment ago; return how many.

        Raises BlockMismatch, SegmentShort and OSError; the last also if the file has changed since
        it was opened.
        """
        unchecked = self._unchecked(span)
        if unchecked:
            with self._checking, _blocks.borrowed() as room:
                unchecked = self._unchecked(span)
                for number in unchecked:
                    block = Span(number * BLOCK_BYTES, (number + 1) * BLOCK_BYTES)
                    block = block.within(Span(0, self.length_bytes))
                    found = room[: os.preadv(self.fileno(), [room[: block.length]], block.start)]
                    self._verify(found, block, checksums)
        if not self._is_unchanged():
            raise OSError(ESTALE, "The file has changed", self.name)
        return len(unchecked)

    def read(self, span: Span, checksums: bytes | memoryview) -> tuple[bytes, int]:
        """Return the right bytes of a short span, and how many blocks were read and checked for it.

        Raises what `check` does.
        """
        if self.is_settled() and not self._unchecked(span):
            found = os.pread(self.fileno(), span.length, span.start)
            # Asked afterwards: a change between the check and now is then none of these bytes'.
            if len(found) == span.length and self._is_unchanged():
                return found, 0
        blocks = blocks_around(span, self.length_bytes)
        found = os.pread(self.fileno(), blocks.length, blocks.start)
        self._verify(found, blocks, checksums)
        return found[slice(*span.less(blocks.start))], len(_numbers(blocks))

    def _is_unchanged(self) -> bool:
        return _identity(os.fstat(self.fileno())) == self.identity

    def _unchecked(self, span: Span) -> list[int]:
        since = monotonic() - TRUSTED_S
        return [number for number in _numbers(span) if self._checked_at[number] < since]

    def _verify(
        self, found: bytes | memoryview, blocks: Span, checksums: bytes | memoryview
    ) -> None:
        """Raise what is wrong with what was found of the blocks; note the time if nothing is."""
        # A check that began earlier would be as good; one that is said to be later would not.
        now = monotonic() if self.is_settled() else float("-inf")
        if len(found) < blocks.length:
            raise SegmentShort(self.name, blocks.stop, blocks.start + len(found))
        verify(self.name, found, blocks.start, checksums)
        for number in _numbers(blocks):
            self._checked_at[number] = now


def _identity(status: os.stat_result) -> Identity:
    """Return what changes if the file of a name becomes another one, or is written to."""
    return (
        *(status.st_dev, status.st_ino, status.st_size),
        *(status.st_mtime_ns, status.st_ctime_ns),
    )


def _numbers(span: Span) -> range:
    """Return the numbers of the blocks that the span touches."""
    return range(span.start // BLOCK_BYTES, -(-span.stop // BLOCK_BYTES))


_blocks = Pool(lambda: memoryview(bytearray(BLOCK_BYTES)))

_files: dict[str, SegmentFile] = {}
_changing = Lock()


def open_shared(path: str, length_bytes: int, open_now: Callable[[], IO[bytes]]) -> SegmentFile:
    """Return the file of that name as it is now: the one that is open, or one that is opened.

    It is closed when nobody has it any more, here or in a stream. Raises what `open_now` does.
    """
    file = _files.get(path)
    if file and file.length_bytes == length_bytes and _is_at(path, file):
        file.used_at = monotonic()
        return file
    with _changing:
        _files.pop(path, None)
    file = SegmentFile(path.rpartition("/")[2], open_now(), length_bytes)
    with _changing:
        _files[path] = file
        if len(_files) > MAX_OPEN:
            del _files[min(_files, key=lambda each: _files[each].used_at)]
    return file


def _is_at(path: str, file: SegmentFile) -> bool:
    try:
        return _identity(os.lstat(path)) == file.identity
    except OSError:
        return False


def close_unused() -> None:
    """Close the files that nobody has asked for since their last check would hold.

    So the disk has back what was deleted.
    """
    before = monotonic() - TRUSTED_S
    with _changing:
        for path in [path for path, file in _files.items() if file.used_at < before]:
            del _files[path]
