"""A read-through cache: segments lie in a bucket, and a directory of this host has some of them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager

from sequence.errors import CacheMiss, NotSegmentFile
from sequence.store.bucket import SegmentBucket
from sequence.store.directory import SegmentDirectory
from sequence.store.opened import SegmentFile
from sequence.store.store import Chunks, IsOwn, Segments, Store
from sequence.text.span import Span


class CachedBucket(Store):
    """A bucket with a cache: what is stored is in the bucket."""

    has_backpressure = False

    def __init__(
        self, directory: SegmentDirectory, bucket: SegmentBucket, is_cached: IsOwn
    ) -> None:
        """`is_cached` tells of a name whether the cache is to have the segment."""
        self._directory, self._bucket, self._is_cached = directory, bucket, is_cached
        self.is_own = directory.is_own

    def __str__(self) -> str:
        return str(self._bucket)

    def label(self) -> str | None:
        """Return the directory's if it has one: it is the bucket's, and a start need not wait."""
        return self._directory.label() or self._bucket.label()

    def set_label(self, label: str, instead_of: str | None = None) -> str:
        """Label both if their label is `instead_of`; return one that has another one, if any.

        Raises StoreUnreachable.
        """
        found = self._bucket.set_label(label)
        return found if found != label else self._directory.set_label(label, instead_of)

    def all_names(self) -> list[str]:
        """Return the names of all that is in the bucket or in the cache."""
        return sorted({*self._bucket.all_names(), *self._directory.all_names()})

    def lengths(self) -> dict[str, int]:
        """Return those in the bucket."""
        return self._bucket.lengths()

    def length(self, name: str) -> int | None:
        """Return how many bytes it has in the bucket."""
        return self._bucket.length(name)

    def read(self, name: str, span: Span, patient: bool = True) -> Iterator[bytes]:
        """Yield the bytes of the span from the cache, or from the bucket if it is not there."""
        return (self._directory if self._has(name) else self._bucket).read(name, span, patient)

    def file(self, name: str, length_bytes: int) -> SegmentFile:
        """Return the cache's file; raises CacheMiss."""
        try:
            return self._directory.file(name, length_bytes)
        except (FileNotFoundError, NotSegmentFile):
            raise CacheMiss(name) from None

    def publish(self, name: str, pieces: Chunks) -> int:
        """Put the pieces into the bucket, and into the cache if they are to be there."""
        if not self._is_cached(name):
            return self._bucket.publish(name, pieces)
        self._directory.publish(name, pieces)
        try:
            with self._directory.opened(name) as file:
                return self._bucket.put(name, file)
        except BaseException:
            self._directory.remove(name)
            raise

    def fill(self, name: str, label: str, pieces: Callable[[], Chunks]) -> None:
        """Put a segment that is in the bucket into the cache, if it is to be there and is not."""
        if self._is_cached(name) and not self._has(name):
            self._directory.set_label(label)
            self._directory.publish(name, pieces())

    def evict(self, name: str) -> None:
        """Remove it from the cache."""
        self._directory.remove(name)

    def remove(self, name: str) -> None:
        """Remove it from both."""
        self._directory.remove(name)
        self._bucket.remove(name)

    def sync(self) -> None:
        """Make durable what the cache has."""
        self._directory.sync()

    def on_disk(self) -> dict[str, int | None]:
        """Return the lengths of what is in the cache."""
        return self._directory.on_disk()

    def lengths_at_once(self, recorded: Mapping[str, int]) -> Mapping[str, int]:
        """Return the lengths as recorded: only the bucket could tell."""
        return recorded

    def replicas(self, name: str) -> list[Segments]:
        """Return the bucket, and the cache if it has the segment."""
        return [self._bucket, self._directory] if self._has(name) else [self._bucket]

    def sole_builder(self, name: str) -> AbstractContextManager[None]:
        """Make the caller the only builder on this host; of several hosts the first one wins."""
        return self._directory.sole_builder(name)

    def abandoned(self) -> Iterator[str]:
        """Yield those of this host."""
        return self._directory.abandoned()

    def is_being_built(self, name: str) -> bool:
        """Whether there is a builder of it on this host."""
        return self._directory.is_being_built(name)

    def _has(self, name: str) -> bool:
        """Whether the segment is in the cache."""
        return self._directory.length(name) is not None
