"""Segments as the objects of one bucket of an S3-compatible object store."""

from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from tempfile import TemporaryFile
from time import monotonic
from typing import IO, Any, NamedTuple, Self

from boto3 import Session
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from urllib3.exceptions import HTTPError

from sequence.errors import SegmentShort, StoreUnreachable
from sequence.store.breaker import CircuitBreaker
from sequence.store.store import CHUNK_BYTES, LABEL, Chunks, IsOwn, Segments, read_label
from sequence.text.layout import SEGMENT_SUFFIX, is_segment_name
from sequence.text.span import Span

READ_TIMEOUT_S = 1.0
"""For the first byte, and for each chunk after it."""

PATIENT_TIMEOUT_S = 5.0
"""The same if nobody waits but a builder or an operator; for each wait of an upload too."""

NOT_THERE, CONFLICT, THERE_ALREADY, BEYOND_END = 404, 409, 412, 416
SERVER_ERROR = 500


class Clients(NamedTuple):
    """Two clients of one object store, which threads may share."""

    reading: Any
    """Tries once and gives up soon: a client waits too, and can have the bytes computed."""
    patient: Any
    """For all else, which runs in the background or for an operator."""

    @classmethod
    def connect(cls, endpoint_url: str | None = None, **access: str) -> Self:
        """Return those of the object store that the AWS_* variables name, as boto3 reads them."""
        session = Session()
        config = Config(
            # A stream holds one while it fetches.
            max_pool_connections=256,
            s3={"addressing_style": "path"},
            # Not every store knows of the checksums that S3 has besides; blocks have their own.
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        )

        def client(timeout_s: float, attempts: int) -> Any:
            limits = Config(
                # Also that of each wait while a body is sent.
                connect_timeout=timeout_s,
                read_timeout=timeout_s,
                retries={"mode": "standard", "total_max_attempts": attempts},
            )
            return session.client(
                "s3", endpoint_url=endpoint_url, config=config.merge(limits), **access
            )

        return cls(client(READ_TIMEOUT_S, attempts=1), client(PATIENT_TIMEOUT_S, attempts=2))


