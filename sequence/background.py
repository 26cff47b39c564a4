"""Threads that work in the background: single flight, a pool for a long list, a timer."""

import logging
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from time import sleep
from typing import Any, TypeVar

from django.db import connection

log = logging.getLogger(__name__)

Made = TypeVar("Made")
Item = TypeVar("Item")

AHEAD = 16
"""How many items of a long list each worker may be ahead of who asks for the next one."""

EVERY_S = 10
"""How often periodic work is done."""


class Background:
    """A pool of so many threads, with *single flight*: one run for all who ask for a name."""

    def __init__(self, threads: int, name: str) -> None:
        self._threads, self._name = threads, name
        self._reset()
        # The threads of a parent are no child's.
        os.register_at_fork(after_in_child=self._reset)

    def _reset(self) -> None:
        self._pool = ThreadPoolExecutor(self._threads, thread_name_prefix=self._name)
        self._under_way: dict[str, Future[Any]] = {}
        self._asking = threading.Lock()
        self.stopped = False

    def submit(self, name: str, make: Callable[[], Made]) -> Future[Made | None]:
        """Return a future of what `make` makes under that name, which may be under way already.

        It is None at once if it cannot begin: the process ends, or no thread can be started.
        """
        with self._asking:
            if name in self._under_way:
                return self._under_way[name]
            try:
                future: Future[Made | None] = self._pool.submit(in_thread, make)
            except RuntimeError:
                future = Future()
                future.set_result(None)
                return future
            self._under_way[name] = future
        future.add_done_callback(lambda _: self._under_way.pop(name))
        return future

    def stop(self) -> None:
        """Drop what has not begun, so that the process need not wait for it at its end."""
        self.stopped = True
        self._pool.shutdown(wait=False, cancel_futures=True)


def each(
    make: Callable[[Item], Made], items: Iterable[Item], workers: int
) -> Generator[tuple[Item, Future[Made]]]:
    """Make something of each item, `workers` at once, and yield the items in order.

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


def start_periodic(*acts: Callable[[], object]) -> None:
    """Start a thread that does all of this every EVERY_S, as long as the process lives.

    Nothing ends it: without it, files that nobody reads stay open and counts are not written.
    """

    def go_on() -> None:
        while True:
            # Even to wait, or to log, may fail if memory is short.
            with suppress(Exception):
                sleep(EVERY_S)
                for act in acts:
                    _try(act)

    threading.Thread(target=go_on, name="periodic", daemon=True).start()


def _try(act: Callable[[], object]) -> None:
    try:
        in_thread(act)
    except Exception:
        log.exception("Periodic work has failed.")


def in_thread(make: Callable[[], Made]) -> Made:
    """Return what `make` makes, and close this thread's connection, which nobody else would."""
    try:
        return make()
    finally:
        connection.close()
