import os
from threading import Event
from time import sleep

import pytest

from sequence import background


def test_periodic_work_that_fails_is_done_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(background, "EVERY_S", 0.01)
    failed, ended = 0, Event()

    def act() -> None:
        nonlocal failed
        failed += 1
        if failed < 3:
            raise MemoryError
        # The thread lives as long as the process.
        monkeypatch.undo()
        ended.set()

    background.start_periodic(act)
    assert ended.wait(10)
    assert caplog.text.count("Periodic work has failed.") == 2


def test_periodic_work_goes_on_if_there_is_no_memory_to_wait_or_to_log(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(background, "EVERY_S", 0.01)
    faults, ended = [MemoryError(), MemoryError(), MemoryError()], Event()

    def short_of_memory(*_: object) -> None:
        if faults:
            raise faults.pop()
        sleep(0.01)

    def act() -> None:
        if faults:
            raise MemoryError
        ended.set()

    monkeypatch.setattr("sequence.background.sleep", short_of_memory)
    monkeypatch.setattr(background.log, "exception", short_of_memory)
    background.start_periodic(act)
    assert ended.wait(10)


def test_a_child_has_threads_of_its_own() -> None:
    pool = background.Background(1, "test")
    assert pool.submit("before", lambda: 1).result(10) == 1
    child = os.fork()
    if child == 0:
        os._exit(0 if pool.submit("after", lambda: 2).result(10) == 2 else 1)
    assert os.waitpid(child, 0)[1] == 0
