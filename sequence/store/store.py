"""What every store of segments can do, wherever it keeps their bytes."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress

from sequence.errors import BlockMismatch, SegmentShort
from sequence.store.checksum import BLOCK_BYTES, checked
from sequence.text.span import Span

FAULTS = (BlockMismatch, SegmentShort, OSError)
"""What a segment that was damaged, cut, or removed gives to its reader."""

CHUNK_BYTES = 2 * BLOCK_BYTES
"""How much is read at a time: benchmarks/warm_stream.py compares lengths."""

LABEL = "layout.json"
"""The name that a store keeps its label under, which is no segment's."""


class Segments(ABC):
    """Bytes by name, which appear whole and durable, or not at all, and never change."""

    @abstractmethod
    def label(self) -> str | None:
        """What `set_label` was given when the store was new; None where it is still empty."""

    @abstractmethod
    def set_label(self, label: str) -> str:
        """Labels the store unless it is labelled; returns the label that it has."""

    @abstractmethod
    def names(self) -> list[str]:
        """The names of all segments, without those that are being made."""

    @abstractmethod
    def lengths(self) -> dict[str, int]:
        """Return the length in bytes of each plain segment by its name, from one listing."""

    @abstractmethod
    def length(self, name: str) -> int | None:
        """How many bytes a segment has; None where there is none of that name."""

    @abstractmethod
    def read(self, name: str, span: Span) -> Iterator[bytes]:
        """The bytes of the span of a segment, in chunks.

        Raises FileNotFoundError where there is no such segment, SegmentShort where it ends before
        the span does, and other OSErrors where it cannot be read.
        """

    @abstractmethod
    def publish(self, name: str, pieces: Iterable[bytes | memoryview]) -> int:
        """The length in bytes of the pieces, which are now durable, one after another.

        Call it as the segment's sole builder. Whatever is raised on the way leaves nothing behind.
        """

    @abstractmethod
    def remove(self, name: str) -> None:
        """Removes a segment, where it is there. Call it as the segment's sole builder."""

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

    def keeps_right(self, name: str, length_bytes: int, checksums: bytes | memoryview) -> bool:
        """Whether a segment has those bytes and no others; one that has others is removed.

        Call it as the segment's sole builder.
        """
        if self.length(name) == length_bytes and self._intact(name, length_bytes, checksums):
            return True
        self.remove(name)
        return False

    def _intact(self, name: str, length_bytes: int, checksums: bytes | memoryview) -> bool:
        try:
            for _ in self.read_checked(name, Span(0, length_bytes), checksums):
                pass
        except FAULTS:
            return False
        return True


class Store(Segments):
    """Segments with builders on this host, who take turns."""

    slow = False
    """Whether to store takes so much longer than to compute that no stream is to wait for it."""

    @property
    @abstractmethod
    def near(self) -> Segments:
        """What lies on this host's own disk: all, or copies of some."""

    @abstractmethod
    def is_far(self, name: str) -> bool:
        """Whether the segment, if it is stored, lies beyond this host only."""

    @abstractmethod
    def lacks_copy(self, name: str) -> bool:
        """Whether a copy of the segment is to be on this host's own disk, and is not."""

    @abstractmethod
    def sole_builder(self, name: str) -> AbstractContextManager[None]:
        """Makes the caller the only builder of the segment on this host; waits for another one.

        A builder that dies is one no more.
        """

    @abstractmethod
    def abandoned(self) -> Iterator[str]:
        """The names of the segments whose builders died, each while the caller is its builder.

        What they had written and not published is removed; those at work are let be.
        """

    @abstractmethod
    def is_being_made(self, name: str) -> bool:
        """Whether there is a builder of the segment, at work or dead."""

    @abstractmethod
    def copies(self, name: str) -> Sequence[Segments]:
        """Where the segment is, or else where it should be."""
