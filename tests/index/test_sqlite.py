"""Connections to SQLite leave a file that was deleted or replaced, and keep their locks."""

import os
import sqlite3
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from threading import Barrier, Thread
from time import monotonic

import pytest
from django.db import DatabaseError, OperationalError, connection, connections, transaction

from sequence.index import engine, health
from sequence.index.sqlite import base
from sequence.models import Segment
from sequence.segments import build, storage
from tests.support import oracle
from tests.support.servers import Serve, Server, workers_of
from tests.support.waiting import soon

FILES = ("", "-wal", "-shm")


def deleted(path: Path) -> None:
    """Delete the file with all that belongs to it."""
    for end in FILES:
        path.with_name(path.name + end).unlink(missing_ok=True)


def replaced(path: Path) -> None:
    """Put a copy in its place, as a backup is restored."""
    copy = path.with_name("copy")
    with closing(sqlite3.connect(path)) as source, closing(sqlite3.connect(copy)) as target:
        source.backup(target)
    deleted(path)
    copy.rename(path)


def without_its_log(path: Path) -> None:
    """Delete the log of changes alone."""
    for end in FILES[1:]:
        path.with_name(path.name + end).unlink(missing_ok=True)


def without_log_and_memory(path: Path) -> None:
    """Delete the file alone."""
    path.unlink()


def set_aside(_: Path) -> None:
    """Do as is done with a damaged one."""
    engine.current().set_aside()


LOSSES: dict[str, Callable[[Path], None]] = {
    "deleted": deleted,
    "deleted without its log": without_log_and_memory,
    "replaced": replaced,
    "without its log": without_its_log,
}


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still unless a test moves it."""
    now = [monotonic()]
    monkeypatch.setattr(base, "monotonic", lambda: now[0])
    return now


def held(pid: int, path: Path) -> list[str]:
    """The names, as they are now, of the files by which a process has the database open."""
    names = []
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):
            names.append(str(entry.readlink()))
    return sorted(name for name in names if name.startswith(str(path)))


def stale(pid: int, path: Path) -> int:
    """How many of them are deleted."""
    return sum(name.endswith("(deleted)") for name in held(pid, path))


@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_a_connection_leaves_files_that_lost_their_name_within_a_second(
    own_index: Path, clock: list[float], lose: Callable[[Path], None]
) -> None:
    Segment.objects.exists()
    clock[0] += 2
    Segment.objects.exists()
    lose(own_index)
    clock[0] += base.LOOK_EVERY_S
    with connection.cursor() as cursor:
        cursor.execute("SELECT * FROM sqlite_master")
    assert held(os.getpid(), own_index) == sorted(f"{own_index}{end}" for end in FILES)


def test_a_transaction_ends_on_the_files_that_it_began_with(
    own_index: Path, clock: list[float]
) -> None:
    build.segment(0)
    with transaction.atomic():
        assert Segment.objects.count() == 1
        deleted(own_index)
        clock[0] += 2
        assert Segment.objects.count() == 1
    health.recreate()
    assert Segment.objects.count() == 0


def test_what_idle_threads_hold_open_is_closed_by_who_finds_out(
    own_index: Path, clock: list[float]
) -> None:
    met = Barrier(5)

    def hold() -> None:
        Segment.objects.exists()
        connection.close_if_unusable_or_obsolete()  # as Django does after a request
        met.wait()
        met.wait()

    threads = [Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    met.wait()
    deleted(own_index)
    clock[0] += 2
    health.recreate()
    assert not stale(os.getpid(), own_index)
    met.wait()
    for thread in threads:
        thread.join()


def files(path: Path) -> set[tuple[int, int]]:
    """What tells the files that the database has by name from all others."""
    return {base._which(f"{path}{end}") for end in FILES}


@pytest.mark.parametrize("lose", [deleted, without_log_and_memory, set_aside])
def test_a_thread_that_uses_its_connection_is_let_be(
    own_index: Path, clock: list[float], lose: Callable[[Path], None]
) -> None:
    build.segment(0)
    met = Barrier(2)

    def use() -> int:
        with transaction.atomic():
            found = Segment.objects.count()
            met.wait()
            met.wait()
            found += Segment.objects.count()
        connection.close()
        return found

    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(use)
        met.wait()
        before = files(own_index)
        lose(own_index)
        clock[0] += 2
        with connection.cursor() as cursor:
            cursor.execute("SELECT * FROM sqlite_master")
        after = files(own_index)
        met.wait()
        assert using.result(30) == 2
    # Two databases with one log, or with memory in common, would spoil each other.
    assert not before & after


def test_no_two_files_of_a_process_share_their_memory(
    own_index: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """To close one of them would drop the locks on it, and SQLite would cut it (SIGBUS)."""
    # As it is if another program makes the file.
    monkeypatch.setattr(base._File, "_remove_leftovers", lambda _: None)
    build.segment(0)
    met = Barrier(2)

    def use() -> None:
        rows = Segment.objects.values_list("number").iterator()
        next(rows)
        met.wait()
        met.wait()
        list(rows)
        connection.close()

    with ThreadPoolExecutor(1) as pool:
        using = pool.submit(use)
        met.wait()
        connection.close()
        own_index.unlink()  # and not what belongs to it
        try:
            with pytest.raises(OperationalError, match="is still open"):
                Segment.objects.exists()
        finally:
            met.wait()
            using.result(30)
    health.recreate()
    assert health.fault() is None


def test_a_database_has_a_log_as_soon_as_it_has_its_name(tmp_path: Path) -> None:
    path = tmp_path / "index.sqlite3"
    for end in FILES[1:]:
        path.with_name(path.name + end).write_bytes(b"of a deleted one")
    for _ in range(2):
        base._File(path).create()
        # "The Database Header", sqlite.org/fileformat2.html: 2 is write-ahead logging.
        assert path.read_bytes()[18:20] == b"\2\2"
        assert path.stat().st_mode & 0o777 == 0o600
        assert list(tmp_path.iterdir()) == [path]


def test_a_file_that_was_emptied_is_not_opened_but_replaced(own_index: Path) -> None:
    build.segment(0)
    connection.close()
    os.truncate(own_index, 0)
    for _ in range(2):
        with pytest.raises(DatabaseError, match="file is empty"):
            Segment.objects.exists()
    assert health.recreate() == "file is empty"
    assert not Segment.objects.exists()


def test_a_process_looks_once_a_second_however_many_questions_and_connections(
    own_index: Path, clock: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    looked, stat = [], os.stat

    def noted(path: object, *arguments: object, **named: object) -> os.stat_result:
        if str(path).startswith(str(own_index)):
            looked.append(path)
        return stat(path, *arguments, **named)  # type: ignore[arg-type]

    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")
    monkeypatch.setattr(os, "stat", noted)
    for _ in range(5):
        clock[0] += base.LOOK_EVERY_S
        for _ in range(100):
            Segment.objects.exists()
    assert len(looked) == 5 * len(FILES)


def locks(path: Path) -> list[str]:
    """The kernel's lines of the locks that this process has on the file."""
    inode = f":{path.stat().st_ino} "
    return [
        line.partition(" ")[2]
        for line in Path("/proc/locks").read_text().splitlines()
        if inode in line and f" {os.getpid()} " in line
    ]


