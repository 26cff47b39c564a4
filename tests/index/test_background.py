from threading import Event

import pytest

from sequence import background


def test_what_fails_now_and_then_is_done_again(
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

    background.now_and_then(act)
    assert ended.wait(10)
    assert caplog.text.count("What is done now and then has failed.") == 2
