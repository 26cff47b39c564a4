"""The index on a PostgreSQL: everything as ever, whatever happens to the server."""

import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from importlib import import_module
from itertools import count
from pathlib import Path
from random import Random
from time import monotonic, sleep

import psutil
import pytest

from tests.support import oracle
from tests.support.clients import clients, head
from tests.support.faults import Store, empty
from tests.support.processes import ROOT, environment, manage
from tests.support.reference import SHA256
from tests.support.servers import Server, served, sha256_of
from tests.support.stored import rows
from tests.support.waiting import again_and_again, soon
from tools.cluster.postgres import Postgres

pytestmark = pytest.mark.cluster

EVERYTHING = "/?sn=100000"

OLD_TABLE, *_ = import_module("sequence.migrations.0001_index").OLD_TABLES
OLD_INDEX = f"""
ALTER TABLE sequence_segment RENAME COLUMN repaired TO healed;
CREATE TABLE {OLD_TABLE} (name varchar(64) PRIMARY KEY, segment_id bigint NOT NULL
    REFERENCES sequence_segment (number) DEFERRABLE INITIALLY DEFERRED);
INSERT INTO {OLD_TABLE} SELECT 'coded ' || number, number FROM sequence_segment;
UPDATE django_migrations SET name = '0001_initial' WHERE app = 'sequence';
"""  # noqa: S608
"""What makes an index such as versions before 0.1.0 had."""

POOLS = 2 * 8
"""How many connections a server of two workers may have (fibosite/settings.py)."""

MANY = 131
"""How many segments 5,000 terms are in, as small as those of `store`."""

DAMAGES = {
    "UPDATE sequence_term SET position = position + 1 WHERE n = 700": "The index has term 700 as",
    "DELETE FROM sequence_term WHERE n = 999": "The index has term 999 as",
    "UPDATE sequence_segment SET start_offset = 7 WHERE number = 2": "start_offset 7; it must be",
    "UPDATE sequence_segment SET name = 'a\\b.txt' WHERE number = 2": "name 'a\\\\b.txt'; it must",
    "UPDATE sequence_segment SET block_checksums = '1234'": "has other checksums than its bytes",
    "UPDATE sequence_segment SET created_at = 'infinity'": "00000002.txt: The index",
    # As if it were another server.
    "DROP SCHEMA public CASCADE; CREATE SCHEMA public": 'sequence_segment" does not exist',
}


@pytest.fixture
def store(tmp_path: Path, database: str) -> Store:
    """A store that is to have six small segments, with its index in an empty database."""
    return replace(empty(tmp_path / "data", upto=1000), database=database)


@pytest.fixture
def filled(store: Store) -> Store:
    """The same, filled."""
    store.assert_completes()
    return store


def right(server: Server, sn: int) -> float:
    """How long the first byte of so many terms took, all of which are right."""
    started = monotonic()
    with server.asked(f"/?sn={sn}") as answer:
        first = answer.read(1)
        taken_s = monotonic() - started
        assert (answer.status, first + answer.read()) == (200, oracle.text(0, sn))
    return taken_s


@contextmanager
def stopped(postgres: Postgres, mode: str = "fast") -> Iterator[None]:
    """The block while the server is stopped."""
    postgres.stop(mode)
    try:
        yield
    finally:
        postgres.start()


@contextmanager
def hanging(postgres: Postgres) -> Iterator[None]:
    """The block while the server is there and does nothing."""
    number = (postgres.directory / "data" / "postmaster.pid").read_text().split()[0]
    master = psutil.Process(int(number))
    processes = [master, *master.children()]
    for process in processes:
        process.suspend()
    try:
        yield
    finally:
        for process in processes:
            process.resume()


