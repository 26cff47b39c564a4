"""What every store of segments can do, wherever it keeps their bytes."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager

from sequence.errors import BlockMismatch, SegmentShort, StoreUnreachable
from sequence.store.checksum import BLOCK_BYTES, checked
from sequence.store.opened import SegmentFile
from sequence.text.layout import is_label
from sequence.text.span import Span

FAULTS = (BlockMismatch, SegmentShort, OSError)
"""What a segment that was damaged, cut, or removed raises when it is read."""

CHUNK_BYTES = 2 * BLOCK_BYTES
"""How much is read at a time: benchmarks/topics/chunks.py compares lengths."""

LABEL = "layout.json"
"""The name that a store keeps its label under, which is no segment's."""

NO_SEGMENTS = (LABEL, "index")
"""What else builders take turns for, by name."""

LABEL_BYTES = 1024
"""More than any label has."""

IsOwn = Callable[[str], bool]
Chunks = Iterable[bytes | memoryview]


def read_label(content: bytes) -> str | None:
    """Return the label, or None if the content is damaged and says nothing."""
    text = content.decode("ascii", "replace")
    return text if is_label(text) else None


def published_name(name: str) -> str | None:
    """Return the name that a builder's lock or part is for; None if it is neither."""
    published, _, suffix = name.rpartition(".")
    return published if suffix in ("lock", "part") else None


class Segments(ABC):
    """Bytes by name, which appear whole and durable, or not at all, and never change."""

    is_own: IsOwn
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
            published = published_name(name) or name
            return not self.is_own(published) and published not in NO_SEGMENTS

        return [name for name in self.all_names() if is_foreign(name)]

    @abstractmethod
    def lengths(self) -> dict[str, int]:
        """Return the length in bytes of each plain segment by its name, from one listing."""

    @abstractmethod
    def length(self, name: str) -> int | None:
        """Return how many bytes a segment has; None if there is none of that name."""

    @abstractmethod
    def read(self, name: str, span: Span, patient: bool = True) -> Iterator[bytes]:
        """Yield the bytes of the span of a segment, in chunks.

        Not `patient` is a client's stream, which gives up soon on a store beyond this host.
        Raises FileNotFoundError if there is no such segment, SegmentShort if it ends before the
        span does, and other OSErrors if it cannot be read.
        """

    @abstractmethod
    def publish(self, name: str, pieces: Chunks) -> int:
        """Store the pieces one after another, durably; return their length in bytes.

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

    def read_checked(
        self, name: str, span: Span, checksums: bytes | memoryview, patient: bool = True
    ) -> Iterator[bytes]:
        """`read`, for a span of whole blocks, each yielded only if it is right.

        Raises BlockMismatch, and what `read` does.
        """
        return checked(name, self.read(name, span, patient), span.start, checksums)

    def part(self, name: str, span: Span) -> bytes:
        """Return those bytes of the span of a segment that exist and can be read.

        Raises StoreUnreachable.
        """
        found = []
        try:
            for chunk in self.read(name, span):
                found.append(chunk)
        except StoreUnreachable:
            raise
        except (OSError, SegmentShort):
            pass
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
    """Segments with builders on this host, who take turns.

    A store may have a cache on this host's disk; a store without one is all on this host's disk.
    """

    has_backpressure = True
    """Whether a stream may wait until what it has stored is durable: a disk is fast enough."""

    @abstractmethod
    def file(self, name: str, length_bytes: int) -> SegmentFile:
        """Return a segment of that length as an open file.

        Raises CacheMiss if it is not in the cache, and other OSErrors.
        """

    @abstractmethod
    def sole_builder(self, name: str) -> AbstractContextManager[None]:
        """Make the caller the only builder of the segment on this host; wait for another one.

        A builder that dies is one no more.
        """

    @abstractmethod
    def abandoned(self) -> Iterator[str]:
        """Yield the names of segments whose builders died, each while the caller is its builder.

        What they had written and not published is removed; those at work are let be.
        """

    @abstractmethod
    def is_being_built(self, name: str) -> bool:
        """Whether there is a builder of the segment, at work or dead."""

    def fill(self, name: str, label: str, pieces: Callable[[], Chunks]) -> None:  # noqa: ARG002
        """Put a stored segment into the cache, if it is to be there and is not."""
        return

    def evict(self, name: str) -> None:
        """Free this host's disk of a segment: `remove`, unless the cache is all that loses it."""
        self.remove(name)

    def on_disk(self) -> dict[str, int | None]:
        """Return the length in bytes of each segment on this host's disk; None if it is no file."""
        return {name: self.length(name) for name in self.names()}

    def lengths_at_once(self, recorded: Mapping[str, int]) -> Mapping[str, int]:
        """Return the lengths of those of the files that exist, without asking another host.

        As recorded, if only another host could tell.
        """
        return {name: found for name in recorded if (found := self.length(name)) is not None}

    def replicas(self, name: str) -> Sequence[Segments]:  # noqa: ARG002
        """Return all that has, or should have, the bytes of a segment: the original first."""
        return [self]

    def verify_or_remove(self, name: str, length_bytes: int, checksums: bytes) -> bool:
        """Return whether the original is right; remove each replica that is wrong.

        A store's only file stays, to be replaced by one that is durable: its row must never tell of
        a missing file. Raises StoreUnreachable.
        """
        replicas = self.replicas(name)
        wrong = [each for each in replicas if not each.is_right(name, length_bytes, checksums)]
        for each in wrong:
            if each is not self:
                each.remove(name)
        return replicas[0] not in wrong
