import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from sequence.errors import SegmentShort, StoreUnreachable
from sequence.store import bucket as bucket_module
from sequence.store.bucket import SegmentBucket
from sequence.text.span import Span
from tests.support.objects import s3_client

NAME = "00000007.txt"


@pytest.fixture
def bucket(s3: Any, bucket_name: str, tmp_path: Path) -> SegmentBucket:
    return SegmentBucket(s3, bucket_name, "", tmp_path)


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
    bucket._client.meta.events.register(
        "before-call.s3.GetObject", lambda params, **_: asked.append(params["headers"]["Range"])
    )
    assert b"".join(bucket.read(NAME, Span(2, 5))) == b"234"
    assert asked == ["bytes=2-4"]


@pytest.mark.parametrize("act", ["read", "publish", "length", "names", "remove", "label"])
def test_what_cannot_be_reached_says_so(act: str, port: int, tmp_path: Path) -> None:
    bucket = SegmentBucket(s3_client(f"http://127.0.0.1:{port}"), "none", "x", tmp_path)
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


def test_an_outage_is_waited_for_once_and_not_for_ever(
    bucket_name: str, s3: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bucket = SegmentBucket(s3, bucket_name, "", tmp_path)
    bucket.publish(NAME, [b"0123"])
    # Nobody answers there, and nobody refuses.
    with socket.create_server(("127.0.0.1", 0), backlog=1) as silent:
        away = s3_client(f"http://127.0.0.1:{silent.getsockname()[1]}")
        monkeypatch.setattr(bucket, "_client", away)
        with pytest.raises(StoreUnreachable):
            bucket.length(NAME)
        began = monotonic()
        for _ in range(100):
            with pytest.raises(StoreUnreachable, match="just now"):
                list(bucket.read(NAME, Span(0, 1)))
        assert monotonic() - began < bucket_module.OUTAGE_S
    monkeypatch.setattr(bucket, "_client", s3)
    monkeypatch.setattr(bucket_module, "OUTAGE_S", 0)
    assert list(bucket.read(NAME, Span(0, 4))) == [b"0123"]


def test_a_bucket_that_is_not_there_is_no_missing_segment(s3: Any, tmp_path: Path) -> None:
    bucket = SegmentBucket(s3, "no-such-bucket-at-all", "", tmp_path)
    with pytest.raises(StoreUnreachable, match="NoSuchBucket"):
        list(bucket.read(NAME, Span(0, 1)))
