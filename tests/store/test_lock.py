import os
import threading
from pathlib import Path

import pytest

from sequence.store.lock import exclusive, exclusive_directory, read_if_held


def test_a_lock_that_is_held_is_waited_for_or_not(tmp_path: Path) -> None:
    path, entered = tmp_path / "x.lock", threading.Event()

    def enter() -> None:
        with exclusive(path):
            entered.set()

    thread = threading.Thread(target=enter)
    with exclusive(path):
        with pytest.raises(BlockingIOError), exclusive(path, wait=False):
            pass
        thread.start()
        assert not entered.wait(0.2)
    thread.join(10)
    assert entered.is_set()
    assert list(tmp_path.iterdir()) == []


def test_the_lock_of_a_directory_leaves_nothing_in_it(tmp_path: Path) -> None:
    entered = threading.Event()

    def enter() -> None:
        with exclusive_directory(tmp_path):
            entered.set()

    thread = threading.Thread(target=enter)
    with exclusive_directory(tmp_path):
        thread.start()
        assert not entered.wait(0.2)
        assert list(tmp_path.iterdir()) == []
    thread.join(10)
    assert entered.is_set()


def test_what_a_holder_writes_is_read_while_it_holds_the_lock(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    assert read_if_held(path, 10) is None
    with exclusive(path) as file:
        assert read_if_held(path, 10) == b""
        os.pwrite(file.fileno(), b"half done", 0)
        assert read_if_held(path, 4) == b"half"
    assert read_if_held(path, 10) is None
    path.write_bytes(b"left")
    assert read_if_held(path, 10) is None


def test_who_reads_takes_the_lock_from_nobody(tmp_path: Path) -> None:
    path = tmp_path / "x.lock"
    with exclusive(path):
        read_if_held(path, 10)
        with pytest.raises(BlockingIOError), exclusive(path, wait=False):
            pass
