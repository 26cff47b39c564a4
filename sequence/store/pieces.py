"""What a body is made of: bytes, and spans of files that a server may have the kernel send."""

import os
from collections.abc import Iterable, Iterator
from typing import Any, Protocol

CHUNK_BYTES = 256 * 1024
"""How much of a span is given as bytes at once."""

MIN_PIECE_BYTES, MAX_PIECE_BYTES = 64 * 1024, 512 * 1024
GROWS_FROM_BYTES = 8 * 1024 * 1024
"""About as much as the kernel's buffers take for a client that takes nothing."""


def piece_bytes(before: int) -> int:
    """Return how long a piece is to be after so many bytes: a client that stalls holds one or two.

    Those that have taken much keep up, and longer pieces cost less.
    """
    doubled = (before // GROWS_FROM_BYTES).bit_length()
    return min(MIN_PIECE_BYTES << doubled, MAX_PIECE_BYTES)


class HasFileno(Protocol):
    """An open file."""

    def fileno(self) -> int:
        """Return its descriptor."""


class FileSpan:
    """The bytes [start, stop) of an open file; `start` moves on as they are sent.

    A span may wait for its client for long: whoever sends its bytes asks `is_right` before each.
    """

    __slots__ = ("file", "start", "stop")

    def __init__(self, file: HasFileno, start: int, stop: int) -> None:
        self.file, self.start, self.stop = file, start, stop

    def __len__(self) -> int:
        return self.stop - self.start

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self.file.fileno()

    def is_right(self, count: int) -> bool:  # noqa: ARG002
        """Whether the next `count` bytes are what was promised, as far as one can tell now."""
        return True

    def instead(self, start: int, stop: int) -> Iterable[bytes]:  # noqa: ARG002
        """Return the bytes [start, stop) without the file; none if there is no other way."""
        return ()

    def rescue(self) -> bytes:
        """Take the next bytes from `instead`; raises EOFError if it does not have them."""
        stop = min(self.start + CHUNK_BYTES, self.stop)
        found = b"".join(self.instead(self.start, stop))
        if len(found) != stop - self.start:
            raise EOFError(f"A file ends at {self.start}; {len(self)} more bytes were promised.")
        self.start = stop
        return found

    def chunks(self) -> Iterator[bytes]:
        """Take all of the bytes, for a server that sends nothing else."""
        while wanted := min(CHUNK_BYTES, len(self)):
            found = os.pread(self.fileno(), wanted, self.start) if self.is_right(wanted) else b""
            self.start += len(found)
            yield found or self.rescue()


Piece = bytes | FileSpan


def pieces_of(body: Any) -> Iterable[Piece]:
    """Return the pieces of a WSGI body: those that it offers as `pieces`, or its plain bytes.

    PEP 3333 allows bytes only, so a body with spans gives these to servers that do not ask.
    """
    offered: Iterable[Piece] | None = getattr(body, "pieces", None)
    return body if offered is None else offered


def in_bytes(pieces: Iterable[Piece]) -> Iterator[bytes]:
    """Yield the pieces as bytes."""
    for piece in pieces:
        if isinstance(piece, FileSpan):
            yield from piece.chunks()
        else:
            yield piece
