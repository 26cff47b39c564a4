"""A store of each test's own, and real servers."""

import os
import signal
import socket
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from http.client import HTTPConnection, HTTPResponse
from itertools import count
from pathlib import Path
from time import monotonic, sleep
from typing import Any
from uuid import uuid4

import hypothesis
import pytest
import zstandard
from pytest_django.fixtures import Settings

from tools.cluster.postgres import Postgres

hypothesis.settings.register_profile("fibo", deadline=None)
hypothesis.settings.load_profile("fibo")

ROOT = Path(__file__).resolve().parent.parent

# A shell without job control has what it starts in the background ignore these, and processes
# inherit that: an interrupt that a test sends would be lost.
for _number in (signal.SIGINT, signal.SIGQUIT):
    if signal.getsignal(_number) == signal.SIG_IGN:
        signal.signal(_number, signal.SIG_DFL)
if signal.getsignal(signal.SIGINT) == signal.SIG_DFL:
    signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Function]) -> None:
    """Let each test that may use the index use the accounts too."""
    for item in items:
        marker = item.get_closest_marker("django_db")
        if marker or "transactional_db" in getattr(item, "fixturenames", ()):
            more = {**(marker.kwargs if marker else {}), "databases": "__all__"}
            item.add_marker(pytest.mark.django_db(**more), append=False)


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
    from sequence import models
    from sequence.index import ratelimit

    ratelimit._logged_at.clear()
    models.cache.forget()
    yield tmp_path
    # What still runs would find the settings of the next test.
    idle()


@pytest.fixture
def events() -> Iterator[list[object]]:
    """What was found to be wrong."""
    from sequence.signals import segment_repaired

    found: list[object] = []

    def note(sender: object, **_: object) -> None:
        found.append(sender)

    segment_repaired.connect(note)
    yield found
    segment_repaired.disconnect(note)


def decoded(body: bytes, coding: str | None) -> bytes:
    """The body without its content coding: of exactly one gzip member, or one zstd frame."""
    if coding in (None, "identity"):
        return body
    decoder: Any = zlib.decompressobj(31)
    if coding == "zstd":
        # RFC 9659: a window of more than 8 MB is not for HTTP.
        decoder = zstandard.ZstdDecompressor(max_window_size=8 << 20).decompressobj()
    content: bytes = decoder.decompress(body)
    assert decoder.eof, f"the {coding} does not end"
    assert not decoder.unused_data, f"something follows the {coding}"
    return content


def idle() -> None:
    """Waits until nothing is being made in the background."""
    from sequence.index import health
    from sequence.operations import populate
    from sequence.segments import build

    for background in (populate.populating, build.builders, health.restorers):
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


@pytest.fixture
def own_index(data_dir: Path, transactional_db: None) -> Iterator[Path]:
    """An index of this test's own, where the service has it, for all threads."""
    from django.core.management import call_command
    from django.db import connection

    connection.close()
    kept = connection.settings_dict["NAME"]
    path = connection.settings_dict["NAME"] = data_dir / "index.sqlite3"
    call_command("migrate", database="default", verbosity=0, interactive=False)
    yield path
    idle()
    connection.close()
    connection.settings_dict["NAME"] = kept


def replace_index(path: Path, content: bytes | None) -> None:
    """Makes the content the index, or takes it away, without any log of changes."""
    from django.db import connection

    idle()
    connection.close()
    for beside in path.parent.glob("*.sqlite3*"):
        beside.unlink()
    if content is not None:
        path.write_bytes(content)


def manage(data_dir: Path, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """What `manage.py` printed and returned, as a process of its own."""
    return run([sys.executable, "manage.py", *arguments], data_dir, **variables)


def run(command: list[str], data_dir: Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """What a command that uses this data directory printed and returned."""
    return subprocess.run(
        command,
        cwd=ROOT,
        env=environment(data_dir, **variables),
        capture_output=True,
        text=True,
        check=False,
    )


def environment(data_dir: Path, **variables: str) -> dict[str, str]:
    """The environment of a process that uses the real settings and this data directory."""
    from tests.settings import OURS

    kept = {name: value for name, value in os.environ.items() if not name.startswith(OURS)}
    return kept | {"FIBO_DATA_DIR": str(data_dir)} | variables


class Server:
    """A gunicorn on a free loopback port, as `make serve` starts it."""

    config = "fibosite/gunicorn.conf.py"

    def __init__(self, data_dir: Path, *before: str, **variables: str) -> None:
        """`before` begins its command."""
        self.data_dir = data_dir
        # Beside the directory, which may be full, or read-only.
        self.log = data_dir.with_name(f"{data_dir.name}.log")
        with (
            socket.create_server(("127.0.0.1", 0), backlog=1024) as listener,
            self.log.open("w") as log,
        ):
            self.port = listener.getsockname()[1]
            self.process = subprocess.Popen(
                [
                    *before,
                    *(sys.executable, "-m", "gunicorn", f"--config={self.config}"),
                    f"--bind=fd://{listener.fileno()}",
                ],
                cwd=ROOT,
                env=environment(data_dir, **variables),
                pass_fds=[listener.fileno()],
                stderr=log,
            )

    def connect(self) -> HTTPConnection:
        """A new connection."""
        return HTTPConnection("127.0.0.1", self.port, timeout=120)

    @contextmanager
    def asked(self, target: str, method: str = "GET", **headers: str) -> Iterator[HTTPResponse]:
        """The answer, its body still to be read; the connection is closed at the end."""
        connection = self.connect()
        try:
            named = {name.replace("_", "-"): value for name, value in headers.items()}
            connection.request(method, target, headers=named)
            with connection.getresponse() as response:
                yield response
        finally:
            connection.close()

    def get(
        self, target: str, method: str = "GET", **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers and body of the answer."""
        with self.asked(target, method, **headers) as response:
            return response.status, dict(response.getheaders()), response.read()

    def raw(self, request: str) -> bytes:
        """Everything that comes back, until the server closes the connection."""
        with socket.create_connection(("127.0.0.1", self.port), 30) as connection:
            connection.sendall(request.encode("latin-1"))
            return b"".join(iter(lambda: connection.recv(65536), b""))

    def stop(self) -> int:
        """Ends it as an operator would, and returns its exit status."""
        self.process.terminate()
        return self.process.wait(30)


@contextmanager
def served(data_dir: Path, *before: str, **variables: str) -> Iterator[Server]:
    """A server on the data directory, which is made, for as long as it is needed."""
    data_dir.mkdir(exist_ok=True)
    server = Server(data_dir, *before, **variables)
    try:
        # The listener was there before the server: the first request waits until it is up.
        assert server.get("/livez")[0] == 200, server.log.read_text()
        yield server
    finally:
        if server.process.poll() is None:
            server.stop()


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


def s3_client(endpoint_url: str, read_timeout_s: float = 2) -> Any:
    """A client of the object store, which gives up soon."""
    import boto3
    from botocore.config import Config

    return boto3.client(
        "s3",
        endpoint_url=endpoint_url,
        region_name="us-east-1",
        aws_access_key_id=os.environ.get("AWS_ACCESS_KEY_ID", "testing"),
        aws_secret_access_key=os.environ.get("AWS_SECRET_ACCESS_KEY", "testing"),
        config=Config(
            connect_timeout=1,
            read_timeout=read_timeout_s,
            retries={"mode": "standard", "total_max_attempts": 1},
            s3={"addressing_style": "path"},
            request_checksum_calculation="when_required",
            response_checksum_validation="when_required",
        ),
    )


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


def free_port() -> int:
    """A loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port
