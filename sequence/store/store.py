"""What every store of segments can do, wherever it keeps their bytes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, suppress

from sequence.errors import BlockMismatch, SegmentShort, StoreUnreachable
from sequence.store.checksum import BLOCK_BYTES, checked
from sequence.store.opened import SegmentFile
from sequence.text.layout import is_label, segment_number
from sequence.text.span import Span

FAULTS = (BlockMismatch, SegmentShort, OSError)
"""What a segment that was damaged, cut, or removed gives to its reader."""

CHUNK_BYTES = 2 * BLOCK_BYTES
"""How much is read at a time: benchmarks/topics/chunks.py compares lengths."""

LABEL = "layout.json"
"""The name that a store keeps its label under, which is no segment's."""

NO_SEGMENTS = (LABEL, "index")
"""What else builders take turns for, by name."""

LABEL_BYTES = 1024
"""More than any label has."""


def read_label(content: bytes) -> str | None:
    """Return the label, or None if the content is damaged and says nothing."""
    text = content.decode("ascii", "replace")
    return text if is_label(text) else None


def made_beside(name: str) -> str | None:
    """Return what is made beside a file of that name, a builder's lock or part; else None."""
    made, _, suffix = name.rpartition(".")
    return made if suffix in ("lock", "part") else None


def is_segment_name(name: str) -> bool:
    """Whether a segment of some layout can have the name."""
    return segment_number(name) is not None


class Segments(ABC):
    """Bytes by name, which appear whole and durable, or not at all, and never change."""

    is_own: Callable[[str], bool]
    """Whether a segment of this store can have a name. Nothing else is ever opened or removed."""

    @abstractmethod
    def label(self) -> str | None:
        """Return what the store says of its layout, or None if it says nothing readable."""

    @abstractmethod
    def set_label(self, label: str, instead_of: str | None = None) -> str:
        """Label the store if its label is `instead_of`; return the label that it has then."""

    @abstractmethod
    def all_names(self) -> list[str]:
        """Return the names of all that is stored, the store's own and others."""

    def names(self) -> list[str]:
        """Return the names of all segments, without those that are being built."""
        return [name for name in self.all_names() if self.is_own(name)]

    def foreign(self) -> list[str]:
        """Return the names that are none of the store's own: it leaves them alone."""

        def is_foreign(name: str) -> bool:
            made = made_beside(name) or name
            return not self.is_own(made) and made not in NO_SEGMENTS

        return [name for name in self.all_names() if is_foreign(name)]

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
        """Remove a segment if it is there, durably after the next `sync`.

        Call it as the segment's sole builder. Rows must be gone first, durably: one that is left
        tells of a missing file.
        """

    @abstractmethod
    def sync(self) -> None:
        """Make durable that segments have been removed."""

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

    def is_right(self, name: str, length_bytes: int, checksums: bytes | memoryview) -> bool:
        """Whether a segment has those bytes and no others; raises StoreUnreachable."""
        if self.length(name) != length_bytes:
            return False
        try:
            for _ in self.read_checked(name, Span(0, length_bytes), checksums):
                pass
        except StoreUnreachable:
            raise
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
    def file(self, name: str, length_bytes: int) -> SegmentFile:
        """Return a segment of that length which is on this host's own disk, open.

        Raises OSError.
        """

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
