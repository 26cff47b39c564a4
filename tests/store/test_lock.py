import threading
from pathlib import Path

import pytest

from sequence.store.lock import exclusive, exclusive_directory


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