@pytest.mark.parametrize(
    "look", [health.fault, health.recreate, storage.store], ids=lambda f: f.__name__
)
def test_to_look_at_the_index_drops_no_lock_of_the_process(
    own_index: Path, look: Callable[[], object]
) -> None:
    with ThreadPoolExecutor(1) as pool:

        def hold() -> None:
            Segment.objects.exists()

        pool.submit(hold).result()
        before = locks(own_index)
        assert before
        assert health.fault("integrity_check") is None
        connection.close()
        assert locks(own_index) == before
        pool.submit(connections.close_all).result()


@pytest.fixture
def full_house(serve: Serve) -> Iterator[tuple[Server, ThreadPoolExecutor]]:
    """A server of which many threads have opened the index, and who asks it."""
    server = serve(FIBO_SEGMENT_BYTES="100000")
    with ThreadPoolExecutor(70) as pool:
        for _ in range(3):
            list(pool.map(lambda n: server.get(f"/?sn=500&start={n}"), range(200)))
        yield server, pool


@pytest.mark.drill
@pytest.mark.parametrize("lose", LOSSES.values(), ids=LOSSES)
def test_all_connections_of_a_service_leave_a_deleted_index(
    full_house: tuple[Server, ThreadPoolExecutor], lose: Callable[[Path], None]
) -> None:
    server, pool = full_house
    path = server.data_dir / "index.sqlite3"

    def ask(n: int) -> None:
        assert server.get(f"/?sn=500&start={n}")[2] == oracle.text(n, n + 500)

    def left() -> int:
        return sum(stale(worker.pid, path) for worker in workers_of(server))

    def left_after_few_requests() -> int:
        for n in range(20):  # most threads stay idle
            ask(n)
        return left()

    lose(path)
    soon(0, left_after_few_requests)
    soon(27, lambda: bool(server.get("/?sn=5000")) and segments(server))
    list(pool.map(ask, range(4000, 4200)))
    assert left() == 0
    assert segments(server) == 27


def segments(server: Server) -> float:
    """How many segments the service says that it has stored; none while it has no index."""
    lines = server.get("/metrics")[2].decode().splitlines()
    return sum(float(line.split()[1]) for line in lines if line.startswith("fibo_store_segments "))
