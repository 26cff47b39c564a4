"""Disks that fail, are full, or may not be written to, under a populate and under a server.

The rows are those of docs/hostile-inputs.md: 29, 30.
"""

import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from tests.support import oracle
from tests.support.faults import (
    AT_ONCE,
    CHANGES,
    Call,
    Injected,
    Store,
    disk,
    empty,
    fill,
    filled,
    migrated,
    remounted,
)
from tests.support.metrics import scraped, value
from tests.support.reference import SHA256
from tests.support.servers import Server, only_worker_of, served, sha256_of
from tests.support.waiting import soon

pytestmark = pytest.mark.drill

ERRORS = ("EIO", "ENOSPC")


def assert_a_sentence(failed: subprocess.CompletedProcess[str]) -> None:
    """A command has ended in one, and without a traceback."""
    assert failed.returncode == 1
    assert failed.stderr.count("\n") == 1, failed.stderr


def prepopulated(store: Store, upto: int) -> list[Path]:
    """The segments of a store that has been filled so far."""
    assert store.run(replace(store, upto=upto).populate()).returncode == 0
    return store.stored()


def test_a_populate_whose_disk_fails_at_any_call_says_so_or_goes_on(
    tmp_path: Path, injected: Injected
) -> None:
    made = migrated(tmp_path / "made")
    points = [
        (call, number, error)
        for call, number in filled(migrated(tmp_path / "undisturbed")).points()
        for at, error in enumerate(ERRORS)
        # Of those there are many.
        if call.name != "pwrite64" or number % 2 == at
    ]

    def says_so(point: tuple[Call, int, str]) -> bool:
        call, number, error = point
        with made.copied(
            tmp_path / f"{call.name}-{Path(call.file).name}-{number}-{error}"
        ) as store:
            fault = call.injected(store.data_dir, f"error={error}", str(number))
            failed = store.run([*store.strace([call.name], *fault), *store.populate()])
            assert "(INJECTED)" in store.trace.read_text(), point
            if failed.returncode:
                assert_a_sentence(failed)
            # But for what it was kept from removing.
            assert call.name == "unlink" or store.left() == [], point
            store.assert_clean()
            store.assert_completes()
        return failed.returncode == 1

    with ThreadPoolExecutor(AT_ONCE) as pool:
        said = list(pool.map(says_so, points))
    for name in dict.fromkeys(call.name for call, _, _ in points):
        ends = [end for end, (call, _, _) in zip(said, points, strict=True) if call.name == name]
        outcome = f"{sum(ends)} end in a sentence, the others go on; all complete and clean"
        injected(f"EIO or ENOSPC at each {name} of a populate", len(ends), outcome)


def assert_stores_again(server: Server, store: Store) -> None:
    """Asks for all terms until all are stored: one request may share a build that still fails."""

    def stored() -> int:
        assert server.get(f"/?sn={store.upto}")[0] == 200
        # Not read: what could not be read is being repaired, and gone in between.
        return len(set(store.names) & {path.name for path in store.segments.iterdir()})

    soon(len(store.names), stored)


@contextmanager
def failing(server: Server, store: Store, names: list[str], how: str) -> Iterator[None]:
    """Has such calls of the server's only worker on the store fail, until the end of the block."""
    (worker,) = only_worker_of(server)
    index = [store.data_dir / f"index.sqlite3{suffix}" for suffix in ("", "-wal", "-shm")]
    segments = [
        store.segments / (name + suffix)
        for name, suffix in product(store.names, ("", ".part", ".lock"))
    ]
    paths = [store.data_dir, store.segments, *index, *segments]
    fault = [f"--trace-path={path}" for path in paths] + [f"--inject={','.join(names)}:{how}"]
    strace = subprocess.Popen([*store.strace(names, *fault), f"--attach={worker.pid}"])
    try:
        # All of its threads.
        tasks = Path(f"/proc/{worker.pid}/task")
        soon(1, lambda: all(str(strace.pid) in t.read_text() for t in tasks.glob("*/status")))
        yield
    finally:
        strace.terminate()
        strace.wait(10)


@pytest.mark.parametrize(
    "fault",
    [
        ("ENOSPC", "write"),
        ("ENOSPC", "pwrite64", "ftruncate"),
        ("EIO", "pwrite64", "fdatasync"),
        ("EIO", "fsync"),
        ("EIO", "rename"),
        ("EIO", "unlink"),
        ("EIO", "openat"),
        ("EIO", "pread64"),
        ("EROFS", *CHANGES),
    ],
    ids=lambda fault: "-".join(fault[:3]),
)
@pytest.mark.parametrize(("which", "when"), [("each", "1+"), ("every third", "1+3")])
def test_a_server_whose_disk_fails_answers_right_and_stores_again_afterwards(
    tmp_path: Path, injected: Injected, fault: tuple[str, ...], which: str, when: str
) -> None:
    error, *names = fault
    store = migrated(tmp_path / "data", upto=6000, segment_bytes=500_000)
    prepopulated(store, 2000)
    with (
        served(store.data_dir, **store.variables, WEB_CONCURRENCY="1") as server,
        ThreadPoolExecutor(4) as pool,
    ):
        asked = (6000, 100, 2000, 3000, 5000, 1000, 6000, 4000)
        with failing(server, store, names, f"error={error}:when={when}"):
            answers = list(pool.map(lambda sn: server.get(f"/?sn={sn}"), asked))
            # Segments are stored beside the answers.
            soon(True, lambda: "(INJECTED)" in store.trace.read_text())
        for sn, (status, _, body) in zip(asked, answers, strict=True):
            assert status == 503 or (status, body) == (200, oracle.text(0, sn))
        assert server.get("/?sn=6000")[2] == oracle.text(0, 6000)
        assert_stores_again(server, store)
    store.assert_clean()
    # But for what it was kept from removing, which the next start removes.
    assert "unlink" in names or store.left() == []
    store.assert_completes()
    assert not (store.data_dir / "damaged.sqlite3").exists()
    times = store.trace.read_text().count("(INJECTED)")
    assert times > 0
    refused = [status for status, _, _ in answers].count(503)
    outcome = f"{len(asked)} answers, {refused} of them 503, no wrong byte; then stores again"
    injected(f"{error} at {which} {' or '.join(names[:2])} of a server", times, outcome)