class SegmentBucket(Segments):
    """Segments in a bucket, below a prefix.

    Every method raises StoreUnreachable if the object store cannot be reached or refuses. After a
    failure a circuit breaker has all of them raise it at once: nobody else waits for a timeout.
    """

    def __init__(
        self,
        clients: Clients,
        bucket: str,
        prefix: str,
        spool: Path,
        is_own: IsOwn = is_segment_name,
    ) -> None:
        self.is_own = is_own
        self._clients, self._bucket, self._prefix, self._spool = clients, bucket, prefix, spool
        # No client waits for longer, whatever a builder waited for.
        self._breaker = CircuitBreaker(max_cost_s=READ_TIMEOUT_S)

    def __str__(self) -> str:
        return f"s3://{self._bucket}/{self._prefix}"

    def label(self) -> str | None:
        """Return what the store says of its layout, or None if it says nothing readable."""
        try:
            # A client may wait for it: it is read when a process opens its store.
            return read_label(b"".join(self._got(LABEL, {}, patient=False)))
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
        with self._guarded():
            pages = self._clients.patient.get_paginator("list_objects_v2").paginate(
                Bucket=self._bucket, Prefix=self._key("")
            )
            objects = [each for page in pages for each in page.get("Contents", ())]
        return {each["Key"].removeprefix(self._key("")): int(each["Size"]) for each in objects}

    def length(self, name: str) -> int | None:
        """Return how many bytes a segment has; None if there is none of that name."""
        try:
            with self._guarded(name):
                head = self._clients.patient.head_object(Bucket=self._bucket, Key=self._key(name))
            return int(head["ContentLength"])
        except FileNotFoundError:
            return None

    def read(self, name: str, span: Span, patient: bool = True) -> Iterator[bytes]:
        """Yield the bytes of the span of a segment, in chunks: of the object no others are fetched.

        Raises FileNotFoundError if there is no such segment, and SegmentShort if it ends before the
        span does.
        """
        if not span.length:
            return
        position = span.start
        # RFC 9110, section 14.1.2: the last byte is meant to be sent too.
        asked = {"Range": f"bytes={span.start}-{span.stop - 1}"}
        for chunk in self._got(name, asked, patient):
            position += len(chunk)
            yield chunk
        if position < span.stop:
            raise SegmentShort(name, span.stop, position)

    def _got(self, name: str, headers: dict[str, str], patient: bool = True) -> Iterator[bytes]:
        client = self._clients.patient if patient else self._clients.reading
        with self._guarded(name):
            try:
                got = client.get_object(Bucket=self._bucket, Key=self._key(name), **headers)
            except ClientError as error:
                if _status(error) == BEYOND_END:
                    return
                raise
        body = got["Body"]
        try:
            while True:
                with self._guarded(name):
                    chunk = body.read(CHUNK_BYTES)
                if not chunk:
                    return
                yield chunk
        finally:
            # Else a reader that goes away leaves the rest to be fetched.
            body.close()

    def publish(self, name: str, pieces: Chunks) -> int:
        """Store the pieces as an object, if there is none; return their length in bytes.

        They are written to a file first: a second attempt to send them needs all of them.
        """
        with TemporaryFile(dir=self._spool) as file:
            for piece in pieces:
                file.write(piece)
            return self.put(name, file)

    def put(self, name: str, file: IO[bytes]) -> int:
        """Store the file as an object, if there is none; return its length in bytes.

        A *conditional PUT*: all who build a segment build the same one, and the first one stays
        (If-None-Match, RFC 9110, section 13.1.2). Raises SegmentShort if it has another length.
        """
        length = file.seek(0, 2)
        file.seek(0)
        with self._guarded(name):
            try:
                self._clients.patient.put_object(
                    Bucket=self._bucket,
                    Key=self._key(name),
                    Body=file,
                    ContentLength=length,
                    IfNoneMatch="*",
                )
                return length
            except ClientError as error:
                # At the same time as another host's, it may be a conflict.
                if _status(error) not in (CONFLICT, THERE_ALREADY):
                    raise
        # Also when an answer was lost, and the client tried again.
        found = self.length(name)
        if found != length:
            raise SegmentShort(name, length, found or 0)
        return length

    def remove(self, name: str) -> None:
        """Remove a segment if it is there."""
        with self._guarded(name):
            self._clients.patient.delete_object(Bucket=self._bucket, Key=self._key(name))

    def sync(self) -> None:
        """Do nothing: an object that is removed stays so."""

    def _key(self, name: str) -> str:
        return f"{self._prefix}/{name}" if self._prefix else name

    @contextmanager
    def _guarded(self, name: str = "") -> Iterator[None]:
        """Guard a call by the circuit breaker, and turn the client's many errors into a store's."""
        if not self._breaker.admit_or_probe(self._probe):
            raise StoreUnreachable(str(self), "it could not be reached just now")
        began = monotonic()
        try:
            yield
        except (ClientError, BotoCoreError, HTTPError, OSError) as error:
            if isinstance(error, ClientError) and _is_missing(error):
                raise FileNotFoundError(2, "There is no such object", name) from error
            if not _is_answer(error):
                self._breaker.open(monotonic() - began)
            raise StoreUnreachable(str(self), str(error)) from error

    def _probe(self) -> None:
        """Raise the client's error if the object store does not answer; a refusal is an answer."""
        try:
            self._clients.reading.list_objects_v2(
                Bucket=self._bucket, Prefix=self._key(""), MaxKeys=1
            )
        except ClientError as error:
            if not _is_answer(error):
                raise


def _is_answer(error: Exception) -> bool:
    """Whether the object store works, and refuses what it was asked."""
    return isinstance(error, ClientError) and _status(error) < SERVER_ERROR


def _is_missing(error: ClientError) -> bool:
    return _status(error) == NOT_THERE and error.response["Error"]["Code"] != "NoSuchBucket"


def _status(error: ClientError) -> int:
    return int(error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0))
