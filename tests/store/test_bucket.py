import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

import pytest
from botocore.awsrequest import AWSResponse

from sequence.errors import SegmentShort, StoreUnreachable
from sequence.store import breaker
from sequence.store import bucket as bucket_module
from sequence.store.bucket import READ_TIMEOUT_S, Clients, SegmentBucket
from sequence.text.span import Span
from tests.support.objects import s3_client
from tests.support.waiting import soon

NAME = "00000007.txt"


@pytest.fixture
def bucket(s3: Any, bucket_name: str, tmp_path: Path) -> SegmentBucket:
    return SegmentBucket(Clients(s3, s3), bucket_name, "", tmp_path)


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def test_of_all_who_publish_at_once_the_first_one_stays(bucket: SegmentBucket) -> None:
    def publish(number: int) -> int:
        return bucket.publish(NAME, [b"%d" % number])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(publish, range(8))) == [1] * 8
    (kept,) = bucket.read(NAME, Span(0, 1))
    assert bucket.publish(NAME, [b"9"]) == 1
    assert list(bucket.read(NAME, Span(0, 1))) == [kept]


def test_another_length_that_is_there_already_is_told(bucket: SegmentBucket) -> None:
    bucket.publish(NAME, [b"0123"])
    with pytest.raises(SegmentShort, match="ends at byte 4; it must reach byte 10"):
        bucket.publish(NAME, [b"0123456789"])


def test_no_more_is_fetched_than_is_asked_for(bucket: SegmentBucket) -> None:
    asked = []
    bucket.publish(NAME, [b"0123456789"])
    bucket._clients.reading.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"]["Range"])
    )
    assert b"".join(bucket.read(NAME, Span(2, 5))) == b"234"
    assert asked == ["bytes=2-4"]


@pytest.mark.parametrize("act", ["read", "publish", "length", "names", "remove", "label"])
def test_what_cannot_be_reached_says_so(act: str, port: int, tmp_path: Path) -> None:
    client = s3_client(f"http://127.0.0.1:{port}")
    bucket = SegmentBucket(Clients(client, client), "none", "x", tmp_path)
    acts = {
        "read": lambda: list(bucket.read(NAME, Span(0, 1))),
        "publish": lambda: bucket.publish(NAME, [b"1"]),
        "length": lambda: bucket.length(NAME),
        "names": bucket.names,
        "remove": lambda: bucket.remove(NAME),
        "label": bucket.label,
    }
    with pytest.raises(StoreUnreachable, match=r"The store s3://none/x cannot be used: .+\."):
        acts[act]()


@pytest.fixture
def silent() -> Iterator[SegmentBucket]:
    """A bucket of an object store that accepts connections and never answers."""
    access = {"aws_access_key_id": "a", "aws_secret_access_key": "b", "region_name": "us-east-1"}
    with (
        TemporaryDirectory() as spool,
        socket.create_server(("127.0.0.1", 0), backlog=64) as listener,
    ):
        clients = Clients.connect(f"http://127.0.0.1:{listener.getsockname()[1]}", **access)
        yield SegmentBucket(clients, "bucket", "", Path(spool))


def read(bucket: SegmentBucket, _: int = 0) -> float:
    """Fail to read; return how many seconds that took."""
    began = monotonic()
    with pytest.raises(StoreUnreachable):
        list(bucket.read(NAME, Span(0, 1), patient=False))
    return monotonic() - began


def test_a_silent_object_store_costs_readers_a_second_once(silent: SegmentBucket) -> None:
    began = monotonic()
    with ThreadPoolExecutor(16) as pool:
        assert max(pool.map(partial(read, silent), range(16))) < 2.5
    assert sum(read(silent) for _ in range(500)) < 0.5
    assert monotonic() - began < 4


def test_after_an_outage_the_bucket_is_read_again(
    bucket: SegmentBucket, silent: SegmentBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "MIN_PAUSE_S", 0.1)
    monkeypatch.setattr(breaker, "COST_FACTOR", 0)
    bucket.publish(NAME, [b"0123"])
    right, bucket._clients = bucket._clients, silent._clients
    read(bucket)
    bucket._clients = right

    def is_read() -> bool:
        with suppress(StoreUnreachable):
            return list(bucket.read(NAME, Span(0, 4))) == [b"0123"]
        return False

    soon(True, is_read)


def test_a_bucket_that_is_not_there_is_no_missing_segment(s3: Any, tmp_path: Path) -> None:
    bucket = SegmentBucket(Clients(s3, s3), "no-such-bucket-at-all", "", tmp_path)
    with pytest.raises(StoreUnreachable, match="NoSuchBucket"):
        list(bucket.read(NAME, Span(0, 1)))


def answers(client: Any, call: str, status: int) -> None:
    """Has the object store answer these calls with an error."""

    def refuse(params: object, context: object, **_: object) -> tuple[Any, dict[str, Any]]:
        response = AWSResponse("https://store.invalid", status, {}, None)
        return response, {
            "Error": {"Code": str(status), "Message": "as tested"},
            "ResponseMetadata": {"HTTPStatusCode": status},
        }

    client.meta.events.register(f"before-call.s3.{call}", refuse)


@pytest.mark.parametrize("status", [400, 403, 409])
def test_a_refusal_is_an_answer_and_opens_no_circuit_breaker(
    s3: Any, bucket: SegmentBucket, status: int
) -> None:
    bucket.publish(NAME, [b"0123"])
    client = s3_client(s3.meta.endpoint_url)
    answers(client, "GetObject", status)
    right, bucket._clients = bucket._clients, Clients(client, client)
    with pytest.raises(StoreUnreachable, match=str(status)):
        list(bucket.read(NAME, Span(0, 4)))
    bucket._clients = right
    assert list(bucket.read(NAME, Span(0, 4))) == [b"0123"]


def test_a_server_that_may_not_be_listed_is_read_again_after_a_failure(
    s3: Any, bucket: SegmentBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(breaker, "MIN_PAUSE_S", 0)
    monkeypatch.setattr(breaker, "COST_FACTOR", 0)
    bucket.publish(NAME, [b"0123"])
    client = s3_client(s3.meta.endpoint_url)
    answers(client, "ListObjectsV2", 403)
    bucket._clients = Clients(client, client)
    bucket._breaker.open(1)
    with pytest.raises(StoreUnreachable):
        list(bucket.read(NAME, Span(0, 4)))
    soon(False, lambda: bucket._breaker.is_open)
    assert list(bucket.read(NAME, Span(0, 4))) == [b"0123"]


def test_what_a_builder_waited_for_keeps_no_reader_away(
    bucket: SegmentBucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    for module in (breaker, bucket_module):
        monkeypatch.setattr(module, "monotonic", lambda: now[0])

    def fail(**_: object) -> None:
        now[0] += 50
        raise ConnectionResetError

    monkeypatch.setattr(bucket._clients.patient, "head_object", fail)
    with pytest.raises(StoreUnreachable):
        bucket.length(NAME)
    assert bucket._breaker._probe_at == 150 + breaker.COST_FACTOR * READ_TIMEOUT_S
