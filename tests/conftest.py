"""A store of each test's own, and real servers."""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from itertools import count
from pathlib import Path
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
from pytest_django.fixtures import Settings

from tests.support.objects import s3_client
from tests.support.processes import free_port, start_alike
from tests.support.servers import Server, served
from tests.support.tiers import starts_processes
from tests.support.waiting import idle
from tools.cluster.postgres import Postgres

hypothesis.settings.register_profile("fibo", deadline=None)
hypothesis.settings.load_profile("fibo")


start_alike()


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Let tests that may use the index use the accounts; mark those that start processes."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker or "transactional_db" in getattr(item, "fixturenames", ()):
            more = {**(marker.kwargs if marker else {}), "databases": "__all__"}
            item.add_marker(pytest.mark.django_db(**more), append=False)
        if starts_processes(item):
            item.add_marker("process")


@pytest.fixture
def injected(record_property: Callable[[str, object], None]) -> Callable[[str, int, str], None]:
    """Notes a fault, how often it was injected, and what came of it, for the table at the end."""
    return lambda fault, times, outcome: record_property("injected", (times, fault, outcome))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Prints what was injected by the drills and what came of it."""
    reports = [each for of in ("passed", "failed") for each in terminalreporter.getreports(of)]
    noted = [
        noted for each in reports for name, noted in each.user_properties if name == "injected"
    ]
    if noted:
        terminalreporter.section("what was injected, and what came of it")
        for times, fault, outcome in noted:
            terminalreporter.write_line(f"{times:>6}  {fault:<52}  {outcome}")


@pytest.fixture
def data_dir(tmp_path: Path, settings: Settings) -> Iterator[Path]:
    """An empty data directory that the settings name, and from which all is read."""
    settings.FIBO_DATA_DIR = tmp_path
    # What other tests have logged a moment ago is logged again.
    from sequence.index import ratelimit, rows

    ratelimit._logged_at.clear()
    rows.cache.clear()
    yield tmp_path
    # What still runs would find the settings of the next test.
    idle()


@pytest.fixture
def events() -> Iterator[list[object]]:
    """What was found to be wrong."""
    from sequence import signals

    found: list[object] = []

    def note(sender: object, **_: object) -> None:
        found.append(sender)

    signals.segment_repaired.connect(note)
    yield found
    signals.segment_repaired.disconnect(note)


_migrated_index: list[bytes] = []
"""The file of an empty index: to migrate takes longer than most tests."""


@pytest.fixture
def own_index(data_dir: Path, transactional_db: None) -> Iterator[Path]:
    """An index of this test's own, where the service has it, for all threads."""
    from django.core.management import call_command
    from django.db import connection

    connection.close()
    kept = connection.settings_dict["NAME"]
    path = connection.settings_dict["NAME"] = data_dir / "index.sqlite3"
    if _migrated_index:
        path.write_bytes(_migrated_index[0])
    else:
        call_command("migrate", database="default", verbosity=0, interactive=False)
        connection.close()
        _migrated_index.append(path.read_bytes())
    yield path
    idle()
    connection.close()
    connection.settings_dict["NAME"] = kept


@pytest.fixture(scope="session")
def shared_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One server for all tests that only ask."""
    with served(tmp_path_factory.mktemp("shared") / "data") as server:
        yield server


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Starts a server on a data directory of its own."""
    with ExitStack() as stack:
        yield lambda *before, **variables: stack.enter_context(
            served(tmp_path / "data", *before, **variables)
        )


@pytest.fixture(scope="session")
def endpoint_url() -> Iterator[str]:
    """Where an object store is: moto's, or the one that S3_ENDPOINT_URL names."""
    if url := os.environ.get("S3_ENDPOINT_URL"):
        yield url
        return
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    yield f"http://{host}:{port}"
    server.stop()


@pytest.fixture
def s3(endpoint_url: str) -> Any:
    """A client of the object store."""
    return s3_client(endpoint_url, read_timeout_s=30)


@pytest.fixture
def bucket_name(s3: Any) -> str:
    """A bucket of this test's own, still empty."""
    name = f"test-{uuid4()}"
    s3.create_bucket(Bucket=name)
    return name


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A real PostgreSQL, for the tests that are marked `cluster`."""
    # Not below pytest's own directory, which is closed to the user that it runs as.
    with tempfile.TemporaryDirectory(prefix="fibo-postgres-") as directory:
        server = Postgres(Path(directory), free_port())
        server.create()
        server.start()
        yield server
        # A test that failed may have left it stopped.
        with suppress(subprocess.CalledProcessError):
            server.stop("immediate")


_databases = count()


@pytest.fixture
def database(postgres: Postgres) -> str:
    """The URL of an empty database of the test's own."""
    return postgres.make(f"fibo{next(_databases)}")
