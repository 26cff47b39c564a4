from threading import Event

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
