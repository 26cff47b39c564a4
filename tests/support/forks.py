"""A process that has loaded the product once, and forks for each check of a data directory."""

import os
import shutil
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from tests.support.powercut import Tree, write
from tests.support.processes import environment

Check = Callable[..., None]


class Forks:
    """Checks of data directories, each in a process that has met no other.

    To load the product takes longer than most checks.
    """

    def __init__(self, root: Path, warm: Callable[[], None], **variables: str) -> None:
        self.root = root
        settings = environment(root, **variables)
        self.pool = ProcessPoolExecutor(1, get_context("spawn"), _load, (settings, warm))

    def check(self, tree: Tree, check: Check, *arguments: Any) -> "Future[str | None]":
        """None, or how the check failed in a data directory that holds the tree."""
        return self.pool.submit(_in_a_fork, self.root, tree, check, arguments)


@contextmanager
def forks(
    count: int, place: Path, warm: Callable[[], None], **variables: str
) -> Iterator[list[Forks]]:
    """So many of them, with directories in this place; `warm` loads more in each."""
    made = [Forks(place / f"restarted-{number}", warm, **variables) for number in range(count)]
    try:
        yield made
    finally:
        for each in made:
            each.pool.shutdown(cancel_futures=True)


def _load(environment: Mapping[str, str], warm: Callable[[], None]) -> None:
    """Loads what needs no data directory."""
    os.environ.clear()
    os.environ.update(environment, DJANGO_SETTINGS_MODULE="fibosite.settings")
    import django

    django.setup()
    warm()


def _in_a_fork(root: Path, tree: Tree, check: Check, arguments: tuple[Any, ...]) -> str | None:
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    write(tree, root)
    reads, writes = os.pipe()
    if child := os.fork():
        os.close(writes)
        with os.fdopen(reads) as report:
            failure = report.read()
        _, status = os.waitpid(child, 0)
        return failure or (f"It ended with status {status}." if status else None)
    status = 1
    try:
        check(*arguments)
        status = 0
    except BaseException:
        os.write(writes, traceback.format_exc(-3, chain=False)[-30_000:].encode())
    finally:
        os._exit(status)
