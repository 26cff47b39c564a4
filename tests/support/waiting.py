"""Waiting for what happens in the background, and doing something there."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import monotonic, sleep


def idle() -> None:
    """Waits until nothing is being made in the background."""
    from sequence.index import health
    from sequence.operations import jobs
    from sequence.segments import build

    for background in (jobs.running, build.builders, health.index_thread):
        # What is being made may have more made.
        while futures := list(background._under_way.values()):
            for future in futures:
                future.exception(60)


def soon(expected: float, found: Callable[[], float]) -> None:
    """Waits until what is found is what is expected: some things are done after an answer."""
    deadline = monotonic() + 30
    while found() != expected and monotonic() < deadline:
        sleep(0.01)
    assert found() == expected


def until(true: Callable[[], bool], timeout_s: float = 60) -> None:
    """Waits until it is true."""
    deadline = monotonic() + timeout_s
    while not true():
        assert monotonic() < deadline
        sleep(0.02)


@contextmanager
def again_and_again(act: Callable[[], object], every_s: float) -> Iterator[None]:
    """Something that is done beside the block, until its end."""
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every_s):
            act()

    thread = threading.Thread(target=go_on)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join(60)
