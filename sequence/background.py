"""Makes things by name in threads of its own, each once for all who ask for it meanwhile."""

import logging
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any, TypeVar

from django.db import connection

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Item = TypeVar("Item")

AHEAD = 16
"""How many items of a long list each worker may be ahead of who asks for the next one."""

EVERY_S = 10
"""How often is done what is done now and then."""


class Background:
    """So many threads, and what they are to make."""

    def __init__(self, threads: int, name: str) -> None:
        self._pool = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._under_way: dict[str, Future[Any]] = {}
        self._asking = threading.Lock()
        self.stopped = False

    def soon(self, name: str, make: Callable[[], Made]) -> Future[Made | None]:
        """Return what `make` makes under that name, when it has been made.

        At once None if it cannot be begun: the process ends, or no thread can be started.
        """
        with self._asking:
            if name in self._under_way:
                return self._under_way[name]
            try:
                future: Future[Made | None] = self._pool.submit(in_thread, make)
            except RuntimeError:
                return at_once(None)
            self._under_way[name] = future
        future.add_done_callback(lambda _: self._under_way.pop(name))
        return future

    def stop(self) -> None:
        """Forgets what has not been begun, so that the process need not wait for it at its end."""
        self.stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)


def each(
    make: Callable[[Item], Made], items: Iterable[Item], workers: int
) -> Generator[tuple[Item, Future[Made]]]:
    """Have something made of each item, `workers` at once, and yield the items in order.

    Each comes with a future that ends soon. Can be stopped at any time.
    """
    pool = ThreadPoolExecutor(workers, thread_name_prefix=make.__name__)
    waiting: deque[tuple[Item, Future[Made]]] = deque()
    try:
        for item in items:
            waiting.append((item, pool.submit(in_thread, partial(make, item))))
            if len(waiting) > AHEAD * workers:
                yield waiting.popleft()
        while waiting:
            yield waiting.popleft()
    finally:
        pool.shutdown(cancel_futures=True)


def now_and_then(*acts: Callable[[], object]) -> None:
    """Start a thread that does all of this again and again, as long as the process lives."""

    def go_on() -> None:
        pause = threading.Event()
        while not pause.wait(EVERY_S):
            for act in acts:
                try:
                    in_thread(act)
                except Exception:
                    log.exception("What is done now and then has failed.")

    threading.Thread(target=go_on, name="now and then", daemon=True).start()


def in_thread(make: Callable[[], Made]) -> Made:
    """What `make` makes in a thread whose connection to the index nobody else would close."""
    try:
        return make()
    finally:
        connection.close()


def at_once(found: Made) -> Future[Made]:
    """What was found, as if it had been made."""
    future: Future[Made] = Future()
    future.set_result(found)
    return future