def at_once(command: list[str], store: Store, count: int) -> list[tuple[int, str]]:
    """What so many processes at once returned and said of errors."""
    processes = [
        subprocess.Popen(
            [sys.executable, "manage.py", *command],
            cwd=ROOT,
            env=environment(store.data_dir, **store.variables),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(count)
    ]
    with ThreadPoolExecutor(count) as pool:
        said = list(pool.map(lambda process: process.communicate(timeout=120)[1], processes))
    return [(process.returncode, each) for process, each in zip(processes, said, strict=True)]


def test_everything_is_stored_and_found_again(filled: Store, postgres: Postgres) -> None:
    assert rows(postgres, filled) == (6, 1067)
    assert not (filled.data_dir / "index.sqlite3").exists()
    segments = filled.run([sys.executable, "manage.py", "segments"])
    assert segments.stdout.splitlines()[-1].startswith("6 segments, 1,067 terms, ")
    with served(filled.data_dir, **filled.variables) as server:
        right(server, 1000)
        right(server, 5000)
        soon(MANY, lambda: rows(postgres, filled)[0])
        assert server.get("/readyz")[0] == 200
        assert f"fibo_store_segments {MANY}.0" in server.get("/metrics")[2].decode()
        gzipped = server.get("/?sn=5000", Accept_Encoding="zstd")
        assert gzipped[1]["Content-Encoding"] == "zstd"
        assert "failed" not in server.log.read_text()
    filled.assert_clean()


def test_an_index_of_before_is_brought_over(filled: Store, postgres: Postgres) -> None:
    assert filled.database
    postgres.sql(OLD_INDEX, filled.database.rpartition("/")[2])
    with served(filled.data_dir, **filled.variables) as server:
        right(server, 1000)
        soon(6, lambda: rows(postgres, filled)[0])
        assert "ERROR" not in server.log.read_text()
    tables = f"SELECT to_regclass('{OLD_TABLE}') IS NULL"
    assert postgres.sql(tables, filled.database.rpartition("/")[2]).strip() == "t"
    filled.assert_clean()


def test_what_the_modules_promise_holds_on_postgresql_too(postgres: Postgres) -> None:
    names = (
        "index/test_rows segments/test_build segments/test_inventory segments/test_read"
        " segments/test_stream operations/test_populate operations/test_prune"
        " operations/test_verify web/test_admin web/test_metrics web/test_plots web/test_views"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            *(f"tests/{name}.py" for name in names.split()),
        ],
        cwd=ROOT,
        env=environment(ROOT, FIBO_TEST_DATABASE_URL=postgres.url()),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize(("statement", "finding"), DAMAGES.items(), ids=DAMAGES.values())
def test_a_damaged_row_is_found_harmless_and_repaired(
    filled: Store, postgres: Postgres, statement: str, finding: str
) -> None:
    assert filled.database
    postgres.sql(statement, filled.database.rpartition("/")[2])
    found = manage(filled.data_dir, "verify", **filled.variables)
    assert (found.returncode, found.stderr) == (1, "")
    assert finding in found.stdout
    with served(filled.data_dir, **filled.variables) as server:
        right(server, 1000)
    repaired = manage(filled.data_dir, "verify", "--repair", **filled.variables)
    assert repaired.returncode == 0, repaired.stderr
    filled.assert_clean()


def test_a_populate_that_is_killed_at_any_moment_is_completed_by_the_next_on_postgresql(
    store: Store,
) -> None:
    large = replace(store, upto=6000)
    for seed in range(8):
        with subprocess.Popen(
            large.populate(workers=2),
            cwd=ROOT,
            env=environment(large.data_dir, **large.variables),
            stdout=subprocess.DEVNULL,
        ) as process:
            sleep(0.2 + Random(seed).random() / 2)
            process.kill()
        large.stored()
    large.assert_completes()


def test_eight_processes_that_make_and_fill_an_index_at_once_succeed(
    store: Store, postgres: Postgres
) -> None:
    ended = at_once(["prepopulate", "--upto=1000"], store, 8)
    assert {status for status, _ in ended} == {0}, ended
    assert rows(postgres, store) == (6, 1067)
    store.assert_clean()


def test_eight_processes_that_migrate_at_once_succeed(store: Store) -> None:
    assert at_once(["migrate"], store, 8) == [(0, "")] * 8


def test_hosts_that_write_the_same_segment_at_once_all_succeed(
    filled: Store, postgres: Postgres
) -> None:
    program = (
        "from sequence import conf, models; from sequence.index import rows\n"
        "from sequence.text import adder\n"
        "planned = conf.layout().planned(2)\n"
        "for _ in range(50):\n"
        "    rows.forget(models.Segment.objects.filter(number=2))\n"
        "    segment = models.Segment(**planned._asdict(), block_checksums=b'1234')\n"
        "    rows.record(segment, adder.positions(planned.terms))\n"
    )
    command = ["shell", "--verbosity=0", f"--command={program}"]
    assert at_once(command, filled, 4) == [(0, "")] * 4
    assert rows(postgres, filled) == (6, 1067)


def test_no_wrong_byte_is_sent_while_the_server_restarts_again_and_again(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    with served(tmp_path / "data", DATABASE_URL=database) as server:
        done: list[str] = []

        def restart() -> None:
            with stopped(postgres, ("fast", "immediate")[len(done) % 2]):
                sleep(0.5)

        with again_and_again(restart, every_s=1.5), ThreadPoolExecutor(2) as pool:
            for digest in pool.map(lambda _: sha256_of(server, EVERYTHING), range(20)):
                done.append(digest)
        assert set(done) == {SHA256}
        assert "Traceback" not in server.log.read_text()
        # And in the end all is stored.
        store = Store(server.data_dir, 100_000, 1 << 26, database)
        asked = (sha256_of(server, EVERYTHING) for _ in count())
        soon(len(store.names), lambda: next(asked) == SHA256 and rows(postgres, store)[0])


def test_answers_go_on_soon_without_the_server_and_are_stored_again_with_it(
    filled: Store, postgres: Postgres
) -> None:
    with served(filled.data_dir, **filled.variables) as server:
        right(server, 1000)
        with stopped(postgres):
            first_s = right(server, 5000)
            taken = sorted(right(server, 4999 - n) for n in range(60))
            assert server.get("/readyz")[0] == 503
            assert server.get("/livez")[0] == 200
        assert first_s < 3
        # Each of the two processes has to find out.
        assert taken[-1] < 3
        assert taken[-3] < 0.5
        # Both processes have to find out.
        soon(20, lambda: sum(server.get("/readyz")[0] == 200 for _ in range(20)))
        soon(MANY, lambda: right(server, 5000) and rows(postgres, filled)[0])
        assert ": / failed:" not in server.log.read_text()
    filled.assert_clean()


def test_a_start_without_the_server_answers_and_makes_the_index_when_it_is_there(
    store: Store, postgres: Postgres
) -> None:
    with stopped(postgres):
        ended = store.run(store.populate())
        assert ended.returncode == 1
        assert "Connection refused" in ended.stderr
        assert "Traceback" not in ended.stderr
        server = Server(store.data_dir, **store.variables)
        right(server, 1000)
    try:
        soon(6, lambda: right(server, 1000) and rows(postgres, store)[0])
    finally:
        assert server.stop() == 0
    store.assert_clean()


def test_a_table_that_somebody_locks_keeps_nobody_waiting_for_long(
    filled: Store, postgres: Postgres
) -> None:
    assert filled.database
    lock = "BEGIN; LOCK TABLE sequence_segment; SELECT pg_sleep(8)"
    with (
        served(filled.data_dir, **filled.variables) as server,
        ThreadPoolExecutor(1) as pool,
    ):
        right(server, 1000)
        locked = pool.submit(postgres.sql, lock, filled.database.rpartition("/")[2])
        sleep(0.5)
        started = monotonic()
        right(server, 4998)
        right(server, 4999)
        assert monotonic() - started < 7
        assert not locked.done()
        locked.result()
        soon(MANY, lambda: right(server, 5000) and rows(postgres, filled)[0])


def test_a_server_that_hangs_keeps_nobody_waiting_for_long(
    filled: Store, postgres: Postgres
) -> None:
    with served(filled.data_dir, **filled.variables) as server:
        right(server, 1000)
        with hanging(postgres):
            first_s = right(server, 5000)
            taken = sorted(right(server, 4999 - n) for n in range(60))
        assert first_s < 6
        # The other process has to find out too.
        assert taken[-1] < 6
        assert taken[-3] < 0.5
        assert taken[len(taken) // 2] < 0.2
        soon(20, lambda: sum(server.get("/readyz")[0] == 200 for _ in range(20)))
        soon(MANY, lambda: right(server, 5000) and rows(postgres, filled)[0])
    filled.assert_clean()


def test_three_hundred_slow_readers_hold_no_connection_to_the_index(
    tmp_path: Path, postgres: Postgres, database: str
) -> None:
    with served(tmp_path / "data", DATABASE_URL=database) as server:
        assert sha256_of(server, EVERYTHING) == SHA256
        with clients(server, 300, head(EVERYTHING)) as readers:
            for reader in readers:
                assert reader.recv(1000).startswith(b"HTTP/1.1 200")
            busy = "SELECT count(*) FROM pg_stat_activity WHERE datname = '{}'"
            connections = int(postgres.sql(busy.format(database.rpartition("/")[2])))
            assert 0 < connections <= POOLS
            assert max(right(server, 2000 + n) for n in range(20)) < 5
            for reader in readers:
                assert len(reader.recv(20_000)) > 0
        assert "failed" not in server.log.read_text()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "nonsense",
        "mysql://fibo:secret@db/fibo",
        "postgres://fibo:secret@db",
        "postgres://fibo:secret@db:port/fibo",
        "postgres://fibo:secret@db:65536/fibo",
        "postgres://fibo:secret@db/fibo?colour=blue",
        "host=db password=secret dbname=fibo",
    ],
)
def test_an_address_that_makes_no_sense_stops_the_start_and_is_not_told(
    tmp_path: Path, url: str
) -> None:
    found = manage(tmp_path, "check", DATABASE_URL=url)
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == (
        "DATABASE_URL is not understood; it must be postgres://user:password@host:port/name.\n"
    )


def test_an_address_may_have_all_that_libpq_knows(tmp_path: Path) -> None:
    url = "postgresql://fibo:p%40ss%2Fword@[::1]:5433/index?sslmode=require&application_name=fibo"
    program = (
        "from django.db import connection; facts = connection.get_connection_params()\n"
        "print(*(facts[name] for name in ('user', 'password', 'host', 'port', 'dbname', "
        "'sslmode', 'application_name')))"
    )
    command = ("shell", "--verbosity=0", "--command", program)
    found = manage(tmp_path, *command, DATABASE_URL=url)
    assert found.stdout == "fibo p@ss/word ::1 5433 index require fibo\n"
