import fcntl
import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sequence.store.directory import SegmentDirectory
from sequence.text.span import Span

NAME = "00000007.txt"


@pytest.fixture
def store(tmp_path: Path) -> SegmentDirectory:
    return SegmentDirectory(tmp_path / "segments")


def publish(store: SegmentDirectory, content: bytes) -> None:
    with store.sole_builder(NAME):
        store.publish(NAME, [content])


def names(store: SegmentDirectory) -> list[str]:
    return sorted(path.name for path in store.path.iterdir())


def test_nothing_is_left_beside_a_published_segment(store: SegmentDirectory) -> None:
    publish(store, b"0123")
    assert names(store) == [NAME]


def test_what_fails_on_the_way_leaves_nothing(store: SegmentDirectory) -> None:
    def failing() -> Iterator[bytes]:
        yield b"0123"
        raise OSError("No space left on device")

    with pytest.raises(OSError, match="No space left"), store.sole_builder(NAME):
        store.publish(NAME, failing())
    assert names(store) == []


def test_a_name_appears_only_after_its_bytes_are_on_the_disk(
    store: SegmentDirectory, monkeypatch: pytest.MonkeyPatch
) -> None:
    events = []
    fsync, rename = os.fsync, Path.rename

    def noted_fsync(descriptor: int) -> None:
        target = Path(f"/proc/self/fd/{descriptor}").readlink()
        events.append(("fsync", target.name, target.stat().st_size if target.is_file() else 0))
        fsync(descriptor)

    def noted_rename(path: Path, target: Path) -> Path:
        events.append(("rename", target.name, path.stat().st_size))
        return rename(path, target)

    monkeypatch.setattr(os, "fsync", noted_fsync)
    monkeypatch.setattr(Path, "rename", noted_rename)
    publish(store, b"0123")
    assert events == [
        ("fsync", "00000007.txt.part", 4),
        ("rename", NAME, 4),
        ("fsync", "segments", 0),
    ]


def test_builders_of_one_segment_take_turns(store: SegmentDirectory) -> None:
    at_work: list[int] = []
    most = []

    def build() -> None:
        for _ in range(20):
            with store.sole_builder(NAME):
                at_work.append(1)
                most.append(len(at_work))
                at_work.pop()

    threads = [threading.Thread(target=build) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(most) == 160
    assert max(most) == 1
    assert names(store) == []


def test_builders_of_two_segments_do_not_wait(store: SegmentDirectory) -> None:
    with store.sole_builder("00000001.txt"), store.sole_builder("00000002.txt"):
        assert names(store) == ["00000001.txt.lock", "00000002.txt.lock"]


def test_what_the_dead_left_is_removed_and_nothing_else(store: SegmentDirectory) -> None:
    publish(store, b"0123")
    for leftover in ("00000006.txt.part", "00000008.txt.lock", "00000008.txt.part"):
        (store.path / leftover).touch()
    with store.sole_builder("00000009.txt"):
        (store.path / "00000009.txt.part").touch()
        for name in store.abandoned():
            assert store.is_being_made(name)
        assert names(store) == [NAME, "00000009.txt.lock", "00000009.txt.part"]
    # Its builder is gone too, now.
    assert list(store.abandoned()) == ["00000009.txt"]
    assert names(store) == [NAME]


def test_a_builder_goes_on_where_another_one_died(store: SegmentDirectory) -> None:
    store.path.mkdir()
    (store.path / "00000007.txt.lock").touch()
    (store.path / "00000007.txt.part").write_bytes(b"half of something longer")
    publish(store, b"0123")
    assert b"".join(store.read(NAME, Span(0, 4))) == b"0123"
    assert names(store) == [NAME]


def test_a_lock_that_was_removed_meanwhile_is_taken_anew(store: SegmentDirectory) -> None:
    """A builder that waited for a file which is gone must not work beside one with a new file."""
    entered = threading.Event()

    def build() -> None:
        with store.sole_builder(NAME):
            entered.set()

    store.path.mkdir()
    path = store.path / "00000007.txt.lock"
    with path.open("w") as old:
        fcntl.flock(old, fcntl.LOCK_EX)
        thread = threading.Thread(target=build)
        thread.start()
        assert not entered.wait(0.2)
        path.unlink()
        new = path.open("w")
        fcntl.flock(new, fcntl.LOCK_EX)
    with new:
        assert not entered.wait(0.2)
    thread.join(10)
    assert entered.is_set()
