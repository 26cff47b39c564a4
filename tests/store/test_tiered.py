from pathlib import Path
from typing import Any

import pytest

from sequence.errors import StoreUnreachable
from sequence.store.bucket import SegmentBucket
from sequence.store.directory import SegmentDirectory
from sequence.store.tiered import TieredStore
from sequence.text.layout import Layout
from sequence.text.span import Span
from tests.support.objects import s3_client

NAME, NOT_COPIED = "00000007.txt", "00000008.txt"


@pytest.fixture
def directory(tmp_path: Path) -> SegmentDirectory:
    directory = SegmentDirectory(tmp_path / "segments")
    directory.path.mkdir()
    return directory


@pytest.fixture
def bucket(s3: Any, bucket_name: str, tmp_path: Path) -> SegmentBucket:
    return SegmentBucket(s3, bucket_name, "", tmp_path)


@pytest.fixture
def store(directory: SegmentDirectory, bucket: SegmentBucket) -> TieredStore:
    return TieredStore(directory, bucket, lambda name: name == NAME)


def test_only_what_is_to_be_copied_is_on_this_host(
    store: TieredStore, directory: SegmentDirectory, bucket: SegmentBucket
) -> None:
    for name in (NAME, NOT_COPIED):
        store.publish(name, [b"0123"])
    assert directory.names() == [NAME]
    assert sorted(bucket.names()) == [NAME, NOT_COPIED]
    assert (store.is_far(NAME), store.is_far(NOT_COPIED)) == (False, True)
    assert list(directory.path.parent.glob("*")) == [directory.path]


def test_a_copy_is_read_without_the_bucket(store: TieredStore, bucket: SegmentBucket) -> None:
    store.publish(NAME, [b"0123"])
    bucket.remove(NAME)
    assert list(store.read(NAME, Span(0, 4))) == [b"0123"]


def test_a_copy_that_is_gone_is_lacking_and_read_from_the_bucket(
    store: TieredStore, directory: SegmentDirectory
) -> None:
    store.publish(NAME, [b"0123"])
    assert not store.lacks_copy(NAME)
    directory.remove(NAME)
    assert store.lacks_copy(NAME)
    assert not store.lacks_copy(NOT_COPIED)
    assert list(store.read(NAME, Span(0, 4))) == [b"0123"]


def test_what_does_not_reach_the_bucket_is_not_kept_here_either(
    directory: SegmentDirectory, tmp_path: Path
) -> None:
    bucket = SegmentBucket(s3_client("http://127.0.0.1:9"), "none", "", tmp_path)
    store = TieredStore(directory, bucket, lambda _: True)
    with pytest.raises(StoreUnreachable):
        store.publish(NAME, [b"0123"])
    assert directory.names() == []


def test_the_bucket_and_the_directory_have_one_label(
    store: TieredStore, directory: SegmentDirectory, bucket: SegmentBucket
) -> None:
    one, two = Layout(1024).label, Layout(2048).label
    assert store.set_label(one) == one
    assert (directory.label(), bucket.label()) == (one, one)
    other = TieredStore(SegmentDirectory(directory.path.parent), bucket, lambda _: True)
    assert other.set_label(two) == one


def test_the_label_of_a_bucket_is_never_replaced(
    store: TieredStore, directory: SegmentDirectory, bucket: SegmentBucket
) -> None:
    one, two = Layout(1024).label, Layout(2048).label
    directory.set_label(two)
    bucket.set_label(one)
    assert store.set_label(two, instead_of=one) == one
    assert store.set_label(one, instead_of=two) == one
    assert (directory.label(), bucket.label()) == (one, one)
