from pathlib import Path
from typing import Any

import pytest

from sequence.errors import CacheMiss, StoreUnreachable
from sequence.store.bucket import Clients, SegmentBucket
from sequence.store.cache import CachedBucket
from sequence.store.directory import SegmentDirectory
from sequence.text.layout import Layout
from sequence.text.span import Span
from tests.support.objects import s3_client

NAME, NOT_CACHED = "00000007.txt", "00000008.txt"


@pytest.fixture
def directory(tmp_path: Path) -> SegmentDirectory:
    directory = SegmentDirectory(tmp_path / "segments")
    directory.path.mkdir()
    return directory


@pytest.fixture
def bucket(s3: Any, bucket_name: str, tmp_path: Path) -> SegmentBucket:
    return SegmentBucket(Clients(s3, s3), bucket_name, "", tmp_path)


@pytest.fixture
def store(directory: SegmentDirectory, bucket: SegmentBucket) -> CachedBucket:
    return CachedBucket(directory, bucket, lambda name: name == NAME)


def test_only_what_is_to_be_cached_is_on_this_host(
    store: CachedBucket, directory: SegmentDirectory, bucket: SegmentBucket
) -> None:
    for name in (NAME, NOT_CACHED):
        store.publish(name, [b"0123"])
    assert store.on_disk() == {NAME: 4}
    assert sorted(bucket.names()) == [NAME, NOT_CACHED]
    assert [each is bucket for each in store.replicas(NOT_CACHED)] == [True]
    assert [each is bucket for each in store.replicas(NAME)] == [True, False]
    assert list(directory.path.parent.glob("*")) == [directory.path]


def test_what_is_cached_is_read_without_the_bucket(
    store: CachedBucket, bucket: SegmentBucket
) -> None:
    store.publish(NAME, [b"0123"])
    bucket.remove(NAME)
    assert list(store.read(NAME, Span(0, 4))) == [b"0123"]


@pytest.mark.parametrize("how", ["evicted", "a directory now"])
def test_a_miss_is_read_from_the_bucket_and_filled(
    store: CachedBucket, directory: SegmentDirectory, how: str
) -> None:
    store.publish(NAME, [b"0123"])
    assert store.file(NAME, 4).length_bytes == 4
    store.evict(NAME)
    if how != "evicted":
        (directory.path / NAME).mkdir()
    with pytest.raises(CacheMiss):
        store.file(NAME, 4)
    assert list(store.read(NAME, Span(0, 4))) == [b"0123"]
    store.fill(NAME, Layout(1024).label, lambda: [b"0123"])
    assert store.file(NAME, 4).length_bytes == 4
    assert directory.label() == Layout(1024).label
    store.fill(NAME, Layout(1024).label, lambda: pytest.fail("it is there"))


def test_what_is_not_to_be_cached_is_not_filled(store: CachedBucket) -> None:
    store.fill(NOT_CACHED, Layout(1024).label, lambda: [b"0123"])
    assert store.on_disk() == {}


def test_what_does_not_reach_the_bucket_is_not_kept_here_either(
    directory: SegmentDirectory, tmp_path: Path
) -> None:
    client = s3_client("http://127.0.0.1:9")
    bucket = SegmentBucket(Clients(client, client), "none", "", tmp_path)
    store = CachedBucket(directory, bucket, lambda _: True)
    with pytest.raises(StoreUnreachable):
        store.publish(NAME, [b"0123"])
    assert directory.names() == []


def test_the_bucket_and_the_directory_have_one_label(
    store: CachedBucket, directory: SegmentDirectory, bucket: SegmentBucket
) -> None:
    one, two = Layout(1024).label, Layout(2048).label
    assert store.set_label(one) == one
    assert (directory.label(), bucket.label()) == (one, one)
    other = CachedBucket(SegmentDirectory(directory.path.parent), bucket, lambda _: True)
    assert other.set_label(two) == one


def test_the_label_of_a_bucket_is_never_replaced(
    store: CachedBucket, directory: SegmentDirectory, bucket: SegmentBucket
) -> None:
    one, two = Layout(1024).label, Layout(2048).label
    directory.set_label(two)
    bucket.set_label(one)
    assert store.set_label(two, instead_of=one) == one
    assert store.set_label(one, instead_of=two) == one
    assert (directory.label(), bucket.label()) == (one, one)
