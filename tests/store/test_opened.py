"""Files are opened once for all who read them, and blocks are checked once in ten seconds."""

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from time import sleep

import pytest

from sequence.errors import BlockMismatch, SegmentShort
from sequence.store import opened as opened_module
from sequence.store.checksum import BLOCK_BYTES, BlockChecksums
from sequence.store.directory import SegmentDirectory
from sequence.store.opened import MAX_OPEN, TRUSTED_S, SegmentFile, close_unused
from sequence.text.span import Span

NAME = "00000007.txt"
CONTENT = os.urandom(3 * BLOCK_BYTES + 5)
MIDDLE = Span(BLOCK_BYTES + 7, BLOCK_BYTES + 9)

Opened = Callable[[], SegmentFile]


def checksums(content: bytes = CONTENT) -> bytes:
    summing = BlockChecksums()
    summing.update(content)
    return summing.digest()


@pytest.fixture(autouse=True)
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time by which checks grow old, which stands still; files are settled after a tick."""
    opened_module._files.clear()  # of other tests, by another clock
    seconds = [1000.0]
    monkeypatch.setattr(opened_module, "monotonic", lambda: seconds[0])
    monkeypatch.setattr(opened_module, "SETTLED_NS", 0)
    yield seconds
    opened_module._files.clear()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / NAME
    path.write_bytes(CONTENT)
    sleep(0.02)
    return path


@pytest.fixture
def opened(path: Path) -> Opened:
    """Opens the segment, or finds it open."""
    return lambda: SegmentDirectory(path.parent).file(NAME, len(CONTENT))


@pytest.fixture
def read_bytes(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many bytes were read, each time."""
    found: list[int] = []
    pread, preadv = os.pread, os.preadv

    def noted(count: int) -> int:
        found.append(count)
        return count

    def noted_pread(*arguments: int) -> bytes:
        content = pread(*arguments)
        noted(len(content))
        return content

    monkeypatch.setattr(os, "pread", noted_pread)
    monkeypatch.setattr(os, "preadv", lambda *arguments: noted(preadv(*arguments)))
    return found


def test_a_checked_block_is_not_read_again_for_ten_seconds(
    opened: Opened, clock: list[float], read_bytes: list[int]
) -> None:
    assert [opened().check(Span(0, len(CONTENT)), checksums()) for _ in range(3)] == [4, 0, 0]
    assert read_bytes == [BLOCK_BYTES] * 3 + [5]
    clock[0] += 0.9 * TRUSTED_S
    assert opened().check(MIDDLE, checksums()) == 0
    clock[0] += 0.2 * TRUSTED_S
    assert opened().check(MIDDLE, checksums()) == 1


def test_of_a_checked_block_only_the_bytes_asked_for_are_read(
    opened: Opened, read_bytes: list[int]
) -> None:
    for _ in range(3):
        assert opened().read(MIDDLE, checksums())[0] == CONTENT[slice(*MIDDLE)]
    assert read_bytes == [BLOCK_BYTES, 2, 2]


@pytest.mark.parametrize("start", [0, 1, BLOCK_BYTES - 1, BLOCK_BYTES, len(CONTENT) - 1])
@pytest.mark.parametrize("stop", [1, BLOCK_BYTES, BLOCK_BYTES + 1, len(CONTENT)])
def test_any_span_is_read_exactly_whatever_was_checked_before(
    opened: Opened, start: int, stop: int
) -> None:
    for _ in range(2):
        found, _ = opened().read(Span(start, max(start, stop)), checksums())
        assert found == CONTENT[start:stop]


def write(path: Path, at: int, content: bytes) -> None:
    with path.open("r+b") as file:
        file.seek(at)
        file.write(content)


def replace(path: Path, content: bytes) -> None:
    path.with_suffix(".part").write_bytes(content)
    path.with_suffix(".part").rename(path)


def write_and_set_back(path: Path) -> None:
    """Write to it, and give it the time that it had."""
    status = path.stat()
    write(path, MIDDLE.start, b"-")
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def become_directory(path: Path) -> None:
    """Have a directory in its place."""
    path.unlink()
    path.mkdir()


def become_link(path: Path) -> None:
    """Have a link in its place, which leads to it."""
    path.rename(path.with_suffix(".moved"))
    path.symlink_to(path.with_suffix(".moved"))


