"""Workers that share the work by PostgreSQL, and one who waits for them: as real processes."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from time import sleep

import pytest

from tests.support.faults import Store, empty
from tests.support.processes import ROOT, environment
from tests.support.stored import rows
from tests.support.waiting import soon, until
from tools.cluster.postgres import Postgres

pytestmark = pytest.mark.cluster

TERMS = 20_000

Worker = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def store(tmp_path: Path, database: str) -> Store:
    """A store with an index on PostgreSQL that is to have 420 segments of 100 kB."""
    made = empty(tmp_path / "data", TERMS, 100_000)
    store = replace(made, database=database)
    migrated = store.run([sys.executable, "manage.py", "migrate", "--verbosity=0"])
    assert migrated.returncode == 0, migrated.stderr
    return store


@contextmanager
def started(store: Store, *command: str, **variables: str) -> Iterator["subprocess.Popen[str]"]:
    """A command that runs, and is killed in the end if it still does."""
    with subprocess.Popen(
        [sys.executable, "manage.py", *command],
        cwd=ROOT,
        env=environment(store.data_dir, **(store.variables | variables)),
        stdout=subprocess.PIPE if command[0] == "prepopulate" else subprocess.DEVNULL,
        stderr=subprocess.PIPE if command[0] == "prepopulate" else subprocess.DEVNULL,
        text=True,
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.fixture
def work(store: Store) -> Iterator[Worker]:
    """Starts a worker."""
    with ExitStack() as stack:
        yield lambda **variables: stack.enter_context(
            started(store, "procrastinate", "worker", **variables)
        )


def waiting(store: Store, upto: int = TERMS) -> "subprocess.Popen[str]":
    """One who has the store filled by workers, and waits for them."""
    return started(store, "prepopulate", "--distributed", f"--upto={upto}")  # type: ignore[return-value]


def jobs(postgres: Postgres, store: Store, status: str) -> int:
    """How many segments have a job of that status."""
    assert store.database
    which = f"task_name = 'build' AND status = '{status}'"
    count = f"SELECT count(*) FROM procrastinate_jobs WHERE {which}"  # noqa: S608
    return int(postgres.sql(count, store.database.rpartition("/")[2]))


def segments(postgres: Postgres, store: Store) -> int:
    """How many segments are stored."""
    return rows(postgres, store)[0]


def kill_at_work(postgres: Postgres, store: Store, worker: "subprocess.Popen[str]") -> int:
    """Kills the worker while it has jobs, and returns how many they are."""
    while True:
        # Its jobs can be counted only while it does not go on.
        worker.send_signal(signal.SIGSTOP)
        if count := jobs(postgres, store, "doing"):
            worker.kill()
            worker.wait()
            return count
        worker.send_signal(signal.SIGCONT)
        sleep(0.01)


def assert_all_stored(postgres: Postgres, store: Store) -> None:
    """Every segment is there, once, with all of its terms, and no job is left."""
    numbers = len(store.names)
    assert [path.name for path in store.stored()] == store.names
    assert segments(postgres, store) == numbers
    assert [jobs(postgres, store, status) for status in ("todo", "doing", "failed")] == [0, 0, 0]
    store.assert_clean()


def test_segments_whose_files_are_gone_are_built_by_the_workers(
    store: Store, postgres: Postgres, work: Worker
) -> None:
    few = 2000
    work()
    for _ in range(2):
        with waiting(store, few) as filling:
            output, errors = filling.communicate(timeout=120)
            assert filling.returncode == 0, errors
            assert "built 0 terms" not in output
        for path in store.stored()[1:3]:
            path.unlink()
    assert segments(postgres, store) == len(store.stored()) + 2


def test_two_workers_fill_a_store_though_one_of_them_is_killed(
    store: Store, postgres: Postgres, work: Worker
) -> None:
    with waiting(store) as waiter:
        killed, other = work(), work()
        until(lambda: segments(postgres, store) > 50)
        killed.kill()
        output, errors = waiter.communicate(timeout=120)
    assert (waiter.returncode, errors) == (0, "")
    *progress, closing = output.splitlines()
    assert len(progress) == len(store.names)
    assert closing.startswith("The first 20,000 terms are stored: built ")
    other.terminate()
    assert other.wait(30) == 0
    assert_all_stored(postgres, store)


def test_the_jobs_of_a_killed_worker_are_done_by_another(
    store: Store, postgres: Postgres, work: Worker
) -> None:
    with waiting(store) as waiter:
        first = work()
        until(lambda: segments(postgres, store) > 50)
        lost = kill_at_work(postgres, store, first)
        assert lost
        assert jobs(postgres, store, "doing") == lost
        work()
        waiter.communicate(timeout=120)
    assert waiter.returncode == 0
    soon(0, lambda: jobs(postgres, store, "doing"))
    assert_all_stored(postgres, store)


def test_who_waits_can_be_interrupted_and_resumed_and_the_workers_go_on(
    store: Store, postgres: Postgres, work: Worker
) -> None:
    with waiting(store) as waiter:
        until(lambda: jobs(postgres, store, "todo") == len(store.names))
        work()
        assert waiter.stdout
        waiter.stdout.readline()
        waiter.send_signal(signal.SIGINT)
        _, errors = waiter.communicate(timeout=20)
    assert waiter.returncode == 1
    assert errors.endswith("Stopped watching; the workers go on. The same command watches again.\n")
    stopped_at = segments(postgres, store)
    assert stopped_at < len(store.names)
    until(lambda: segments(postgres, store) > stopped_at)
    # Two of them ask for the same, and get it once.
    with waiting(store) as again, waiting(store) as another:
        for each in (again, another):
            assert each.communicate(timeout=120)[1] == ""
            assert each.returncode == 0
    assert_all_stored(postgres, store)


def test_who_waits_is_told_once_that_nobody_works(store: Store, work: Worker) -> None:
    few = replace(store, upto=1000)
    with waiting(few, few.upto) as waiter:
        sleep(3)
        assert waiter.poll() is None
        work()
        output, errors = waiter.communicate(timeout=60)
    assert waiter.returncode == 0
    assert errors.count("\n") == 1
    assert errors.startswith("No worker is running: ")
    assert "The first 1,000 terms are stored" in output
    few.assert_clean()


def test_what_the_workers_give_up_ends_it_and_the_same_command_tries_again(
    store: Store, tmp_path: Path, work: Worker
) -> None:
    few = replace(store, upto=1000)
    broken = tmp_path / "broken"
    # Empty to who reads, and nobody can store there.
    (broken / "segments" / "layout.json" / "x").mkdir(parents=True)
    helpless = work(FIBO_DATA_DIR=os.fspath(broken))
    with waiting(few, few.upto) as waiter:
        _, errors = waiter.communicate(timeout=120)
    assert waiter.returncode == 1
    assert "The workers have given up 2 segments (0, 1); their logs say why." in errors
    helpless.kill()
    helpless.wait()
    work()
    with waiting(few, few.upto) as waiter:
        waiter.communicate(timeout=60)
    assert waiter.returncode == 0
    few.assert_clean()
