"""A store in a bucket, of which this host keeps copies of some segments in a directory."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager

from sequence.store.bucket import SegmentBucket
from sequence.store.directory import SegmentDirectory
from sequence.store.opened import SegmentFile
from sequence.store.store import Segments, Store
from sequence.text.span import Span


class TieredStore(Store):
    """What is stored lies in the bucket; a copy in the directory only spares the way there."""

    slow = True

    def __init__(
        self, directory: SegmentDirectory, bucket: SegmentBucket, copied: Callable[[str], bool]
    ) -> None:
        """`copied` says of a name whether a copy of that segment is to be in the directory."""
        self._directory, self._bucket, self._copied = directory, bucket, copied
        self.is_own = directory.is_own

    def __str__(self) -> str:
        return str(self._bucket)

    @property
    def near(self) -> Segments:
        """The copies."""
        return self._directory

    def is_far(self, name: str) -> bool:
        """Whether there is no copy in the directory."""
        return self._directory.length(name) is None

    def lacks_copy(self, name: str) -> bool:
        """Whether a copy is to be in the directory, and is not."""
        return self._copied(name) and self.is_far(name)

    def copies(self, name: str) -> list[Segments]:
        """The bucket, and the directory where there is a copy."""
        return [self._bucket] if self.is_far(name) else [self._bucket, self._directory]

    def file(self, name: str, length_bytes: int) -> SegmentFile:
        """The copy."""
        return self._directory.file(name, length_bytes)

    def label(self) -> str | None:
        """The directory's, where it has one: it is the bucket's, and a start need not wait."""
        return self._directory.label() or self._bucket.label()

    def set_label(self, label: str, instead_of: str | None = None) -> str:
        """Label both if their label is `instead_of`; return one that has another one, if any.

        Raises StoreUnreachable.
        """
        found = self._bucket.set_label(label)
        return found if found != label else self._directory.set_label(label, instead_of)

    def all_names(self) -> list[str]:
        """Return the names of all that is in the bucket, or in the directory."""
        return sorted({*self._bucket.all_names(), *self._directory.all_names()})

    def lengths(self) -> dict[str, int]:
        """Return those in the bucket."""
        return self._bucket.lengths()

    def length(self, name: str) -> int | None:
        """How many bytes it has in the bucket."""
        return self._bucket.length(name)

    def read(self, name: str, span: Span) -> Iterator[bytes]:
        """The bytes of the span from the copy where there is one, else from the bucket."""
        return (self._bucket if self.is_far(name) else self._directory).read(name, span)

    def publish(self, name: str, pieces: Iterable[bytes | memoryview]) -> int:
        """The length in bytes of the pieces, which are then in the bucket, and copied or not."""
        if not self._copied(name):
            return self._bucket.publish(name, pieces)
        self._directory.publish(name, pieces)
        try:
            with self._directory.opened(name) as file:
                return self._bucket.put(name, file)
        except BaseException:
            self._directory.remove(name)
            raise

    def remove(self, name: str) -> None:
        """Removes it from both."""
        self._directory.remove(name)
        self._bucket.remove(name)

    def sync(self) -> None:
        """Make durable which copies there are."""
        self._directory.sync()

    def sole_builder(self, name: str) -> AbstractContextManager[None]:
        """The directory's: between hosts the bucket lets the first one win."""
        return self._directory.sole_builder(name)

    def abandoned(self) -> Iterator[str]:
        """Those of this host."""
        return self._directory.abandoned()

    def is_being_made(self, name: str) -> bool:
        """Whether there is a builder of it on this host."""
        return self._directory.is_being_made(name)
