"""Segments as the objects of one bucket of an S3-compatible object store."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import IO, Any

from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from sequence.errors import SegmentShort, StoreUnreachable
from sequence.store.store import CHUNK_BYTES, LABEL, Segments, is_segment_name, read_label
from sequence.text.layout import SEGMENT_SUFFIX
from sequence.text.span import Span

OUTAGE_S = 2.0
"""For so long after a failure all others are told at once: each would else wait for its timeout."""

NOT_THERE, THERE_ALREADY, BEYOND_END = 404, 412, 416


class SegmentBucket(Segments):
    """Segments in a bucket, below a prefix.

    `client` is boto3's, which threads may share. Every method raises StoreUnreachable where the
    object store cannot be reached or refuses.
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str,
        spool: Path,
        is_own: Callable[[str], bool] = is_segment_name,
    ) -> None:
        self.is_own = is_own
        self._client, self._bucket, self._prefix, self._spool = client, bucket, prefix, spool
        self._failed_at: float | None = None

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def label(self) -> str | None:
        """Return what the store says of its layout, or None if it says nothing readable."""
        try:
            return read_label(b"".join(self._got(LABEL, {})))
        except FileNotFoundError:
            return None

    def set_label(self, label: str, instead_of: str | None = None) -> str:
        """Label the store if it has none; return the label that it has then.

        Never in place of another one: hosts that share it may have other settings.
        """
        if instead_of is None and self.label() is None:
            with suppress(SegmentShort):  # another host was faster, with another one
                self.publish(LABEL, [label.encode()])
        return self.label() or label

    def all_names(self) -> list[str]:
        """Return the names of all objects."""
        return list(self._listed())

    def lengths(self) -> dict[str, int]:
        """Return the length in bytes of each plain segment by its name: a request a thousand."""
        return {n: length for n, length in self._listed().items() if n.endswith(SEGMENT_SUFFIX)}

    def _listed(self) -> dict[str, int]:
        with self._reached():
            pages = self._client.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key("")
            )
            objects = [each for page in pages for each in page.get("Contents", ())]
        return {each["Key"].removeprefix(self._key("")): int(each["Size"]) for each in objects}

    def length(self, name: str) -> int | None:
        """How many bytes a segment has; None where there is none of that name."""
        try:
            with self._reached(name):
                head = self._client.head_object(Bucket=self._bucket, Key=self._key(name))
            return int(head["ContentLength"])
        except FileNotFoundError:
            return None

    def read(self, name: str, span: Span) -> Iterator[bytes]:
        """The bytes of the span of a segment, in chunks: of the object no others are fetched.

        Raises FileNotFoundError where there is no such segment, and SegmentShort where it ends
        before the span does.
        """
        if not span.length:
            return
        position = span.start
        # RFC 9110, section 14.1.2: the last byte is meant to be sent too.
        for chunk in self._got(name, {"Range": f"bytes={span.start}-{span.stop - 1}"}):
            position += len(chunk)
            yield chunk
        if position < span.stop:
            raise SegmentShort(name, span.stop, position)

    def _got(self, name: str, headers: dict[str, str]) -> Iterator[bytes]:
        with self._reached(name):
            try:
                got = self._client.get_object(Bucket=self._bucket, Key=self._key(name), **headers)
            except ClientError as error:
                if _status(error) == BEYOND_END:
                    return
                raise
        body = got["Body"]
        try:
            while True:
                with self._reached(name):
                    chunk = body.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk
        finally:
            # Else a reader that goes away leaves the rest to be fetched.
            body.close()

    def publish(self, name: str, pieces: Iterable[bytes | memoryview]) -> int:
        """The length in bytes of the pieces, which are then an object, if they were none before.

        They are written down first: to send them again, when that fails, needs all of them.
        """
        with TemporaryFile(dir=self._spool) as file:
            for piece in pieces:
                file.write(piece)
            return self.put(name, file)

    def put(self, name: str, file: IO[bytes]) -> int:
        """The length in bytes of the file, which is then an object, if none was there before.

        All who make a segment make the same one, and the first stays: If-None-Match is the fence
        between them (RFC 9110, section 13.1.2). Raises SegmentShort where a shorter one is there.
        """
        length = file.seek(0, 2)
        file.seek(0)
        with self._reached(name):
            try:
                self._client.put_object(
                    Bucket=self._bucket,
                    Key=self._key(name),
                    Body=file,
                    ContentLength=length,
                    IfNoneMatch="*",
                )
                return length
            except ClientError as error:
                if _status(error) != THERE_ALREADY:
                    raise
        # Also when an answer was lost, and the client tried again.
        found = self.length(name)
        if found != length:
            raise SegmentShort(name, length, found or 0)
        return length

    def remove(self, name: str) -> None:
        """Removes a segment, where it is there."""
        with self._reached(name):
            self._client.delete_object(Bucket=self._bucket, Key=self._key(name))

    def sync(self) -> None:
        """Do nothing: an object that is removed stays so."""

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextmanager
    def _reached(self, name: str = "") -> Iterator[None]:
        """Tells what its block does of the client's many errors in those of a store."""
        if self._failed_at is not None and monotonic() < self._failed_at + OUTAGE_S:
            raise StoreUnreachable(str(self), "it could not be reached just now")
        try:
            yield
            self._failed_at = None
        except ClientError as error:
            if _status(error) == NOT_THERE and error.response["Error"]["Code"] != "NoSuchBucket":
                raise FileNotFoundError(2, "There is no such object", name) from error
            self._failed(error)
        except (BotoCoreError, HTTPError, OSError) as error:
            self._failed(error)

    def _failed(self, error: Exception) -> None:
        self._failed_at = monotonic()
        raise StoreUnreachable(str(self), str(error)) from error


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
