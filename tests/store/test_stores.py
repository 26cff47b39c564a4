"""What every store of segments must do, the same for each of them."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sequence.errors import BlockMismatch, SegmentShort
from sequence.store.bucket import Clients, SegmentBucket
from sequence.store.cache import CachedBucket
from sequence.store.checksum import BLOCK_BYTES, BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.store.store import CHUNK_BYTES, Segments, Store
from sequence.text.layout import Layout
from sequence.text.span import Span

NAME = "00000007.txt"
LABEL, OTHER_LABEL = Layout(1024).label, Layout(2048).label
LONG = os.urandom(2 * CHUNK_BYTES + 1)


@pytest.fixture(params=["directory", "bucket", "cached", "not cached"])
def store(request: pytest.FixtureRequest, tmp_path: Path, s3: Any, bucket_name: str) -> Segments:
    directory = SegmentDirectory(tmp_path / "segments")
    directory.path.mkdir()
    bucket = SegmentBucket(Clients(s3, s3), bucket_name, "fibo/segments", tmp_path)
    if request.param == "directory":
        return directory
    if request.param == "bucket":
        return bucket
    return CachedBucket(directory, bucket, lambda _: request.param == "cached")


def checksums(content: bytes) -> bytes:
    summing = BlockChecksums()
    summing.update(content)
    return summing.digest()


def test_lengths_are_those_of_all_plain_segments(store: Segments) -> None:
    assert store.lengths() == {}
    store.publish(NAME, [b"01234", b"56789"])
    store.publish("00000008.txt", [b"0"])
    store.publish("00000008.csv.gzip-level1", [b"0"])
    store.set_label("label")
    assert store.lengths() == {NAME: 10, "00000008.txt": 1}


@pytest.mark.parametrize("span", [(0, 0), (0, 1), (3, 10), (9, 10), (0, 10)])
def test_a_span_is_read_exactly(store: Segments, span: tuple[int, int]) -> None:
    assert store.publish(NAME, [b"01234", memoryview(b"56789")]) == 10
    assert b"".join(store.read(NAME, Span(*span))) == b"0123456789"[slice(*span)]


def test_a_long_span_comes_in_chunks(store: Segments) -> None:
    store.publish(NAME, [LONG])
    chunks = list(store.read(NAME, Span(0, len(LONG))))
    assert [len(chunk) for chunk in chunks] == [CHUNK_BYTES, CHUNK_BYTES, 1]
    assert b"".join(chunks) == LONG


def test_a_short_segment_is_no_short_answer(store: Segments) -> None:
    store.publish(NAME, [b"0123456789"])
    for span in (Span(5, 11), Span(10, 11), Span(20, 30)):
        with pytest.raises(SegmentShort, match=rf"it must reach byte {span.stop}"):
            list(store.read(NAME, span))


def test_of_a_short_segment_what_there_is_can_be_had(store: Segments) -> None:
    store.publish(NAME, [b"0123456789"])
    assert store.part(NAME, Span(5, 11)) == b"56789"
    assert store.part("00000008.txt", Span(0, 1)) == b""


def test_reading_what_is_not_there_raises(store: Segments) -> None:
    with pytest.raises(FileNotFoundError):
        list(store.read(NAME, Span(0, 1)))


def test_a_reader_may_stop_early_again_and_again(store: Segments) -> None:
    store.publish(NAME, [LONG])
    for _ in range(50):
        reader = store.read(NAME, Span(0, len(LONG)))
        assert next(reader) == LONG[:CHUNK_BYTES]
        reader.close()  # type: ignore[attr-defined]


def test_blocks_are_given_only_when_they_are_right(store: Segments) -> None:
    content = LONG[: 2 * BLOCK_BYTES]
    store.publish(NAME, [content])
    whole = Span(0, len(content))
    assert b"".join(store.read_checked(NAME, whole, checksums(content))) == content
    with pytest.raises(BlockMismatch):
        list(store.read_checked(NAME, whole, checksums(bytes(len(content)))))


def test_a_segment_is_right_only_with_all_its_bytes_and_no_others(store: Segments) -> None:
    store.publish(NAME, [LONG])
    (segment, *_) = store.replicas(NAME) if isinstance(store, Store) else [store]
    assert segment.is_right(NAME, len(LONG), checksums(LONG))
    assert not segment.is_right(NAME, len(LONG), checksums(LONG[::-1]))
    assert not segment.is_right(NAME, len(LONG) - 1, checksums(LONG[:-1]))
    assert b"".join(store.read(NAME, Span(0, len(LONG)))) == LONG
    store.remove(NAME)
    assert not segment.is_right(NAME, len(LONG), checksums(LONG))


def test_what_fails_on_the_way_leaves_nothing(store: Segments) -> None:
    def failing() -> Iterator[bytes]:
        yield b"0123"
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        store.publish(NAME, failing())
    assert store.names() == []
    assert store.length(NAME) is None


def test_names_are_those_of_segments_and_of_nothing_else(store: Segments) -> None:
    store.set_label(LABEL)
    segments = [f"{number:08}.txt" for number in range(30)]
    others = [
        "7.txt",
        "000000007.txt",
        "٠٠٠٠٠٠٠٠.txt",
        "00000007.txt~",
        "9" * 19 + ".txt",
        "00000003.jsonl",
    ]
    for name in (*segments, *others):
        store.publish(name, [b"1 "])
    assert sorted(store.names()) == sorted(segments)
    assert sorted(store.foreign()) == sorted(others)


def test_what_is_removed_is_gone_and_may_be_removed_again(store: Segments) -> None:
    store.publish(NAME, [b"0123456789"])
    assert store.length(NAME) == 10
    store.remove(NAME)
    store.remove(NAME)
    assert store.length(NAME) is None
    assert store.names() == []


def test_the_first_label_stays(store: Segments) -> None:
    assert store.label() is None
    assert store.set_label(LABEL) == LABEL
    assert store.set_label(OTHER_LABEL) == LABEL
    assert store.label() == LABEL


def test_a_label_that_says_nothing_is_none(store: Segments) -> None:
    for damaged in (b"", LABEL.encode()[1:], LABEL.replace("1", "\x00").encode(), b"\xff" * 5000):
        store.remove("layout.json")
        store.publish("layout.json", [damaged])
        assert store.label() is None


def test_a_label_is_replaced_in_a_directory_only_by_who_knows_it(tmp_path: Path) -> None:
    store = SegmentDirectory(tmp_path / "segments")
    assert store.set_label(LABEL) == LABEL
    assert store.set_label(OTHER_LABEL, instead_of=OTHER_LABEL) == LABEL
    assert store.set_label(OTHER_LABEL, instead_of=LABEL) == OTHER_LABEL


@pytest.mark.parametrize("store", ["directory", "cached", "not cached"], indirect=True)
def test_what_is_wrong_is_removed_unless_it_is_the_only_file(store: Store) -> None:
    for content in (LONG, LONG[::-1]):
        store.publish(NAME, [LONG])
        is_right = content == LONG
        assert store.verify_or_remove(NAME, len(LONG), checksums(content)) == is_right
        kept = is_right or isinstance(store, SegmentDirectory)
        assert (store.length(NAME) is not None) == kept


@pytest.mark.parametrize("store", ["directory", "cached", "not cached"], indirect=True)
def test_lengths_at_once_are_those_of_files_that_exist_or_as_recorded(store: Store) -> None:
    store.publish(NAME, [b"0123456789"])
    recorded = {NAME: 9, "00000008.txt": 5}
    is_local = isinstance(store, SegmentDirectory)
    assert store.lengths_at_once(recorded) == ({NAME: 10} if is_local else recorded)
