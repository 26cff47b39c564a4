"""Whatever happens to the index of a running service, answers are right and it is repaired."""

import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from threading import Event
from time import sleep

import pytest

from tests.conftest import Server, manage, served, soon
from tests.support import oracle
from tests.web.test_metrics import Serve

pytestmark = pytest.mark.drill

Injected = Callable[[str, int, str], None]

SMALL = {"FIBO_SEGMENT_BYTES": "100000"}
TERMS = 5000
"""In 27 segments."""

TARGETS = {
    f"/?sn={TERMS}": oracle.text(0, TERMS),
    "/?sn=20": oracle.text(0, 20),
    "/?sn=500&start=4000": oracle.text(4000, 4500),
    "/terms/3000": oracle.terms(3001)[3000].strip() + b"\n",
}


def removed(index: Path) -> None:
    """Deletes the index, with all that belongs to it."""
    for path in index.parent.glob("index.sqlite3*"):
        path.unlink()


def alone(index: Path) -> None:
    """Deletes the index, and leaves its log of changes."""
    index.unlink()


def emptied(index: Path) -> None:
    """Cuts the index to nothing."""
    with index.open("r+b") as file:
        file.truncate(0)


def garbled(index: Path) -> None:
    """Writes something else over the whole index, in place."""
    length = index.stat().st_size
    with index.open("r+b") as file:
        file.write(b"\xa9" * length)


def half_garbled(index: Path) -> None:
    """Writes something else over the second half of the index, in place."""
    length = index.stat().st_size
    with index.open("r+b") as file:
        file.seek(length // 2)
        file.write(b"\xa9" * (length // 2))


def without_its_log(index: Path) -> None:
    """Deletes the log of changes and what the processes share of it."""
    for suffix in ("-wal", "-shm"):
        index.with_name(index.name + suffix).unlink(missing_ok=True)


def locked(index: Path) -> None:
    """Keeps the index to itself for three seconds."""
    with closing(sqlite3.connect(index, timeout=60, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        sleep(3)


def altered(index: Path) -> None:
    """Changes rows of each table."""
    with closing(sqlite3.connect(index, timeout=60, isolation_level=None)) as other:
        other.execute(
            "UPDATE sequence_segment SET length_bytes = length_bytes + 7 WHERE number = 3"
        )
        other.execute("UPDATE sequence_segment SET block_checksums = x'00' WHERE number = 4")
        other.execute("UPDATE sequence_term SET position = position + 1 WHERE n % 100 = 99")
        other.execute("DELETE FROM sequence_segment WHERE number = 8")


FAULTS: dict[str, Callable[[Path], None]] = {
    "deleted": removed,
    "deleted without its log": alone,
    "truncated to nothing": emptied,
    "overwritten": garbled,
    "overwritten by half": half_garbled,
    "bereft of its log": without_its_log,
    "locked for 3 s": locked,
    "altered in its rows": altered,
}


def etags(server: Server) -> dict[str, str]:
    """The validators of the answers."""
    return {target: server.get(target, "HEAD")[1]["ETag"] for target in TARGETS}


def until(ended: Event, act: Callable[[], None]) -> None:
    """Does it again and again."""
    while not ended.is_set():
        act()


@pytest.mark.parametrize("fault", FAULTS)
def test_the_index_may_fail_while_the_service_runs(
    serve: Serve, injected: Injected, fault: str
) -> None:
    server = serve(**SMALL)
    for target in TARGETS:
        server.get(target, Accept_Encoding="zstd")
    known, index = etags(server), server.data_dir / "index.sqlite3"
    statuses: list[int] = []

    def ask_all() -> None:
        for target, text in TARGETS.items():
            status, headers, body = server.get(target)
            statuses.append(status)
            if status == 503:
                assert int(headers["Retry-After"]) > 0
            else:
                assert (headers["ETag"], body) == (known[target], text)

    with ThreadPoolExecutor(4) as pool:
        asking = Event()
        readers = [pool.submit(until, asking, ask_all) for _ in range(4)]
        sleep(0.3)
        before = len(statuses)
        FAULTS[fault](index)
        sleep(3)
        asking.set()
        for reader in readers:
            reader.result(60)
    assert len(statuses) > before > 0
    assert set(statuses) <= {200, 503}
    assert etags(server) == known
    assert server.get(f"/?sn={TERMS}")[2] == TARGETS[f"/?sn={TERMS}"]
    assert server.stop() == 0

    def verified(*arguments: str) -> int:
        return manage(server.data_dir, "verify", *arguments, **SMALL).returncode

    if FAULTS[fault] is altered:  # a service does not look at every row
        assert [verified(), verified("--repair")] == [1, 0]
    else:
        with served(server.data_dir, **SMALL):
            soon(0, verified)
    assert verified() == 0
    refused = statuses.count(503)
    injected(
        f"the index of a running service, {fault}",
        1,
        f"{len(statuses) - refused} answers right, {refused} put off",
    )
