import fcntl
import os
import re
import socket
import stat
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sequence.errors import NotSegmentFile, NotStoreDirectory
from sequence.store.directory import SegmentDirectory
from sequence.text.layout import Layout
from sequence.text.span import Span

NAME = "00000007.txt"
LABEL = Layout(1024).label


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
        ("fsync", store.path.parent.name, 0),  # the directory has been made
        ("fsync", "00000007.txt.part", 4),
        ("rename", NAME, 4),
        ("fsync", "segments", 0),
    ]


def test_a_failure_on_the_way_leaves_what_was_there(store: SegmentDirectory) -> None:
    def failing() -> Iterator[bytes]:
        yield b"4567"
        raise OSError("No space left on device")

    publish(store, b"0123")
    with pytest.raises(OSError, match="No space left"), store.sole_builder(NAME):
        store.publish(NAME, failing())
    assert b"".join(store.read(NAME, Span(0, 4))) == b"0123"
    assert names(store) == [NAME]


def bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))


def full_directory(path: Path) -> None:
    path.mkdir()
    (path / "precious").write_text("precious")


def link_to_precious(path: Path) -> None:
    path.with_name("precious").write_text("precious")
    path.symlink_to("precious")


def second_name_of_precious(path: Path) -> None:
    path.with_name("precious").write_text("precious")
    path.hardlink_to(path.with_name("precious"))


IRREGULAR: dict[str, Callable[[Path], object]] = {
    "FIFO": os.mkfifo,
    "socket": bind,
    "device": lambda path: os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 7)),  # /dev/full
    "link": link_to_precious,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "loop": lambda path: path.symlink_to(path),
    "empty directory": Path.mkdir,
}
"""What may have a name of the store's and is no regular file: making it."""


def in_time(act: Callable[[], object]) -> None:
    """Does it, which could wait for ever."""
    with ThreadPoolExecutor(1) as pool:
        try:
            pool.submit(act).result(10)
        except TimeoutError:
            os._exit(1)  # nothing else ends the thread


@pytest.fixture(params=IRREGULAR)
def irregular(request: pytest.FixtureRequest) -> Callable[[Path], object]:
    if request.param == "device" and os.geteuid():
        pytest.skip("only root makes devices")
    return IRREGULAR[request.param]


@pytest.mark.parametrize("suffix", ["", ".part", ".lock"])
def test_what_is_no_file_gives_way_to_a_segment_and_is_never_opened(
    store: SegmentDirectory, irregular: Callable[[Path], object], suffix: str
) -> None:
    store.path.mkdir()
    irregular(store.path / (NAME + suffix))
    in_time(lambda: publish(store, b"0123"))
    assert b"".join(store.read(NAME, Span(0, 4))) == b"0123"
    assert stat.S_ISREG((store.path / NAME).lstat().st_mode)
    assert set(names(store)) - {"precious"} == {NAME}
    if (precious := store.path / "precious").exists():
        assert precious.read_text() == "precious"


def test_what_is_no_file_is_not_read(
    store: SegmentDirectory, irregular: Callable[[Path], object]
) -> None:
    store.path.mkdir()
    irregular(store.path / NAME)
    irregular(store.path / "layout.json")

    def read() -> None:
        with pytest.raises(NotSegmentFile, match=r"00000007\.txt is a .*; it must be a regular"):
            list(store.read(NAME, Span(0, 1)))
        assert store.length(NAME) is None
        assert store.part(NAME, Span(0, 1)) == b""
        assert store.label() is None

    in_time(read)
    in_time(lambda: store.set_label(LABEL))
    assert store.label() == LABEL


@pytest.mark.parametrize("suffix", ["", ".part", ".lock"])
def test_another_name_of_a_file_leaves_the_file_as_it_is(
    store: SegmentDirectory, suffix: str
) -> None:
    store.path.mkdir()
    second_name_of_precious(store.path / (NAME + suffix))
    publish(store, b"0123")
    assert (store.path / "precious").read_text() == "precious"


@pytest.mark.parametrize("suffix", ["", ".part", ".lock"])
def test_a_directory_with_something_in_it_stays_and_is_told_of(
    store: SegmentDirectory, suffix: str
) -> None:
    store.path.mkdir()
    full_directory(store.path / (NAME + suffix))
    with pytest.raises(NotSegmentFile, match=r"is a directory that is not empty; it must be"):
        publish(store, b"0123")
    assert names(store) == [NAME + suffix]
    assert (store.path / (NAME + suffix) / "precious").read_text() == "precious"


def test_builders_that_meet_a_link_in_the_place_of_their_lock_take_turns(
    store: SegmentDirectory,
) -> None:
    at_work: list[int] = []
    most: list[int] = []

    def build(_: int) -> None:
        start.wait(10)
        with store.sole_builder(NAME):
            at_work.append(1)
            most.append(len(at_work))
            at_work.pop()

    store.path.mkdir()
    start = threading.Barrier(8)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            (store.path / f"{NAME}.lock").symlink_to("nowhere")
            list(pool.map(build, range(8)))
    assert len(most) == 400
    assert max(most) == 1
    assert names(store) == []


@pytest.mark.parametrize(
    ("make", "why"),
    [
        (lambda path: path.write_text(""), "is a file; it must be a directory: move it away"),
        (os.mkfifo, "is a FIFO, socket or device; it must be a directory: move it away"),
        (lambda path: path.symlink_to("/nowhere"), "is a link to /nowhere, which is no directory"),
        (lambda path: path.symlink_to("/etc/passwd"), "is a link to /etc/passwd, which is no dire"),
        (lambda path: path.symlink_to(path), "cannot be read (Too many levels of symbolic links)"),
    ],
    ids=["a file", "a FIFO", "a disk that is not mounted", "a link to a file", "a loop"],
)
def test_what_is_no_directory_is_told_in_a_sentence(
    store: SegmentDirectory, make: Callable[[Path], object], why: str
) -> None:
    make(store.path)
    with pytest.raises(NotStoreDirectory, match=re.escape(f"{store.path} {why}")):
        store.assert_usable()


def test_a_link_to_a_directory_is_the_choice_of_the_operator(
    store: SegmentDirectory, tmp_path: Path
) -> None:
    store.assert_usable()  # not yet there
    (tmp_path / "disk").mkdir()
    store.path.symlink_to("disk")
    store.assert_usable()
    publish(store, b"0123")
    assert (tmp_path / "disk" / NAME).read_bytes() == b"0123"


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
    foreign = ["notes.lock", "notes.part", "7.txt.lock"]
    for name in foreign:
        (store.path / name).touch()
    with store.sole_builder("00000009.txt"):
        (store.path / "00000009.txt.part").touch()
        for name in store.abandoned():
            assert store.is_being_built(name)
        at_work = ["00000009.txt.lock", "00000009.txt.part"]
        assert names(store) == sorted([NAME, *at_work, *foreign])
    # Its builder is gone too, now.
    assert list(store.abandoned()) == ["00000009.txt"]
    assert names(store) == sorted([NAME, *foreign])


def test_a_builder_goes_on_where_another_one_died(store: SegmentDirectory) -> None:
    store.path.mkdir()
    (store.path / "00000007.txt.lock").touch()
    (store.path / "00000007.txt.part").write_bytes(b"half of something longer")
    publish(store, b"0123")
    assert b"".join(store.read(NAME, Span(0, 4))) == b"0123"
    assert names(store) == [NAME]


def test_a_lock_that_was_removed_is_taken_again(store: SegmentDirectory) -> None:
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