CHANGES: dict[str, Callable[[Path], object]] = {
    "a byte is written": lambda path: write(path, MIDDLE.start, b"-"),
    "a byte is written and its time set back": write_and_set_back,
    "cut": lambda path: os.truncate(path, MIDDLE.start),
    "emptied": lambda path: os.truncate(path, 0),
    "replaced": lambda path: replace(path, bytes(len(CONTENT))),
    "replaced by a shorter one": lambda path: replace(path, CONTENT[: MIDDLE.start]),
    "deleted": Path.unlink,
    "a directory now": become_directory,
    "a link now": become_link,
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
def test_after_any_change_of_the_file_no_check_holds(
    opened: Opened, path: Path, change: Callable[[Path], object]
) -> None:
    before = opened()
    assert before.check(Span(0, len(CONTENT)), checksums()) == 4
    change(path)
    with pytest.raises(OSError, match="has changed"):
        before.check(MIDDLE, checksums())
    with pytest.raises((BlockMismatch, SegmentShort, OSError)):
        opened().read(MIDDLE, checksums())


def test_a_change_while_bytes_are_read_is_found(
    opened: Opened, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, pread = opened(), os.pread
    file.check(Span(0, len(CONTENT)), checksums())

    def changing(*arguments: int) -> bytes:
        monkeypatch.undo()
        write(path, MIDDLE.start, b"-")
        return pread(*arguments)

    monkeypatch.setattr(os, "pread", changing)
    with pytest.raises(BlockMismatch):
        file.read(MIDDLE, checksums())


def test_of_a_file_that_was_just_written_no_check_is_remembered(
    opened: Opened, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another change may leave the same times, which are those of a clock with ticks."""
    same = opened_module._identity(path.stat())
    monkeypatch.setattr(opened_module, "_identity", lambda _: same)
    monkeypatch.setattr(opened_module, "SETTLED_NS", 60 * 10**9)
    file = opened()
    assert not file.is_settled()
    assert [file.check(MIDDLE, checksums()) for _ in range(2)] == [1, 1]
    assert file.read(MIDDLE, checksums())[1] == 1
    write(path, MIDDLE.start, b"-")
    with pytest.raises(BlockMismatch):
        opened().read(MIDDLE, checksums())


def test_what_changes_without_a_trace_is_found_after_ten_seconds(
    opened: Opened, path: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As on a disk that loses a bit: no time tells of it."""
    same = opened_module._identity(path.stat())
    monkeypatch.setattr(opened_module, "_identity", lambda _: same)
    opened().check(MIDDLE, checksums())
    write(path, MIDDLE.start, b"-")
    assert opened().check(MIDDLE, checksums()) == 0
    clock[0] += 1.1 * TRUSTED_S
    with pytest.raises(BlockMismatch):
        opened().check(MIDDLE, checksums())


def descriptors(path: Path) -> int:
    """How many of this process lead to files of the directory, or led."""
    found = 0
    for each in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # that of the list itself
            found += str(path) in str(each.readlink())
    return found


def test_a_file_is_open_once_and_closed_when_nobody_has_it(
    opened: Opened, path: Path, clock: list[float]
) -> None:
    readers = [opened() for _ in range(10)]
    assert len(set(map(id, readers))) == 1
    assert descriptors(path.parent) == 1
    replace(path, CONTENT)
    assert opened() is not readers[0]
    assert descriptors(path.parent) == 2
    readers.clear()
    assert descriptors(path.parent) == 1
    path.unlink()
    with pytest.raises(FileNotFoundError):
        opened()
    assert descriptors(path.parent) == 0


def test_what_was_deleted_and_nobody_asks_for_is_closed_within_a_while(
    opened: Opened, path: Path, clock: list[float]
) -> None:
    reader = opened()
    path.unlink()
    close_unused()
    clock[0] += 1.1 * TRUSTED_S
    close_unused()
    assert descriptors(path.parent) == 1
    assert reader.read(MIDDLE, checksums())[0] == CONTENT[slice(*MIDDLE)]
    del reader
    assert descriptors(path.parent) == 0


def test_so_many_files_are_kept_open_at_most(tmp_path: Path, clock: list[float]) -> None:
    store = SegmentDirectory(tmp_path)
    for number in range(MAX_OPEN + 10):
        clock[0] += 0.001
        name = f"{number:08}.txt"
        (tmp_path / name).write_bytes(CONTENT)
        assert store.file(name, len(CONTENT)).name == name
    assert descriptors(tmp_path) == MAX_OPEN
    assert store.file(name, len(CONTENT)) is store.file(name, len(CONTENT))


def test_a_longer_segment_of_the_same_file_is_checked_again(path: Path) -> None:
    store, length = SegmentDirectory(path.parent), BLOCK_BYTES + 10
    shorter = store.file(NAME, length)
    assert shorter.check(MIDDLE, checksums(CONTENT[:length])) == 1
    assert store.file(NAME, len(CONTENT)).check(MIDDLE, checksums()) == 1
