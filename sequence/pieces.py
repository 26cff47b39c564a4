"""What a body is made of: bytes, and spans of files that a server may have the kernel send."""

import os
from collections.abc import Callable, Iterable
from typing import IO, Any


class FileSpan:
    """The bytes [start, stop) of an open file; `start` moves on as they are sent.

    `instead(start, stop)` gives the bytes of the file's [start, stop) if it turns out not to have
    them any more.
    """

    __slots__ = ("file", "instead", "start", "stop")

    def __init__(
        self,
        file: IO[bytes],
        start: int,
        stop: int,
        instead: Callable[[int, int], Iterable[bytes]] | None = None,
    ) -> None:
        self.file, self.start, self.stop, self.instead = file, start, stop, instead

    def __len__(self) -> int:
        return self.stop - self.start

    def fileno(self) -> int:
        """Return the descriptor of the file."""
        return self.file.fileno()

    def lost(self) -> list[bytes]:
        """Return in bytes what the file no longer has; raises EOFError if nobody knows it."""
        found = list(self.instead(self.start, self.stop)) if self.instead else []
        if sum(map(len, found)) != len(self):
            raise EOFError(f"A file ends at {self.start}; {len(self)} more bytes were promised.")
        return found

    def read(self) -> bytes:
        """Return the bytes, for a server that sends nothing else."""
        found = os.pread(self.fileno(), len(self), self.start)
        if len(found) < len(self):
            self.start += len(found)
            return found + b"".join(self.lost())
        return found


Piece = bytes | FileSpan


def pieces_of(body: Any) -> Iterable[Piece]:
    """Return the pieces of a WSGI body: those that it offers as `pieces`, or its plain bytes.

    PEP 3333 allows bytes only, so a body with spans gives these to servers that do not ask.
    """
    offered: Iterable[Piece] | None = getattr(body, "pieces", None)
    return body if offered is None else offered