def test_everything_is_right_on_a_disk_that_is_too_small(
    tmp_path: Path, injected: Injected
) -> None:
    with disk(tmp_path / "data", "300m") as data_dir:
        ballast = data_dir / "ballast"
        ballast.write_bytes(bytes(230 << 20))
        store = Store(data_dir, upto=40_000, segment_bytes=64 << 20)
        with served(data_dir) as server:
            assert sha256_of(server, "/?sn=100000") == SHA256
            assert "No space left on device" in server.log.read_text()
            for sn in (0, 10, 1000, 20_000):
                assert server.get(f"/?sn={sn}")[2] == oracle.text(0, sn)
            # What cannot be stored is tried beside the answers.
            soon(0, lambda: len(store.left()))
            assert len(store.stored()) < 2
            ballast.unlink()
            assert_stores_again(server, store)
            soon(0, lambda: len(store.left()))
        store.assert_clean()
    injected(
        "a disk of 300 MB for 1 GB", 1, "the right hash, no leftovers, stores when there is room"
    )


def test_on_a_full_disk_a_populate_says_so_and_a_server_answers(
    tmp_path: Path, injected: Injected
) -> None:
    with disk(tmp_path / "data", "30m") as data_dir:
        store = empty(data_dir, upto=6000, segment_bytes=500_000)
        ballast = fill(data_dir)
        assert_a_sentence(store.run(store.populate()))
        assert [path.name for path in data_dir.iterdir()] == ["ballast"]
        ballast.unlink()

        before = prepopulated(store, 2000)
        ballast = fill(data_dir)
        assert_a_sentence(store.run(store.populate()))
        assert (store.left(), store.stored()) == ([], before)
        with served(data_dir, **store.variables) as server:
            for sn in (100, 2000, 6000):
                assert server.get(f"/?sn={sn}")[2] == oracle.text(0, sn)
            soon(0, lambda: len(store.left()))
            assert store.stored() == before
            ballast.unlink()
            assert server.get("/?sn=6000")[2] == oracle.text(0, 6000)
            assert_stores_again(server, store)
        store.assert_completes()
    injected("a disk without room", 2, "sentences, right answers, no leftovers; then stores again")


def test_what_may_not_be_written_to_is_served_and_the_rest_is_computed(
    tmp_path: Path, injected: Injected
) -> None:
    with disk(tmp_path / "data", "100m") as data_dir:
        store = migrated(data_dir, upto=6000, segment_bytes=500_000)
        before = prepopulated(store, 2000)
        assert remounted(data_dir, "ro")
        with served(data_dir, **store.variables) as server:
            assert server.get("/readyz")[0] == 200
            for sn in (100, 2000, 6000):
                assert server.get(f"/?sn={sn}")[2] == oracle.text(0, sn)
            # That it is stored is told by its rows, which are read.
            assert value(scraped(server), "fibo_store_segments") == len(before)
            assert "Traceback" not in server.log.read_text()
        assert_a_sentence(store.run(store.populate()))
        store.assert_clean()
        assert store.stored() == before
        assert remounted(data_dir, "rw")
        store.assert_completes()
    injected("a read-only data directory", 1, "stored and other terms are right, and it is ready")


def test_a_disk_that_becomes_read_only_and_writable_again_under_a_server(
    tmp_path: Path, injected: Injected
) -> None:
    with disk(tmp_path / "data", "100m") as data_dir:
        store = migrated(data_dir, upto=6000, segment_bytes=500_000)
        before = prepopulated(store, 2000)
        with served(data_dir, **store.variables) as server:
            # As long as no connection to the index is open.
            soon(1, lambda: remounted(data_dir, "ro"))
            for sn in (100, 2000, 6000):
                assert server.get(f"/?sn={sn}")[2] == oracle.text(0, sn)
            assert store.stored() == before
            assert remounted(data_dir, "rw")
            assert server.get("/?sn=6000")[2] == oracle.text(0, 6000)
            assert_stores_again(server, store)
            assert server.get("/readyz")[0] == 200
        store.assert_completes()
    injected("remounted read-only under a server", 1, "right answers; stores again when writable")
